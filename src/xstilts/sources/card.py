"""A data set's card (README.md with YAML on top): which files make which split of which config.

Read by fetch and prepare, and by plan of a mirror. What a card says is read by `datasets`, as the
hub's own users read it; errors name the place and the mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from xstilts.core.errors import UserError

NAME = "README.md"
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.S)
# Layouts of data sets whose card names no files, e.g. the hub's converted branches.
CONVENTIONS = (
    "{config}/{split}/*",
    "{config}/{split}-*",
    "{config}/{split}.*",
    "data/{split}-*",
    "data/{split}.*",
    "{split}-*",
    "{split}.*",
)


def read(text: str, place: str) -> dict[str, Any]:
    """The YAML on top of a card; {} where there is none.

    Raises:
        UserError: what is there is no YAML mapping.
    """
    found = FRONT_MATTER.match(text.lstrip("\ufeff"))
    if not found:
        return {}
    try:
        value = yaml.load(found[1], Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{place} has no valid YAML on top ({reason}). Mend: the card") from error
    return value if isinstance(value, dict) else {}


def read_file(folder: Path) -> dict[str, Any]:
    """The card of a data folder; {} where there is none."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 ({error}). Mend: bring the card again") from error
    return read(text, str(path))


def licence(card: Mapping[str, Any]) -> str | None:
    """What the card says under `license`, if anything."""
    value = card.get("license")
    return ", ".join(map(str, value)) if isinstance(value, list) else value and str(value)


def splits(card: Mapping[str, Any], config: str) -> dict[str, list[str]]:
    """split -> file patterns of a config, as its card gives them; {} where it gives none.

    Raises:
        UserError: the card's `configs` have another form than the hub's.
    """
    from datasets.data_files import sanitize_patterns  # half a second, where cards are read
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    try:
        one = MetadataConfigs.from_dataset_card_data(DatasetCardData(**card)).get(config, {})
        if "data_files" not in one:
            return {}
        root = str(one.get("data_dir") or "").strip("/")
        return {
            str(split): [f"{root}/{path}" if root else path for path in patterns]
            for split, patterns in sanitize_patterns(one["data_files"]).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the card's `configs` are not as the hub writes them ({type(error).__name__}: "
            f"{error}). Mend: the README.md of the data set"
        ) from error


def resolve(
    card: Mapping[str, Any], present: Iterable[str], config: str, split: str, place: str
) -> list[str]:
    """The files of one config's split (`a+b`: of several), in the order that they are read in.

    Args:
        present: the files there are, relative to the data set, with forward slashes.
        place: what the error message calls the data set.

    Raises:
        UserError: there is no such config or split, or its files are missing.
    """
    names = sorted(present)
    out: list[str] = []
    for part in split.split("+"):
        known = splits(card, config)
        if known and part not in known:
            have = ", ".join(known)
            raise UserError(
                f"{place} has no split {part!r} of config {config!r} (it has: {have}). "
                "Mend: leave that language or split out of the study, or use another data.source"
            )
        wanted = known.get(part) or [one.format(config=config, split=part) for one in CONVENTIONS]
        found = _matching(names, wanted, stop_at_first=not known)
        if not found:
            raise _missing(card, config, part, wanted if known else [], place)
        out += found
    return out


def _missing(
    card: Mapping[str, Any], config: str, split: str, wanted: list[str], place: str
) -> UserError:
    """Say which part is not there: the config, or the files that the card promises."""
    mend = "Mend: leave that language or split out of the study, or use another data.source"
    if wanted:
        files = ", ".join(wanted)
        return UserError(f"{place} lacks {files}, which its card names. Mend: complete the copy")
    configs = [str(entry.get("config_name")) for entry in card.get("configs") or []]
    have = f" (it has: {', '.join(configs)})" if configs else ""
    return UserError(f"{place} has no config {config!r} with split {split!r}{have}. {mend}")


def _matching(names: list[str], patterns: list[str], stop_at_first: bool) -> list[str]:
    """Names that fit, pattern by pattern; `stop_at_first`: of the first pattern that fits any."""
    out: list[str] = []
    for pattern in patterns:
        expression = _expression(pattern)
        out += [name for name in names if expression.fullmatch(name) and name not in out]
        if out and stop_at_first:
            break
    return out


def _expression(pattern: str) -> re.Pattern[str]:
    """A file pattern as the hub reads it: `*` stays within a folder, `**` does not."""
    text = re.escape(pattern.removeprefix("./"))
    text = text.replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    return re.compile(text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
