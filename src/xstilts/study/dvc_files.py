"""What dvc.yaml reads of a compiled study: its runs, and the paths that differ from run to run.

    design.json                            vars of dvc.yaml: stage -> <study>/<key> -> paths; and
                                           how many runs there are
    pipelines/<study>/<group>/dvc.yaml     of a large study the runs of a task, language and seed,
                                           with their subsets and a dvc.lock of their own

DVC reads and writes a whole dvc.lock for each stage that it runs, so that the time of a study in
one file grows with the square of its runs. All files are one graph: `dvc repro` runs it whole.
What git holds of the runs of other studies is DVC's in a large one, as it comes to gigabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from xstilts.core import design, files, flow, paths
from xstilts.core.errors import disk
from xstilts.core.params import Params
from xstilts.core.strict import load_yaml
from xstilts.records import code

MEND = "it belongs to the repository: `git checkout` it"
LARGE = 150  # runs, above which they have files of their own
SHARDED = ("subsample", "intermediate", "transfer")
Json = dict[str, Any]
HEAD = "# Made by `xstilts study use {study}` from the stages of the same names in /dvc.yaml.\n"


def write(content: Mapping[str, Any]) -> None:
    """Write design.json, and the files of a large study; other studies leave DVC's graph.

    Their dvc.lock files stay, as the entries of other studies in /dvc.lock do.
    """
    study, new = content["study"], set[Path]()
    runs = {word: _stage(word, content) for word in flow.WORDS}
    if len(content["transfer"]) > LARGE:
        template = load_yaml(Path("dvc.yaml"), MEND)["stages"]
        for group, part in _groups(content, runs).items():
            new.add(_write_group(paths.PIPELINES / study / group, part, template, study))
        runs |= {word: {} for word in SHARDED}
    design.write_ordered(paths.DESIGN, {"runs": len(content["transfer"]), **runs})
    with disk(paths.PIPELINES):
        for name in ("dvc.yaml", "design.json"):  # the second was written by version 0.1.0
            for old in paths.PIPELINES.glob(f"*/*/{name}"):
                if old not in new:
                    old.unlink()


def _stage(word: str, content: Mapping[str, Any]) -> Json:
    """<study>/<key> -> what the templates of dvc.yaml fill in, for all runs of a stage."""
    study = content["study"]
    if word in flow.SINGLE:
        return {study: _paths(word, study, study, content[word])}
    return {f"{study}/{key}": _paths(word, study, key, one) for key, one in content[word].items()}


def _paths(word: str, study: str, key: str, spec: Mapping[str, Any]) -> Json:
    if word == "fetch":
        return {"source": code.variant_of(word, dict(spec))}
    names = {
        "prepare": ("task", "fetched", "out"),
        "subsample": ("reads",),
        "intermediate": ("rows", "checkpoint", "watch"),
        "transfer": ("checkpoint",),
    }
    found = {name: spec[name] for name in names.get(word, ())}
    if word == "pretrain":  # an imported checkpoint reads no data of ours
        found = {"reads": spec["reads"] or str(paths.run_design(word, study, key))}
    return {"study": study, **found} if "checkpoint" in found else found


def _groups(content: Mapping[str, Any], runs: Mapping[str, Json]) -> dict[str, Json]:
    """Runs by intermediate task, language and seed, so that a new run moves no other."""
    study = content["study"]
    out: dict[str, Json] = {}
    for run, spec in content["transfer"].items():
        part = out.setdefault(_group(spec), {word: {} for word in SHARDED})
        for word, key in _stages_of(run, content).items():
            part[word][f"{study}/{key}"] = runs[word][f"{study}/{key}"]
    return out


def large(loaded: Params) -> bool:
    """Whether a study's runs have files of their own."""
    return len(loaded.transfer) > LARGE


def address(loaded: Params, word: str, key: str) -> str:
    """What `dvc repro` calls a run of a stage: its name, or in a large study with the file."""
    name = f"{word}@{loaded.study}" + ("" if word in flow.SINGLE else f"/{key}")
    if word not in SHARDED or not large(loaded):
        return name
    content = loaded.model_dump(include={"study", "transfer", "intermediate"})
    for run, spec in content["transfer"].items():
        if _stages_of(run, content).get(word) == key:
            return f"{paths.PIPELINES / loaded.study / _group(spec) / 'dvc.yaml'}:{name}"
    return name


def _group(spec: Mapping[str, Any]) -> str:
    return f"{spec['task']}-{spec['source_language']}-s{spec['seed']}"


def _stages_of(run: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Stage -> its key for a run; runs of one group share subsets, no others do."""
    if run not in content["intermediate"]:
        return {"transfer": run}
    rows = Path(content["intermediate"][run]["rows"])
    subset = rows.relative_to(paths.subsampled(content["study"], ".")).parts[0]
    return {"subsample": subset, "intermediate": run, "transfer": run}


def _write_group(folder: Path, part: Json, template: Json, study: str) -> Path:
    """One dvc.yaml with the root's stages, and the runs that it is for; its path."""
    stages = {}
    for word in SHARDED:
        do = template[word]["do"]
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in do["outs"]]
        stages[word] = {**template[word], "do": {"wdir": "../../..", **do, "outs": outs}}
    # Inside, as `dvc params diff` lists all that comes from a file of its own.
    text = yaml.safe_dump({"vars": [part], "stages": stages}, sort_keys=False)
    files.write_bytes(folder / "dvc.yaml", (HEAD.format(study=study) + text).encode())
    return folder / "dvc.yaml"
