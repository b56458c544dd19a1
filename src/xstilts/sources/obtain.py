"""Four ways in: `dataset` brings a pinned data set, `model` a pinned checkpoint.

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
from pathlib import Path
from typing import Any

from xstilts.core.errors import UserError
from xstilts.core.progress import Observe
from xstilts.sources.places import MIRROR, MODEL_NEEDS, TOKENIZER_MADE_FROM


def dataset(spec: Any, target: Path, observe: Observe) -> str | None:
    """Bring a data set's files into the empty folder `target`.

    Returns:
        The commit that the hub gave; None from a mirror, a URL, a folder or the control world.

    Args:
        spec: `source` (hub, mirror:<dir>, folder or world), `dataset`, `revision`, `configs` (the
            hub's config -> its splits), `urls` (url -> sha256), `place`, `world`; a section of the
            params.

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
        import_module("xstilts.sources.world.write").materialise(
            spec.dataset, spec.world or {}, target
        )
        return None
    raise _unknown(spec.source)


def model(spec: Any, target: Path, observe: Observe | None = None) -> None:
    """Bring a pinned checkpoint into the empty folder `target`: config, safetensors, tokenizer.

    Args:
        spec: `source` (hub or mirror:<dir>), `model` (org/name), `revision` (40 hex).

    Raises:
        UserError: as for `dataset`, and where the checkpoint has no safetensors.
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
    if any((target / name).exists() for name in TOKENIZER_MADE_FROM):
        missing = [name for name in missing if name != "tokenizer.json"]
    if not list(target.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise UserError(
            f"{spec.model} from {spec.source} lacks {', '.join(missing)}. "
            "Mend: pin a revision that has them"
        )


def _unknown(source: str) -> UserError:
    return UserError(f"unknown source {source!r}. Mend: use hub, mirror:<dir>, folder or world")
