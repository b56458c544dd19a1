"""What all sources share: what a checkpoint consists of, where a URL's bytes lie, how to pin."""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from xstilts.core.errors import UserError

MIRROR = "mirror:"


MODEL_FILES = (  # what a published checkpoint may consist of; nothing that has to be unpickled
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentencepiece.bpe.model",
    "spm.model",
    "spiece.model",
    "vocab.txt",
)


MODEL_NEEDS = ("config.json", "tokenizer.json")


# model/tokenizer.py makes tokenizer.json from one of them
TOKENIZER_MADE_FROM = ("spm.model", "spiece.model", "sentencepiece.bpe.model")


def url_path(url: str) -> PurePosixPath:
    """Where a URL's bytes lie in a data folder: https://a.org/b/c.json -> urls/a.org/b/c.json."""
    parts = urlsplit(url)
    path = PurePosixPath("urls") / parts.netloc / parts.path.lstrip("/")
    if ".." in path.parts or not parts.netloc:
        raise UserError(f"{url} is no usable URL. Mend: give it as https://host/path")
    return path


def pin_mend(dataset: str) -> str:
    """What to do where no commit or hash of a data set is known."""
    tasks = import_module("xstilts.tasks").TASKS.values()
    names = " ".join(task.name for task in tasks if task.dataset == dataset) or dataset
    return (
        f"Mend: `xstilts pin {names}` records what its source has now, or use a mirror that has it"
    )
