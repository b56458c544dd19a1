"""Four ways in, one function: `obtain` brings a pinned data set, `model` a pinned checkpoint.

The folder that comes out is the same whichever way it came:

    README.md              the data set's card: which files make a config's split
    <as in the card>       the data files of the wanted configs and splits, and no others
    urls/<host>/<path>     plain files whose source is a URL
    <as in the task>       files from the user's own folder, of a licensed data set
"""

# They are imported by name when used: what hub and mirror bring is decided by its hashes, and only
# the control world depends on the code that makes it.
from __future__ import annotations

from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from xstilts.errors import UserError
from xstilts.observe import Observe

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
    "vocab.txt",
)
MODEL_NEEDS = ("config.json", "tokenizer.json")
TOKENIZER_MADE_FROM = "spm.model"  # conversion.py makes tokenizer.json from it


def url_path(url: str) -> PurePosixPath:
    """Where a URL's bytes lie in a data folder: https://a.org/b/c.json -> urls/a.org/b/c.json."""
    parts = urlsplit(url)
    path = PurePosixPath("urls") / parts.netloc / parts.path.lstrip("/")
    if ".." in path.parts or not parts.netloc:
        raise UserError(f"{url} is no usable URL. Mend: give it as https://host/path")
    return path


def obtain(spec: Any, target: Path, observe: Observe) -> str | None:
    """Bring a data set's files into the empty folder `target`.

    Returns:
        The commit that the hub gave; None from a mirror, a URL, a folder or the control world.

    Args:
        spec: `source` (hub, mirror:<dir>, folder or world), `dataset`, `revision`, `configs` (the
            hub's config -> its splits), `urls` (url -> sha256), `place`, `world`; a section of
            params.yaml.

    Raises:
        UserError: no such source, data set, config, split or file; a differing hash; no network.
    """
    if spec.source == "hub":
        commit: str | None = import_module("xstilts.sources.hub").obtain(spec, target, observe)
        return commit
    if spec.source.startswith(MIRROR):
        place = spec.source.removeprefix(MIRROR)
        import_module("xstilts.sources.mirror").obtain(spec, place, target, observe)
        return None
    if spec.source == "folder":
        import_module("xstilts.sources.folder").obtain(spec, target, observe)
        return None
    if spec.source == "world":
        import_module("xstilts.sources.world").materialise(spec.dataset, spec.world or {}, target)
        return None
    raise _unknown(spec.source)


def model(spec: Any, target: Path, observe: Observe | None = None) -> None:
    """Bring a pinned checkpoint into the empty folder `target`: config, safetensors, tokenizer.

    Args:
        spec: `source` (hub or mirror:<dir>), `model` (org/name), `revision` (40 hex).

    Raises:
        UserError: as for `obtain`, and where the checkpoint has no safetensors.
    """
    observe = observe or Observe()
    if spec.source == "hub":
        import_module("xstilts.sources.hub").model(spec, target, observe)
    elif spec.source.startswith(MIRROR):
        place = spec.source.removeprefix(MIRROR)
        import_module("xstilts.sources.mirror").model(spec, place, target, observe)
    else:
        raise _unknown(spec.source)
    missing = [name for name in MODEL_NEEDS if not (target / name).exists()]
    if (target / TOKENIZER_MADE_FROM).exists():
        missing = [name for name in missing if name != "tokenizer.json"]
    if not list(target.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise UserError(
            f"{spec.model} from {spec.source} lacks {', '.join(missing)}. "
            "Mend: pin a revision that has them"
        )


def pin_mend(dataset: str) -> str:
    """What to do where no commit or hash of a data set is known."""
    tasks = import_module("xstilts.tasks").TASKS.values()
    names = " ".join(task.name for task in tasks if task.dataset == dataset) or dataset
    return (
        f"Mend: `xstilts pin {names}` records what its source has now, or use a mirror that has it"
    )


def _unknown(source: str) -> UserError:
    return UserError(f"unknown source {source!r}. Mend: use hub, mirror:<dir>, folder or world")
