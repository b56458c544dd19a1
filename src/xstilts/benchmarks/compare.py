"""Where a study does otherwise than the protocol that its targets name.

`differences` is what the report's notes and `xstilts protocol` say. Both sides, the recipe
(recipes.py) and the compiled study, are put into the same words, aspect by aspect, and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xstilts.benchmarks.protocols import PROTOCOLS
from xstilts.benchmarks.recipes import INTERMEDIATE, MODEL, RECIPES, Recipe
from xstilts.core.params import Params, Target, Training

Settings = Mapping[str, Any]


def _trained(of: Settings) -> str:
    before = f"{of['before']}, then " if of.get("before") else ""
    return f"trained on {before}{of['train']}"


def _budget(of: Settings) -> str:
    if of.get("steps"):
        return f"{of['steps']:,} updates"
    return f"{of['epochs']:g} epoch{'s' * (of['epochs'] != 1)}"


def _rate(of: Settings) -> str:
    rates = of.get("sweep") or [of["learning_rate"]]
    return "learning rate " + " or ".join(f"{rate:g}" for rate in rates)


def _warmup(of: Settings) -> str:
    if of.get("warmup_steps"):
        return f"warm-up over {of['warmup_steps']:,} updates"
    return f"warm-up over {of['warmup']:.0%} of the updates" if of.get("warmup") else "no warm-up"


def _decay(of: Settings) -> str:
    return f"weight decay {of['weight_decay']:g}" if of["weight_decay"] else "no weight decay"


def _weights(of: Settings) -> str:
    if of.get("stop"):
        return f"the weights after {of['stop']:,} updates"
    return "the last weights" if of["select"] == "last" else "the best weights"


def _chosen(of: Settings) -> str:
    rows = of["evaluate_rows"]
    count = "all" if rows == "all" else f"the first {rows:,}"
    return f"chosen on {count} validation rows of {of['validation']}"


def _every(of: Settings) -> str:
    patience = of["patience"]
    stop = f"ends after {patience} without gain" if patience else "no early stopping"
    return f"evaluated every {of['evaluate_every']:,} updates, {stop}"


# part -> aspect -> the settings that it tells, and how. A recipe without any of them does not say.
Words = Callable[[Settings], str]
ASPECTS: dict[str, dict[str, tuple[tuple[str, ...], Words]]] = {
    "data": {"training rows": (("train", "before"), _trained)},
    "length": {
        "length": (("max_length",), lambda of: f"{of['max_length']} tokens"),
        "stride": (("stride",), lambda of: f"stride {of['stride']}"),
    },
    "schedule": {
        "budget": (("epochs", "steps"), _budget),
        "batch": (("batch",), lambda of: f"batch {of['batch']}"),
        "learning rate": (("learning_rate", "sweep"), _rate),
        "warm-up": (("warmup", "warmup_steps"), _warmup),
        "weight decay": (("weight_decay",), _decay),
        "clipping": (("clip",), lambda of: f"gradients clipped at {of['clip']:g}"),
        "precision": (("precision",), lambda of: str(of["precision"])),
        "candidates": (("negatives",), lambda of: f"{of['negatives']} candidates a query"),
    },
    "selection": {
        "weights": (("select", "stop"), _weights),
        "chosen on": (("evaluate_rows", "validation"), _chosen),
        "evaluations": (("evaluate_every", "patience"), _every),
    },
    "retrieval": {
        "length when scored": (
            ("score_length",),
            lambda of: f"{of['score_length']} tokens when scored",
        ),
        "layer": (("layer",), lambda of: f"layer {of['layer']}"),
        "pooling": (("pooling",), lambda of: f"{of['pooling']} pooling"),
        "similarity": (("similarity",), lambda of: str(of["similarity"])),
    },
    "decoding": {  # the same in every study: constants of kinds/span.py and kinds/ranking.py
        "questions": (("max_question",), lambda of: f"questions of {of['max_question']} tokens"),
        "queries": (("max_query",), lambda of: f"queries of {of['max_query']} tokens"),
        "spans": (("n_best",), lambda of: f"{of['n_best']} best starts and ends"),
        "answers": (("max_answer",), lambda of: f"answers of {of['max_answer']} tokens"),
    },
}


CHOOSING = ("chosen on", "evaluations")


def told(of: Settings, part: str) -> dict[str, str]:
    """Aspect -> words, of one part of `ASPECTS`, as far as the settings tell it."""
    return {
        aspect: words(of)
        for aspect, (names, words) in ASPECTS[part].items()
        if any(name in of for name in names) and (aspect not in CHOOSING or _chooses(of))
    }


def _chooses(of: Settings) -> bool:
    """How is chosen is asked only where something is."""
    return of.get("select") == "best"


def values(recipe: Recipe) -> dict[str, Any]:
    """The settings of a recipe without their sources."""
    return {name: said.value for name, said in recipe.items()}


def sources(recipe: Recipe, part: str) -> list[str]:
    """Where one part of a recipe is said: `file:line,line`, a file each once, in order."""
    names = [name for names, _ in ASPECTS[part].values() for name in names]
    lines: dict[str, set[str]] = {}
    for said in (recipe[name] for name in names if name in recipe):
        file, _, some = said.source.partition(":")
        lines.setdefault(file, set()).update(some.split(",") if some else ())
    ordered = {
        file: sorted(some, key=lambda line: int(line.partition("-")[0]))
        for file, some in lines.items()
    }
    return [f"{file}:{','.join(some)}" if some else file for file, some in ordered.items()]


def settings(target: Target, training: Training | None = None) -> dict[str, Any]:
    """A compiled target in the names of a recipe."""
    training = training or target.training
    found: dict[str, Any] = {
        "layer": target.layer,
        "pooling": target.pooling,
        "similarity": target.similarity,
        "score_length": target.max_length,
    }
    if training is None or target.train_rows is None:
        return found
    return (
        found
        | training.model_dump()
        | {
            "train": Path(target.train_rows).parent.name,
            "before": ", ".join(step.task for step in target.before),
            "validation": Path(target.validation).parent.name if target.validation else "nothing",
        }
    )


def _unlike(ours: Settings, recipe: Recipe) -> Iterator[str]:
    """`no warm-up instead of warm-up over 500 updates`, for each aspect of a recipe."""
    published = values(recipe)
    for part in ASPECTS:
        for aspect, words in told(published, part).items():
            names, say = ASPECTS[part][aspect]
            asked = any(name in ours for name in names)
            if not asked or (aspect in CHOOSING and not _chooses(ours)):
                continue
            here = say(ours)
            if here != words:
                yield f"{here} instead of {words}"


def target_differences(target: Target, model: str | None = MODEL) -> list[str]:
    """What a target of a study does otherwise than its protocol; [] where it names none."""
    recipe = RECIPES.get(target.protocol, {}).get(target.task)
    if recipe is None:
        return []
    if model != MODEL:  # layers are scaled to another depth
        recipe = {name: said for name, said in recipe.items() if name != "layer"}
    found = list(_unlike(settings(target), recipe))
    for step in target.before:
        own = {name: said for name, said in recipe.items() if name not in ("train", "before")}
        unlike = _unlike(settings(target, step.training), own)
        found += [text for text in unlike if text not in found]
    if target.train_limit is not None:
        found.append(f"trained on {target.train_limit:,} rows at most")
    if target.score_limit is not None:
        found.append(f"scored on {target.score_limit:,} rows of a language at most")
    official = PROTOCOLS[target.protocol].languages[target.task]
    if set(target.languages) != set(official):
        scored = len(set(target.languages) & set(official))
        more = len(set(target.languages) - set(official))
        besides = f" and in {more} more" if more else ""
        found.append(f"scored in {scored} of {len(official)} languages{besides}")
    return found


def differences(params: Params) -> list[str]:
    """What a study does otherwise than the published protocols that its targets name.

    Returns:
        A sentence for each difference, which names the targets that have it; [] of a study that
        follows its protocols, or none.
    """
    followed = {
        name: target
        for name, target in params.targets.items()
        if target.task in RECIPES.get(target.protocol, {})
    }
    model = params.pretrain.model
    found: list[str] = []
    if followed and model != MODEL:
        own = model or "a model from scratch"
        found.append(f"Model: {own}; the published values are those for {MODEL}.")
    who: dict[str, list[str]] = {}
    for name, target in followed.items():
        for text in target_differences(target, model):
            who.setdefault(text, []).append(name)
    for text, names in who.items():
        every = len(names) == len(followed) > 1
        found.append(f"{'All targets' if every else ', '.join(names)}: {text}.")
    return found + _of_intermediate(params, {one.protocol for one in followed.values()})


def _of_intermediate(params: Params, protocols: set[str]) -> list[str]:
    """The same of trainings on one intermediate task, where a protocol says how they are done."""
    recipes = {
        task: recipe
        for protocol in sorted(protocols)
        for task, recipe in INTERMEDIATE.get(protocol, {}).items()
    }
    who: dict[str, list[str]] = {}
    for spec in params.intermediate.values():
        if spec.method == "single" and not spec.variant and spec.task in recipes:
            for text in _unlike(spec.training.model_dump(), recipes[spec.task]):
                names = who.setdefault(text, [])
                if spec.task not in names:
                    names.append(spec.task)
    return [f"Intermediate training on {', '.join(names)}: {text}." for text, names in who.items()]
