"""What a run was, in words: its method, task, language, size, encoder and training."""

from __future__ import annotations

from typing import Any

from xstilts import tasks
from xstilts.core.params import Intermediate, Params, Pretrain, Target, Training
from xstilts.model import published
from xstilts.tasks.languages import LANGUAGES

METHODS = {
    "none": "no intermediate training: the baseline",
    "single": "one intermediate task",
    "shuffled": "one intermediate task with shuffled labels: the control",
    "multi": "several intermediate tasks at once",
    "mlm": "masked language modelling goes on",
}
LISTED = 8  # items of a list that are spelt out
Facts = dict[str, str]


def setting(loaded: Params, stage: str, key: str) -> Facts:
    """Name -> sentence, in the order in which they are read; empty ones are left out."""
    told = {
        "fetch": _fetch,
        "prepare": _prepare,
        "check": _check,
        "subsample": _subsample,
        "pretrain": _pretrain,
        "intermediate": _intermediate,
        "transfer": _transfer,
        "aggregate": _aggregate,
        "report": _report,
    }
    found = told[stage](loaded, key)
    return {name: text for name, text in found.items() if text}


def _fetch(loaded: Params, key: str) -> Facts:
    spec = loaded.fetch[key]
    used = [one.task for one in loaded.prepare.values() if one.fetched.rpartition("/")[2] == key]
    return {
        "data set": spec.dataset,
        "source": spec.source,
        "commit": spec.revision or "",
        "files": f"{len(spec.urls)} by URL" if spec.urls else "",
        "used by": several(list(dict.fromkeys(used))),
    }


def _prepare(loaded: Params, key: str) -> Facts:
    spec = loaded.prepare[key]
    parts = (f"{split}: {several(languages)}" for split, languages in spec.splits.items())
    roles = {
        "targets": "a target, in which models are scored",
        "training": "rows of intermediate training",
        "pretraining": "text that phase i is trained on",
    }
    return {
        "task": task(spec.task),
        "role": roles[spec.role],
        "rows": "; ".join(parts),
    }


def _check(loaded: Params, key: str) -> Facts:
    spec = loaded.check
    return {
        "checked": f"{several(list(spec.training))} against {several(list(spec.evaluation))}",
        "allowed": several(list(spec.allow)),
    }


def _subsample(loaded: Params, key: str) -> Facts:
    spec = loaded.subsample[key]
    names = list(dict.fromkeys(task(one.task) for one in spec.subsets))
    sizes = [f"{one.out} ({rows(one.size)})" for one in spec.subsets]
    return {
        "task": several(names),
        "subsets": several(sizes),
        "order": f"seeded and stratified by label, seed {spec.seed}; small ones lie inside large",
    }


def _pretrain(loaded: Params, key: str) -> Facts:
    spec = loaded.pretrain
    corpora = [f"{one.task} in {several(one.languages)}" for one in spec.corpora]
    return {
        "encoder": encoder(spec),
        "vocabulary": "the pieces that the study's texts use" if spec.texts else "",
        "text": several(corpora),
        "training": training(spec.training) if spec.training else "none: imported as it is",
        "seed": str(spec.seed) if spec.training else "",
    }


def _intermediate(loaded: Params, key: str) -> Facts:
    return {**_run(loaded, loaded.intermediate[key]), "encoder": encoder(loaded.pretrain)}


def _transfer(loaded: Params, key: str) -> Facts:
    spec = loaded.transfer[key]
    trained = [target(name, one) for name, one in loaded.targets_of(key).items()]
    run = loaded.intermediate.get(key)
    none = {"method": METHODS[spec.method], "variant": spec.variant, "seed": str(spec.seed)}
    about = _run(loaded, run) if run else none
    return {**about, "encoder": encoder(loaded.pretrain), "targets": "\n".join(trained)}


def _run(loaded: Params, spec: Intermediate) -> Facts:
    """What an intermediate training is."""
    parts = [part.task for part in spec.parts]
    mixed = len(parts) > 1
    each = " of each task at most" if mixed and spec.method == "multi" else ""
    return {
        "method": METHODS[spec.method],
        "task": f"{spec.task}: {several(parts)}" if mixed else task(parts[0]),
        "language": language(spec.language),
        "size": rows(spec.size) + each,
        "variant": spec.variant,
        "seed": str(spec.seed),
        "training": training(spec.training),
    }


def _aggregate(loaded: Params, key: str) -> Facts:
    chosen = "; the best setting of each target is chosen" * loaded.aggregate.best_per_target
    return {
        "joins": f"{len(loaded.transfer)} runs on {several(list(loaded.targets))}",
        "intervals": f"{100 * loaded.aggregate.confidence:g}%{chosen}",
    }


def _report(loaded: Params, key: str) -> Facts:
    return {"title": loaded.report.title, "source": loaded.report.source}


def encoder(spec: Pretrain) -> str:
    """Which encoder, and from where."""
    shape = spec.architecture
    if shape is not None:
        words = f"{shape.vocabulary:,} pieces"
        layers = f"{shape.layers} {'layer' if shape.layers == 1 else 'layers'}"
        return f"XLM-R from scratch: {layers} of {shape.hidden}, {words}"
    known = published.by_hub(spec.model or "")
    note = f": {known.note}" if known else ""
    return f"{spec.model} at {spec.revision or 'no known commit'}{note}"


def task(name: str) -> str:
    """A task's name with its title."""
    return f"{name}: {tasks.load(name).title}" if name in tasks.NAMES else name


def language(code: str) -> str:
    """A code with the language's name."""
    return f"{code}: {LANGUAGES[code].name}" if code in LANGUAGES else code


def rows(size: int | str) -> str:
    """1200 -> 1,200 rows."""
    return f"{size:,} rows" if isinstance(size, int) else f"{size} rows"


def target(name: str, spec: Target) -> str:
    """A target, and what is done with the encoder there."""
    if spec.training is None:
        return f"{name}: scored as it is, layer {spec.layer}, {spec.pooling} pooling"
    before = "".join(f", after {one.task}" for one in spec.before)
    return f"{name}: fine-tuned in {spec.source_language}{before}: {training(spec.training)}"


def training(spec: Training) -> str:
    """`500 updates of 64, learning rate 0.003, at most 16 tokens`, and what is unusual."""
    epochs = f"{spec.epochs or 0:g} {'epoch' if spec.epochs == 1 else 'epochs'}"
    amount = f"{epochs}, batch" if spec.epochs else f"{spec.steps:,} updates of"
    rates = " or ".join(f"{rate:g}" for rate in spec.sweep or [spec.learning_rate])
    unusual: dict[str, Any] = {
        f"dropout {spec.dropout:g}": spec.dropout != Training.model_fields["dropout"].default,
        f"{spec.precision}": spec.precision != "fp32",
        "the head attends to all layers": spec.layers == "attention",
        f"low-rank adapters (rank {spec.adapter.rank if spec.adapter else 0})": spec.adapter,
        f"frozen {spec.freeze}": spec.freeze,
        "no warm-up": spec.warmup == 0 or spec.warmup_steps == 0,
        f"{spec.warmup_steps} updates of warm-up": spec.warmup_steps,
        f"stops after {spec.stop or 0:,} updates": spec.stop,
        "best weights on validation rows": spec.select == "best",
    }
    parts = [
        f"{amount} {spec.batch}",
        f"learning rate {rates}",
        f"at most {spec.max_length} tokens",
    ]
    return ", ".join([*parts, *(text for text, holds in unusual.items() if holds)])


def several(items: list[str]) -> str:
    """A list, cut where it is long."""
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return ", ".join(items[:LISTED]) + more
