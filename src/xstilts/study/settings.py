"""What a study sets, as `dvc params diff` compares it: design/settings/<study>.json.

The study's file with the settings of params.yaml over it, and the commits that were resolved. Lists
of mappings become mappings by a name that people know, so that a change is a line of its own: the
sizes of one task, and not the whole list of tasks. No stage reads the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xstilts.core import design, paths
from xstilts.study.schema import Grid, Study

SAID = {"study", "title", "description"}  # what decides no number
Json = dict[str, Any]


def write(study: Study, content: Mapping[str, Any]) -> None:
    """Write the file of a study.

    Args:
        content: the study's params, as the compiler gives them.
    """
    told = study.model_dump(exclude_unset=True, exclude={*SAID, "intermediate"}, mode="json")
    told["intermediate"] = _grids(study.intermediate)
    told["commits"] = _commits(content)
    design.write_ordered(paths.settings(study.study), _named(told))


def _grids(grids: list[Grid]) -> Json:
    """A grid by its task, language, method and variant: as its runs are named."""
    found: Json = {}
    for grid in grids:
        tail = [part for part in (grid.design, grid.variant) if part not in ("", "single", "multi")]
        told = grid.model_dump(exclude_unset=True, mode="json")
        for name in ("task", "name", "languages", "method", "variant"):
            told.pop(name, None)
        for language in grid.languages:
            name = "-".join([grid.title, language, *(part for part in tail if part != grid.title)])
            found[_free(name, found)] = told
    return found


def _free(name: str, found: Mapping[str, Any]) -> str:
    """The name, numbered where two grids share it."""
    number, free = 1, name
    while free in found:
        number += 1
        free = f"{name} ({number})"
    return free


def _commits(content: Mapping[str, Any]) -> Json:
    """Commits of the encoder and of the data sets that have one."""
    model = content["pretrain"]
    pinned = {model["model"]: model["revision"]} if model.get("model") else {}
    pinned |= {one["dataset"]: one["revision"] for one in content["fetch"].values()}
    return {name: revision for name, revision in pinned.items() if revision}


def _named(value: Any) -> Any:
    """Lists of mappings as mappings by their tasks; empty ones left out."""
    if isinstance(value, dict):
        named = {str(name): _named(one) for name, one in value.items()}
        return {name: one for name, one in named.items() if one not in ({}, None)}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        found: Json = {}
        for one in value:
            rest = {name: part for name, part in one.items() if name != "task"}
            found[_free(str(one.get("task")), found)] = _named(rest) or True
        return found
    return value
