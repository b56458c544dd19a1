"""Published multilingual encoders by a short name: `pretrain: {encoder: mbert}` in a study.

The commits are those that public code pins. Where a repository's main branch holds only a pickle,
it is the commit of the hub's own safetensors conversion. None: `xstilts pin` records one. What each
was trained on, labelled sets above all, is in history.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from xstilts.model import history
from xstilts.model.history import History


@dataclass(frozen=True)
class Encoder:
    """A checkpoint of the hub, and what is known of it before it is there."""

    hub: str  # org/name
    revision: str | None  # 40-hex commit
    parameters: int  # of embeddings and layers, without any head
    embeddings: int  # of these, the table of the vocabulary, which is looked up and not multiplied
    layers: int
    hidden: int
    positions: int  # tokens, special ones included
    note: str
    history: History  # what it was trained on
    family: str = ""  # of encoder-decoders: mt5, mbart, m2m_100


ENCODERS: dict[str, Encoder] = {
    "xlmr-large": Encoder(
        "FacebookAI/xlm-roberta-large",
        "c23d21b0620b635a76227c604d44e43a9f0ee389",
        558_840_832, 256_002_048, 24, 1024, 512,
        "XLM-R Large, 100 languages (arXiv 1911.02116)",
        history.XLMR,
    ),
    "xlmr-base": Encoder(
        "FacebookAI/xlm-roberta-base",
        "e73636d4f797dec63c3081bb6ed5c7b0bb3f2089",
        277_453_056, 192_001_536, 12, 768, 512,
        "XLM-R Base, 100 languages (arXiv 1911.02116)",
        history.XLMR,
    ),
    "mbert": Encoder(
        "google-bert/bert-base-multilingual-cased",
        "3f076fdb1ab68d5b2880cb87a0886f315b8146f8",
        177_262_848, 91_812_096, 12, 768, 512,
        "multilingual BERT, cased, 104 languages (arXiv 1810.04805)",
        history.MBERT,
    ),
    "mdeberta-v3-base": Encoder(
        "microsoft/mdeberta-v3-base",
        "faf660b811036d7b6dfc53aacfe5281447d4e2c6",  # converts a0484667
        278_000_000, 192_768_000, 12, 768, 512,
        "mDeBERTa-v3 Base, 100 languages (arXiv 2111.09543)",
        history.MDEBERTA,
    ),
    "mmbert-base": Encoder(
        "jhu-clsp/mmBERT-base",
        "ca5b84ba39fb0531402e727a3d9a50626d9f522c",  # converts c5955035
        306_939_648, 196_608_000, 22, 768, 8192,
        "mmBERT Base, 1,833 languages (arXiv 2509.06888)",
        history.MMBERT,
    ),
    "mmbert-small": Encoder(
        "jhu-clsp/mmBERT-small",
        "461475a70b192efcbb760df5541d3825b07c4d5b",  # converts abc32620
        140_600_000, 98_304_000, 22, 384, 8192,
        "mmBERT Small, 1,833 languages (arXiv 2509.06888)",
        history.MMBERT,
    ),
    "rembert": Encoder(
        "google/rembert",
        "65da5133da36e29dfca67d4f0dd9f7f9db21b563",
        576_000_000, 64_076_800, 32, 1152, 512,
        "RemBERT, 110 languages (arXiv 2010.12821)",
        history.REMBERT,
    ),
    "infoxlm-base": Encoder(
        "microsoft/infoxlm-base",
        None,
        277_453_056, 192_001_536, 12, 768, 512,
        "InfoXLM Base, 94 languages (arXiv 2007.07834)",
        history.INFOXLM,
    ),
    "e5-small": Encoder(
        "intfloat/multilingual-e5-small",
        "fd1525a9fd15316a2d503bf26ab031a61d056e98",
        117_505_920, 96_014_208, 12, 384, 512,
        "multilingual E5 Small, 100 languages, tuned on labelled pairs (arXiv 2402.05672)",
        history.E5,
    ),
    # Encoder-decoders: layers of both sides; mT5 has a second table, by which it writes.
    "mt5-base": Encoder(
        "google/mt5-base",
        None,
        582_401_280, 384_172_032, 24, 768, 1024,
        "mT5 Base, 101 languages (arXiv 2010.11934)",
        history.MT5,
        family="mt5",
    ),
    "mbart-50": Encoder(
        "facebook/mbart-large-50",
        None,
        610_879_488, 256_055_296, 24, 1024, 1024,
        "mBART-50, 50 languages, denoising alone (arXiv 2008.00401)",
        history.MBART50,
        family="mbart",
    ),
    "nllb-600m": Encoder(
        "facebook/nllb-200-distilled-600M",
        None,
        615_073_792, 262_354_944, 24, 1024, 1024,
        "NLLB-200 distilled, 600 million weights, a translator of 202 languages (arXiv 2207.04672)",
        history.NLLB,
        family="m2m_100",
    ),
}  # fmt: skip


def by_hub(model: str) -> Encoder | None:
    """The encoder with this hub id; None where it is none of these."""
    return next((one for one in ENCODERS.values() if one.hub == model), None)
