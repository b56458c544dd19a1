"""Phase iii of a study: what every checkpoint is fine-tuned on and scored in."""

from __future__ import annotations

from typing import Any

from xstilts import tasks
from xstilts.benchmarks import protocols
from xstilts.kinds.spec import KINDS
from xstilts.sources.world.distance import SOURCE
from xstilts.sources.world.spec import World
from xstilts.study.design import Design, over
from xstilts.study.schema import MUL, StudyTarget
from xstilts.tasks.base import Split, Task

PROTOCOL_LAYERS = 24  # protocols name their layer for XLM-R Large
PIVOT = "en"  # what the pairs of a target that is not trained translate


def target(design: Design, name: str, spec: StudyTarget) -> dict[str, Any]:
    """One target of a study, as params.yaml has it.

    Raises:
        UserError: it has no such language, split or protocol, or lacks what it is trained on.
    """
    where = f"targets.{name}"
    task = design.task(name, where)
    if why := design.absent(task):
        raise design.fail(where, f"{name} is {why.split(' Mend: ')[0]}", why.split(" Mend: ")[1])
    if spec.protocol not in task.protocols:
        wrong = f"{name} has no protocol {spec.protocol!r}"
        raise design.fail(where, wrong, f"use one of {', '.join(task.protocols)}")
    split = spec.split or task.evaluation
    out: dict[str, Any] = {
        "task": name,
        "kind": task.kind,
        "labels": design.labels(task),
        "metric": task.metric,
        "chance": task.chance,
        "protocol": spec.protocol,
        "rows": str(design.needs.folder(name)),
        "split": split,
        "languages": _languages(design, task, spec, split, where),
        "source_language": spec.source_language,
        "before": [],
        "train_rows": None,
        "train_limit": spec.train_limit,
        "validation": None,
        "training": None,
        **_retrieval(design, task, spec, where),
        "max_length": spec.max_length or design.usual_length(),
        "expected": _expected(design, task),
        "keep": _kept(design, task),
    }
    if spec.score_limit is not None:
        if KINDS[task.kind].scored != "decoded":
            wrong = f"{name} is searched for among all rows, and fewer of them are easier to search"
            raise design.fail(f"{where}.score_limit", wrong, "leave it out")
        out["score_limit"] = spec.score_limit
    design.check_length(out["max_length"], where)
    if KINDS[task.kind].trained:
        out |= _trained(design, task, spec, where)
        variants = _variants(design, task, spec, out["training"], where)
        return out | {"variants": variants | _sources(design, task, spec, out, where)}
    _check_untrained(design, task, spec, where)
    return out


def _check_untrained(design: Design, task: Task, spec: StudyTarget, where: str) -> None:
    """Of a target that is scored by the encoder as it is."""
    pivot = SOURCE if task.dataset.startswith("world/") else PIVOT
    known = tuple(dict.fromkeys((pivot, *task.languages)))
    design.language(task, spec.source_language, known, f"{where}.source_language")
    design.check_model(task, {}, where)
    if spec.variants or spec.rates or spec.sources:
        wrong = f"{task.name} is not fine-tuned, so it would be scored again as it is"
        raise design.fail(where, wrong, "leave `variants`, `rates` and `sources` out")


def check_kept(design: Design) -> None:
    """Refuse to keep models of what is no target."""
    targets = design.study.targets
    if unknown := [name for name in design.study.keep_models if name not in targets]:
        wrong = f"{unknown[0]!r} is no target of this study"
        raise design.fail("keep_models", wrong, f"use some of {', '.join(targets)}")


def _kept(design: Design, task: Task) -> bool:
    """Whether the fine-tuned model is kept, which must answer a row on its own."""
    if task.name not in design.study.keep_models:
        return False
    kind = KINDS[task.kind]
    if kind.scored != "decoded":
        wrong = f"{task.name} has no fine-tuned model: it is scored by the encoder as it is"
        if kind.trained:
            wrong = f"the model of {task.name} ranks a pool and answers no row on its own"
        raise design.fail("keep_models", wrong, "leave it out")
    return True


def _expected(design: Design, task: Task) -> dict[str, Any] | None:
    """How the right score is counted, where it can be."""
    if task.expected is None:
        return None
    world = design.study.data.world or World.model_validate({})
    return {"asks": task.expected, **world.model_dump(include={"seed", "parallel"})}


def _languages(
    design: Design, task: Task, spec: StudyTarget, split: Split, where: str
) -> list[str]:
    """The languages that are scored: those given, or all of the protocol."""
    official = task.official.get(spec.protocol, task.languages)
    languages = list(official) if spec.languages == "all" else spec.languages
    where = f"{where}.languages"
    if not languages or len(set(languages)) < len(languages):
        wrong = "a language occurs twice" if languages else "there is no language"
        raise design.fail(where, wrong, "give each language once")
    for language in languages:
        design.language(task, language, task.languages, where)
        path = design.need(task, split, language, where.removesuffix(".languages"))
        design.scored.setdefault(task.name, []).append(path)
        if KINDS[task.kind].scored == "mined":  # the threshold is tuned on these
            design.need(task, "validation", language, where.removesuffix(".languages"))
    return languages


def _trained(design: Design, task: Task, spec: StudyTarget, where: str) -> dict[str, Any]:
    """What a target is fine-tuned on, and what comes before that under the same head."""
    own = tasks.load(task.train_task) if task.train_task else task
    validated = KINDS[task.kind].chooses
    training = design.training(spec.training or {}, where, validated)
    design.check_model(task, training, where)
    chosen = validated and (_chosen(training) or design.study.aggregate.best_per_target)
    usual = chosen and spec.validation is None
    rows, validation = _rows(design, own, spec.source_language, usual, where)
    if spec.validation is not None:
        validation = _validation(design, task, spec, chosen, where)
    if unknown := sorted(set(spec.before) - set(task.train_before)):
        mend = f"use one of {', '.join(task.train_before) or '(none)'}"
        raise design.fail(f"{where}.before", f"{unknown[0]} does not precede {task.name}", mend)
    before = []
    for name in task.train_before:
        earlier = design.task(name, where)
        place = f"{where}.before.{name}"
        given = over(spec.training or {}, spec.before.get(name, {}))
        budget = design.training(given, place, validated)
        read, watched = _rows(design, earlier, spec.source_language, _chosen(budget), place)
        before.append({"task": name, "rows": read, "validation": watched, "training": budget})
    return {"training": training, "train_rows": rows, "validation": validation, "before": before}


def _variants(
    design: Design, task: Task, spec: StudyTarget, own: dict[str, Any], where: str
) -> dict[str, Any]:
    """Name of a variant -> how the target is fine-tuned in it."""
    rates = design.rates(spec.rates, own, where)
    given = spec.variants | {name: {"learning_rate": rate} for name, rate in rates.items()}
    out = {}
    for name, changed in given.items():
        place = f"{where}.rates" if name in rates else f"{where}.variants.{name}"
        training = over(spec.training or {}, changed)
        made = _trained(design, task, spec.model_copy(update={"training": training}), place)
        if made["training"] == own:
            raise design.fail(place, "it changes nothing of the target's training", "leave it out")
        out[name] = {part: made[part] for part in ("training", "before", "validation")}
    return out


def _sources(
    design: Design, task: Task, spec: StudyTarget, own: dict[str, Any], where: str
) -> dict[str, Any]:
    """Name of a variant -> the target's own training, with rows of more source languages.

    None of them is scored: its scores would be no zero-shot ones.
    """
    taught = tasks.load(task.train_task) if task.train_task else task
    out = {}
    for name, languages in spec.sources.items():
        place = f"{where}.sources.{name}"
        for language in languages:
            if language in own["languages"]:
                wrong = f"{language!r} is trained on here and scored as one that is not"
                raise design.fail(place, wrong, "leave it out here or of the target's `languages`")
        rows = [_rows(design, taught, one, False, place)[0] for one in languages]
        kept = {part: own[part] for part in ("training", "before", "validation")}
        out[name] = {**kept, "more_rows": rows}
    return out


def _chosen(training: dict[str, Any]) -> bool:
    """Whether validation rows decide anything in a training."""
    return training["select"] == "best" or bool(training["sweep"])


def _validation(
    design: Design, task: Task, spec: StudyTarget, chosen: bool, where: str
) -> str | None:
    """Validation rows of another task than that of the training rows; None where none choose."""
    where = f"{where}.validation"
    other = design.task(str(spec.validation), where)
    if (other.kind, other.labels) != (task.kind, task.labels):
        wrong = f"{other.name} is not answered as {task.name} is"
        raise design.fail(where, wrong, "take a task of its kind and labels")
    if not chosen:
        wrong = "nothing is chosen on validation rows"
        raise design.fail(where, wrong, "give `select: best` or `sweep`, or leave it out")
    languages = (*other.languages, *other.train_languages)
    design.language(other, spec.source_language, languages, where)
    (path,) = design.rows(other, "validation", spec.source_language, where)
    return path


def _rows(
    design: Design, task: Task, language: str, validated: bool, where: str
) -> tuple[str, str | None]:
    """Training rows of the source language, and where they choose, validation rows."""
    design.language(task, language, task.train_languages, f"{where}.source_language")
    (rows,) = design.rows(task, "train", language, where)
    if not validated:
        return rows, None
    (validation,) = design.rows(task, "validation", language, where)
    return rows, validation


def _retrieval(design: Design, task: Task, spec: StudyTarget, where: str) -> dict[str, Any]:
    """Which states are compared and how: as the study says, else the protocol, else plainly."""
    known = protocols.PROTOCOLS.get(spec.protocol)
    usual = known.retrieval.get(task.name) if known else None
    out: dict[str, Any] = {"layer": -1, "pooling": "mean", "similarity": "cosine"}
    if usual is not None:
        out = {"pooling": usual.pooling, "similarity": usual.similarity}
        out["layer"] = spec.layer if spec.layer is not None else _layer(design, usual.layer, where)
    given = {name: getattr(spec, name) for name in ("layer", "pooling", "similarity")}
    return {
        **out,
        **{name: value for name, value in given.items() if value is not None},
        "candidates": _candidates(design, task, where),
    }


def _layer(design: Design, layer: int, where: str) -> int:
    """A protocol's layer, which is one of 24, as high up in the study's model."""
    layers = design.study.pretrain.layers
    if layer < 0:
        return layer
    if layers is None:
        wrong = "how many layers the model has is not known, so the protocol's layer cannot be told"
        raise design.fail(where, wrong, "give `layer`, or take a model by `pretrain: {encoder: }`")
    return round(layer * layers / PROTOCOL_LAYERS)


def _candidates(design: Design, task: Task, where: str) -> list[str]:
    """Languages of the pool that is searched: all that the task has, whichever are scored."""
    if KINDS[task.kind].scored != "ranked":
        return []
    languages = list(task.languages)
    if (
        "candidates" in task.splits
        and len({task.source(one, "candidates") for one in languages}) == 1
    ):
        languages = [MUL]  # the source has them in one place
    for language in languages:
        design.need(task, "candidates", language, where)
    return languages
