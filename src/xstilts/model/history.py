"""What the named encoders were trained on before a study: text, and sets whose labels they saw.

published.py has one `History` an encoder. Sets go by their task's name where this repository has
them, else by a name of tasks/kinship.py, which also says which tasks are made of the same rows.

A status says how a line is known: `verified` was read in the source that it names, `reported` in
an account of that source by others, `recalled` in neither; `possible` is a part of a collection
that was trained on, and whether it was taken is not said. Splits are the set's own; none: not said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["verified", "reported", "recalled", "possible"]


@dataclass(frozen=True)
class Seen:
    """A set that a checkpoint was trained on."""

    name: str
    source: str
    status: Status
    splits: tuple[str, ...] = ()  # of the set; (): not said
    languages: tuple[str, ...] = ()  # (): those of the set, or not said


@dataclass(frozen=True)
class History:
    """All that a checkpoint was trained on, as far as it is known."""

    text: str  # what was read without labels
    source: str
    status: Status
    sets: tuple[Seen, ...] = ()  # labelled sets, and parallel text; (): text alone


def _sets(names: str, source: str, status: Status, splits: str = "train") -> Iterable[Seen]:
    """Sets of one source, by their names in one line."""
    return (Seen(name, source, status, tuple(splits.split())) for name in names.split())


XLMR = History(
    "CommonCrawl, filtered, in 100 languages (CC-100)",
    "arXiv 1911.02116, abstract",
    "verified",
)
MBERT = History(
    "Wikipedia in 104 languages", "github.com/google-research/bert multilingual.md", "verified"
)
# The authors' card names CC-100; here it was read in a page that retells the card.
MDEBERTA = History("CC-100", "the hub's card of microsoft/mdeberta-v3-base", "reported")
MT5 = History("CommonCrawl in 101 languages (mC4)", "arXiv 2010.11934", "recalled")
MBART50 = History("CommonCrawl in 50 languages (CC25 and more)", "arXiv 2008.00401", "recalled")
# A translator: what it was trained on is pairs of translations, mined and written.
NLLB = History(
    "monolingual text of many of 202 languages, in a part of its pairs back-translated",
    "arXiv 2207.04672",
    "recalled",
    tuple(_sets("nllb opus", "arXiv 2207.04672", "recalled")),
)
REMBERT = History(
    "mC4 and Wikipedia in 110 languages",
    "github.com/google-research/google-research rembert/README.md",
    "verified",
)

# InfoXLM's repository says that pairs of translations are trained on; which ones was read in notes
# on the paper and on mT6, whose authors' data it is.
INFOXLM = History(
    "CC-100, rebuilt, in 94 languages",
    "arXiv 2007.07834",
    "reported",
    tuple(
        _sets(
            "multiun iit_bombay opus wikimatrix",
            "arXiv 2007.07834: 14 pairs of languages with English",
            "reported",
            "",
        )
    ),
)

# mmBERT read FLAN in its first phase (15.3 billion tokens, 0.8%) and in its last (1.0 billion, 1%):
# cards of jhu-clsp/mmBERT-pretrain-p3-others and jhu-clsp/mmBERT-decay-data. Which sets FLAN holds
# is from google-research/FLAN at e9e4ec62; which of them "Tulu Flan" took, and which rows, is not
# said.
_FLAN = "“Tulu Flan” in the cards of mmBERT's training data, FLAN's own list: flan/v2/{}"
MMBERT = History(
    "FineWeb2, DCLM, Wikipedia, code, papers and more, in 1,833 languages",
    "cards of jhu-clsp/mmBERT-pretrain-p3-others and jhu-clsp/mmBERT-decay-data",
    "verified",
    (
        # the first 30,000 training rows of each, and their tests for evaluation alone
        *_sets(
            "mnli snli anli qqp squad_v1 squad_v2 hellaswag cosmos_qa copa paws",
            _FLAN.format("task_configs_v1.py"),
            "possible",
        ),
        *_sets("siqa cos_e", _FLAN.format("constants.py"), "possible", ""),
        *_sets("commonsense_qa xcopa", _FLAN.format("constants_niv2.py"), "possible", ""),
        Seen("xquad", _FLAN.format("constants_niv2.py"), "possible", ("validation",), ("en", "es")),
    ),
)

# Multilingual E5. Tables 1 and 2 of the report were read in a summary that lists their rows, and
# not in the original; FEVER, HotpotQA, MIRACL, Mr. TyDi, MS MARCO, Natural Questions and SQuAD are
# in MTEB's list, too (mteb/models/model_implementations/e5_models.py). That only training rows of
# labelled sets were used in the second stage is said by the hub's card.
_E5 = "arXiv 2402.05672, table 2 (fine-tuning)"
# What xP3 holds was read in its card and in the script that makes it: all splits but `validation`,
# where there are others, which takes MLQA's and PAWS-X's test rows and all of XQuAD; labels of
# tests that are not public were skipped. XNLI, ANLI, COPA, XCOPA and HellaSwag were held out.
_XP3 = "arXiv 2402.05672, table 1: xP3, whose rows bigscience's data/xp3/prepare_xp3_train.py names"
# fmt: off
_TATOEBA = (  # paired with English
    "ar", "bn", "es", "eu", "fr", "hi", "id", "ml", "mr", "pt", "sw", "ta", "te", "ur", "vi", "zh",
)
# fmt: on
_SIX = ("ar", "en", "es", "hi", "vi", "zh")
E5 = History(
    "pairs of title and text, comment and answer, of mC4, CCNews, Wikipedia, Reddit, S2ORC,"
    " StackExchange",
    "arXiv 2402.05672, table 1",
    "reported",
    (
        *_sets(
            "squad_v1 natural_questions trivia_qa ms_marco fever hotpot_qa eli5 dureader qqp"
            " mr_tydi miracl nllb",
            _E5,
            "reported",
        ),
        # the table says "NLI"; that it is SimCSE's file of these two is recalled
        *_sets("mnli snli", _E5, "recalled"),
        *_sets("squad_v2 cmrc2018 drcd cosmos_qa siqa cos_e", _XP3, "reported"),
        *_sets("paws", _XP3, "reported", "train test"),
        Seen("tatoeba_mt", _XP3, "reported", ("test",), _TATOEBA),
        Seen("paws_x", _XP3, "reported", ("train", "test"), ("en", "es", "fr", "zh")),
        Seen("xquad", _XP3, "reported", ("validation",), _SIX),
        Seen("mlqa", _XP3, "reported", ("test",), _SIX),
        Seen("tydiqa", _XP3, "reported", ("train",), ("ar", "bn", "en", "id", "sw", "te")),
    ),
)
