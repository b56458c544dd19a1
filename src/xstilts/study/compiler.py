"""The design of an experiment: a study -> runs and cells -> params.

`xstilts study use NAME` calls `compile_study`; the same study, pins and licensed folders always
give the same params.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts import tasks
from xstilts.core import paths
from xstilts.core.params import Params
from xstilts.core.strict import parse
from xstilts.study.design import TEXT, Design
from xstilts.study.intermediate import Grids
from xstilts.study.pins import Pins
from xstilts.study.schema import Study
from xstilts.study.targets import check_kept, target

BASELINE = {"method": "none", "variant": "", "task": "none", "language": "none", "size": 0}


def compile_study(study: Study, place: Path | str, pins: Pins | None = None) -> dict[str, Any]:
    """Turn a study into its params (plain values, one section per stage word).

    Args:
        place: the study file, for messages.
        pins: what pins.yaml holds; None: nothing.

    Raises:
        UserError: unknown task, language, protocol or key; a size larger than the task; a run
            that occurs twice. The message names the place in the study file.
    """
    pins = pins or Pins()
    design = Design(study, place, pins)
    check_kept(design)
    pretrain = _pretrain(design, pins)
    targets = {name: target(design, name, spec) for name, spec in study.targets.items()}
    grids = Grids(design)
    for number, grid in enumerate(study.intermediate):
        grids.add(number, grid)
    if study.pretrain.vocabulary == "used":
        pretrain |= _used(design)
    transfer = _unprepared(design, targets)
    for run, spec in grids.runs.items():
        transfer[run] = _transfer(spec, str(paths.intermediate(study.study, run)))
    source = {"source": study.data.source}
    params = {
        "study": study.study,
        "left_out": design.left_out,
        "fetch": design.needs.fetch(),
        "prepare": design.needs.prepare(),
        "check": _check(design),
        "subsample": grids.subsample,
        "pretrain": pretrain,
        "intermediate": grids.runs,
        "transfer": transfer,
        "targets": targets,
        "aggregate": study.aggregate.model_dump(),
        "report": {**study.model_dump(include={"title", "description"}), **source},
        "seen": study.pretrain.seen,
    }
    return parse(Params, params, place, "mend the study").model_dump()


def _pretrain(design: Design, pins: Pins) -> dict[str, Any]:
    """Phase i: a published checkpoint, or a model from scratch."""
    choice = design.study.pretrain
    scratch = choice.scratch
    if scratch is None:
        known = choice.published
        hub = choice.hub.model if choice.hub else known.hub if known else ""
        revision = choice.hub.revision if choice.hub else None
        revision = revision or (known.revision if known else None) or pins.model(hub)
        source = {"source": design.study.data.source, "reads": ""}
        return {**source, "model": hub, "revision": revision}
    corpora = []
    for number, corpus in enumerate(scratch.corpora):
        where = f"pretrain.scratch.corpora.{number}"
        task = design.task(corpus.task, where)
        if not corpus.languages:
            raise design.fail(where, "there is no language", "name some in `languages`")
        for language in corpus.languages:
            design.language(task, language, (*task.languages, *task.train_languages), where)
            design.need(task, corpus.split, language, where, text=True)
        found = {"rows": str(design.needs.folder(TEXT + task.name)), "kind": task.kind}
        corpora.append(corpus.model_copy(update=found).model_dump())
    return {
        "source": "scratch",
        "reads": str(paths.prepared(design.study.study, "pretraining", "")),
        "architecture": scratch.architecture.model_dump(),
        "corpora": corpora,
        "training": _from_scratch(design, scratch.training),
        "seed": scratch.seed,
    }


def _used(design: Design) -> dict[str, Any]:
    """The texts whose pieces are kept: all prepared rows, so that DVC watches their folder.

    Phase ii draws its subsets from them: a new size or seed leaves the checkpoint as it is.
    """
    where, mend = "pretrain.vocabulary", "take `whole`"
    if design.study.pretrain.scratch:
        wrong = "a model from scratch has a vocabulary of its own, made from the study's text"
        raise design.fail(where, wrong, mend)
    if any(grid.mlm for grid in design.study.intermediate):
        wrong = "masked language modelling reads the whole vocabulary, and `used` keeps a part"
        raise design.fail(where, wrong, f"{mend}, or leave `mlm` out")
    texts = [
        {
            "kind": tasks.load(spec["task"]).kind,
            "rows": [
                str(paths.rows(Path(spec["out"]), language, split))
                for split, languages in spec["splits"].items()
                for language in languages
            ],
        }
        for spec in design.needs.prepare().values()
    ]
    return {"reads": str(paths.prepared(design.study.study, "", "")), "texts": texts}


def _from_scratch(design: Design, given: dict[str, Any]) -> dict[str, Any]:
    """The training of a model from scratch; the study's default of `freeze` is for what follows."""
    where = "pretrain.scratch"
    training = design.training({"freeze": None, **given}, where, validated=False)
    if training["freeze"]:
        wrong = "a model from scratch would keep its random vectors"
        raise design.fail(f"{where}.training", wrong, "leave `freeze` out")
    return training


def _check(design: Design) -> dict[str, Any]:
    """What the leak check compares. Text without labels is no training row of a task."""
    known = {
        f"{task} > {name}" for task in (*design.trained, *design.choosing) for name in design.scored
    }
    absent = {what.split(" (")[0].split(": ")[-1] for what in design.left_out}
    for pair in design.study.allow_overlap:
        training, _, name = pair.partition(" > ")
        if pair not in known and not (training in absent and name in design.scored):
            wrong = f"{pair!r} names no training task and target of this study"
            mend = 'write "training task > target", as in "squad_v1 > xquad"'
            raise design.fail("allow_overlap", wrong, mend)
    return {
        "allow": dict(design.study.allow_overlap),
        "training": design.trained,
        "selection": design.choosing,
        "evaluation": design.scored,
    }


def _unprepared(design: Design, targets: dict[str, Any]) -> dict[str, Any]:
    """Phase iii without phase ii: targets fine-tuned as usual, then in each of their variants."""
    variants = dict.fromkeys(name for one in targets.values() for name in one.get("variants", ()))
    return {
        f"none-s{seed}" + (f"-{variant}" if variant else ""): _transfer(
            {**BASELINE, "variant": variant, "seed": seed}, design.base
        )
        for variant in ("", *variants)
        for seed in design.study.baseline_seeds
    }


def _transfer(spec: dict[str, Any], checkpoint: str) -> dict[str, Any]:
    """Phase iii of one checkpoint: that of a run, or for the baseline that of phase i."""
    return {
        **{name: spec[name] for name in ("method", "variant", "task", "size", "seed")},
        "source_language": spec["language"],
        "checkpoint": checkpoint,
    }
