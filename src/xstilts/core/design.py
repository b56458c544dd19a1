"""The compiled design of a study, as `xstilts study use` writes it and stages read it.

    params.yaml                         for people: the study in use, and what it sets otherwise
    design/<study>.json                 all params of a study
    design/<stage>/<study>/<key>.json   what one run of a stage reads of them: a dependency of it
    design/targets/<study>.json         the targets, which all runs of `transfer` read
    design/settings/<study>.json        what a study sets, for `dvc params diff` (study/settings.py)
    design.json                         what dvc.yaml reads: the runs of the study in use

JSON, as DVC parses YAML 40 times as slowly. A design that is not what params.yaml and the study's
file say now is refused.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from xstilts.core import files, flow, paths
from xstilts.core.errors import UserError, disk
from xstilts.core.params import Params
from xstilts.core.strict import Strict, load_yaml, parse

# What a run of a stage reads beside the params of its own key.
READS = {
    "check": ("subsample", "targets"),
    "aggregate": ("transfer", "targets"),
    "report": ("left_out", "pretrain", "intermediate", "transfer", "targets", "aggregate", "seen"),
}
RUNS = tuple(word for word in flow.WORDS if word not in flow.SINGLE)
FROM = "compiled_from"
Json = dict[str, Any]


class InUse(Strict):
    """The whole of params.yaml."""

    study: str = Field(pattern=r"^[a-z][a-z0-9_]*(-[a-z0-9_]+)*$")
    settings: dict[str, Any] = Field(default_factory=dict)  # over those of the study's file

    @field_validator("settings", mode="before")
    @classmethod
    def none_are_set(cls, value: Any) -> Any:
        """`settings:` with nothing behind it."""
        return {} if value is None else value


def in_use() -> InUse:
    """What params.yaml says.

    Raises:
        UserError: it is missing or empty, or is no such file.
    """
    if blank():
        how = "empty" if paths.PARAMS.exists() else "missing"
        raise UserError(f"{paths.PARAMS} is {how}. Mend: write it with `xstilts study use NAME`")
    # Written by hand, so that it is not for us to write it again.
    mend = "mend that line, or delete the file and run `xstilts study use NAME`"
    return parse(InUse, load_yaml(paths.PARAMS, mend), paths.PARAMS, mend)


def blank() -> bool:
    """Whether params.yaml says nothing: it is not there, or empty."""
    return not paths.PARAMS.exists() or not paths.PARAMS.read_bytes().strip()


def load(study: str | None = None) -> Params:
    """All params of a study; of the one in use where none is named.

    Raises:
        UserError: it is not compiled, or other than its file says now.
    """
    study = study or in_use().study
    return _parsed(_fresh(study), paths.design(study))


def load_run(word: str, study: str, key: str) -> Params:
    """The params that one run of a stage reads, and no others.

    Raises:
        UserError: the study is not compiled, other than its file says now, or has no such run.
    """
    whole, path = _fresh(study), paths.run_design(word, study, key)
    if not path.is_file():
        known = ", ".join(whole[word]) if word in RUNS else study
        wrong = f"{word} of the study {study} has no key {key!r}"
        raise UserError(f"{wrong}. Mend: use one of {known or '(none)'}")
    content = files.read_json(path)
    if content != _runs(word, whole)[key]:  # of a writer that was killed, or changed by hand
        raise UserError(
            f"{path} is not what {paths.design(study)} says. Mend: `xstilts study use {study}`"
        )
    if word == "transfer":
        content |= files.read_json(paths.run_design("targets", study, study))
    return _parsed({"study": study, **content}, path)


def _parsed(content: Json, path: Path) -> Params:
    return parse(Params, content, path, "compile it with `xstilts study use NAME`")


def _fresh(study: str) -> Json:
    """design/<study>.json, if it is what the study's file says now."""
    path = paths.design(study)
    mend = f"Mend: `xstilts study use {study}`"
    if not path.is_file():
        raise UserError(f"the study {study} is not compiled ({path} is missing). {mend}")
    whole: Json = files.read_json(path)
    if whole.pop(FROM, None) != fingerprint(study):
        sources = f"{paths.PARAMS}, {paths.study_file(study)} and {paths.PINS}"
        raise UserError(f"{path} is not what {sources} say now. {mend}")
    return whole


def fingerprint(study: str, settings: Json | None = None) -> str:
    """sha256 of all that a design is compiled from; comments and layout do not count.

    Args:
        settings: those that go over the study's file; None: those of params.yaml.
    """
    if settings is None:
        used = in_use()
        settings = used.settings if used.study == study else {}
    pins = load_yaml(paths.PINS, "mend the file") if paths.PINS.exists() else None
    return files.sha256_json([study_content(study), settings, pins])


def study_content(name: str) -> Any:
    """What `studies/<name>.yaml` says, put over what the study says that it is `like`.

    Raises:
        UserError: there is no such study, or it is like none that stands for itself.
    """
    content = _study_file(name, "")
    if not isinstance(content, dict) or "like" not in content:
        return content
    own = {key: value for key, value in content.items() if key != "like"}
    source = f"{paths.study_file(name)}: like: {content['like']}: "
    base = _study_file(str(content["like"]), source)
    if isinstance(base, dict) and "like" in base:
        raise UserError(f"{source}which is itself like another. Mend: name {base['like']} there")
    return merged(base, own)


def _study_file(name: str, source: str) -> Any:
    path = paths.study_file(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in paths.STUDIES.glob("*.yaml"))) or "none"
        wrong = f"{source}there is no study {name!r} ({path} is missing)"
        raise UserError(f"{wrong}. Mend: use one of {known}")
    content = load_yaml(path, "mend the file")
    if not isinstance(content, dict):
        wrong = "it is empty" if content is None else "it is no mapping of keys to values"
        raise UserError(f"{source}{path}: {wrong}. Mend: write `study: {name}` and what it needs")
    return content


def merged(content: Any, over: Json) -> Any:
    """Content with other content put over it: mappings are merged, all else replaces."""
    if not isinstance(content, dict):
        return over or content
    put = {
        name: merged(content.get(name), value) if isinstance(value, dict) else value
        for name, value in over.items()
    }
    return {**content, **put}


def write(content: Json, settings: Json | None = None) -> None:
    """Write all files of a study below design/, or where one cannot be written none of them.

    All drafts are written before the first takes its place. Then runs come first, the whole after
    them, as it says that they are there, and last go the files of runs that are no more: a writer
    that is killed leaves no run without its file.

    Args:
        content: a study's params, as the compiler gives them.
        settings: as for `fingerprint`.

    Raises:
        UserError: the disk is full, read-only or forbidden; then everything is as it was.
    """
    study = content["study"]
    new = {paths.design(study): {FROM: fingerprint(study, settings), **content}}
    for word in (*flow.WORDS, "targets"):
        runs = _runs(word, content).items()
        new |= {paths.run_design(word, study, key): part for key, part in runs}
    with disk(paths.design(study)), ExitStack() as drafts:  # put in place in the reverse order
        for path, value in new.items():
            drafts.enter_context(files.draft(path)).write_bytes(_ordered(value))
    with disk(paths.design(study)):
        for word in RUNS:
            for path in paths.run_design(word, study, "x").parent.glob("*.json"):
                if path not in new:
                    path.unlink()


def _runs(word: str, content: Json) -> dict[str, Json]:
    """Key -> what is in the file of each run of a stage."""
    more = {name: content[name] for name in READS.get(word, ()) if name in content}
    if word not in RUNS:
        return {content["study"]: {word: content[word], **more}}
    return {key: {word: {key: spec}} for key, spec in content[word].items()}


def write_ordered(path: Path, value: Json) -> None:
    """Write JSON in the order of its keys, which is that of the study: tables follow it."""
    files.write_bytes(path, _ordered(value))


def _ordered(value: Json) -> bytes:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()
