"""What of a study its checkpoint has seen before: targets, and the tasks that it is trained on.

`findings` holds model/history.py, and what the study says itself, against the study's tasks, by the
ties of tasks/kinship.py. `xstilts study use`, `xstilts plan` and the report tell them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from xstilts import tasks
from xstilts.core.params import Params
from xstilts.model import published
from xstilts.model.history import History, Seen
from xstilts.tasks.kinship import OTHERS, RELATIONS, Relation, relation

Use = Literal["target", "fine-tuning", "intermediate"]
USES: dict[Use, str] = {
    "target": "scored",
    "fine-tuning": "fine-tuned on",
    "intermediate": "intermediate task",
}
# How a set that was seen is tied to the task.
TIES: dict[Relation, str] = {
    "same": "the same rows",
    "translation": "the same rows in another language",
    "collection": "other rows of its collection",
    "parallel": "parallel text, which is what it asks for",
}
STATED = "stated"  # the status of what the study says itself


@dataclass(frozen=True)
class Finding:
    """A task of the study, and a set that the checkpoint has seen which is tied to it."""

    use: Use
    task: str
    seen: Seen
    status: str  # one of model/history.py, or stated
    tie: Relation
    targets: tuple[str, ...] = ()  # of the study: whose rows these are, or that are trained on them

    @property
    def sure(self) -> bool:
        """Whether a source says that the set was trained on, and not that it may have been."""
        return self.status != "possible"

    @property
    def what(self) -> str:
        """The set in words: its title, splits and languages."""
        parts = [title(self.seen.name), " and ".join(self.seen.splits)]
        languages = " ".join(self.seen.languages)
        return " ".join(part for part in parts if part) + (f" ({languages})" if languages else "")


def title(name: str) -> str:
    """The title of a task or of another set; what is neither keeps its name."""
    if name in tasks.NAMES:
        return tasks.load(name).title
    return OTHERS.get(name, name)


def history(params: Params) -> History | None:
    """What is known of the checkpoint; None where nothing is, and of a model from scratch."""
    known = published.by_hub(params.pretrain.model or "")
    return known.history if known else None


def findings(params: Params) -> list[Finding]:
    """What the checkpoint has seen of the study's tasks: targets first, then in the study's order.

    Of several sets that are tied to one task those of the closest tie are told.
    """
    sets = list(_sets(params))
    found = []
    for use, task, splits, targets in _uses(params):
        ties = [
            (tie, seen, status)
            for seen, status in sets
            if (tie := relation(task, splits, seen.name, seen.splits)) is not None
        ]
        closest = min((tie for tie, _, _ in ties), key=RELATIONS.index, default=None)
        found += [
            Finding(use, task, seen, status, tie, targets)
            for tie, seen, status in ties
            if tie == closest
        ]
    return found


def _sets(params: Params) -> Iterator[tuple[Seen, str]]:
    """(set, status): what is known of a named encoder, then what the study says."""
    known = history(params)
    for seen in known.sets if known else ():
        yield seen, seen.status
    for one in params.seen or ():
        told = Seen(one.set, one.source, "recalled", tuple(one.splits), tuple(one.languages))
        yield told, STATED


def _uses(params: Params) -> Iterator[tuple[Use, str, tuple[str, ...], tuple[str, ...]]]:
    """(use, task, its splits, targets) of all that is scored or whose labels are learnt."""
    trained: dict[str, list[str]] = {}
    for name, target in params.targets.items():
        if target.task not in tasks.NAMES:
            continue
        yield "target", target.task, (target.split,), (name,)
        own = [tasks.load(target.task).train_task or target.task] * bool(target.train_rows)
        for task in dict.fromkeys([*(before.task for before in target.before), *own]):
            trained.setdefault(task, []).append(name)
    for task, names in trained.items():
        yield "fine-tuning", task, ("train",), tuple(names)
    parts = (part for spec in params.intermediate.values() for part in spec.parts)
    for task in dict.fromkeys(part.task for part in parts if part.kind != "mlm"):
        if task in tasks.NAMES:
            yield "intermediate", task, ("train",), ()


def exposed(params: Params) -> dict[str, bool]:
    """Targets that are not scored zero-shot in the strict sense, in the study's order -> sure.

    The checkpoint has seen scored rows, in whichever language, or other rows of their collection
    with labels in a language that is scored and is not the target's source.
    """
    found: dict[str, bool] = {}
    for one in findings(params):
        for name in one.targets if one.use == "target" else ():
            if _exposes(one, params, name):
                found[name] = found.get(name, False) or one.sure
    return {name: found[name] for name in params.targets if name in found}


def _exposes(one: Finding, params: Params, name: str) -> bool:
    target = params.targets[name]
    others = set(target.languages) - {target.source_language}
    if one.tie == "collection":
        return bool(others & _labelled(one.seen))
    return one.tie in ("same", "translation")


def _labelled(seen: Seen) -> set[str]:
    """The languages in which a set's labels were seen; none where neither it nor we say."""
    if seen.languages or seen.name not in tasks.NAMES:
        return set(seen.languages)
    task = tasks.load(seen.name)
    # Validation and test rows are in the languages of the task; training rows may be in fewer.
    return set(task.train_languages if set(seen.splits) == {"train"} else task.languages)


def lines(params: Params) -> list[str]:
    """A line for each task that the checkpoint has seen, for a terminal; [] where it has none."""
    if params.pretrain.model is None:
        return []
    if history(params) is None and params.seen is None:
        return [f"{unknown(params)} Say it as `pretrain.seen` in the study's file."]
    found = findings(params)
    if not found:
        return []
    head = f"Warning: what {params.pretrain.model} has seen before [source; how that is known]:"
    return [head, *(f"  {_line(group)}" for group in _grouped(found))]


def unknown(params: Params) -> str:
    """The sentence on a checkpoint of which nothing is known."""
    return f"Which labelled sets {params.pretrain.model} was trained on is not known here."


def _grouped(found: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one use of one task together."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        groups.setdefault((one.use, one.task), []).append(one)
    return list(groups.values())


def _line(group: list[Finding]) -> str:
    """`xquad (scored), the same rows: XQuAD validation (en es) [source; verified]`."""
    first = group[0]
    sources: dict[str, list[str]] = {}
    for one in group:
        sources.setdefault(f"{one.seen.source}; {one.status}", []).append(one.what)
    told = "; ".join(f"{', '.join(what)} [{source}]" for source, what in sources.items())
    return f"{first.task} ({USES[first.use]}), {TIES[first.tie]}: {told}"
