"""What the checkpoint had seen of the study's tasks before: table `seen`, marks and sentences.

As the leak check tells of rows in common, this tells of labelled sets that a published encoder was
trained on (benchmarks/seen.py). Nothing is said of a study whose encoder saw none of its tasks.
"""

from __future__ import annotations

from xstilts.benchmarks import seen
from xstilts.report.data import Results
from xstilts.report.table import Entry, Table
from xstilts.results.scores import ZERO_SHOT

MARK = "‡"
HEADER = ("task", "as", "seen before", "tie", "source", "status")


def build(results: Results) -> list[Table]:
    """The table, where there is anything to tell."""
    found = seen.findings(results.params)
    if not found:
        return []
    records = [
        {
            "use": one.use,
            "task": one.task,
            "targets": " ".join(one.targets),
            "set": one.seen.name,
            "splits": " ".join(one.seen.splits),
            "languages": " ".join(one.seen.languages),
            "tie": one.tie,
            "source": one.seen.source,
            "status": one.status,
        }
        for one in found
    ]
    rows = [
        [
            Entry(one.task, head=True),
            *map(Entry, (seen.USES[one.use], one.what, seen.TIES[one.tie])),
            *map(Entry, (one.seen.source, one.status)),
        ]
        for one in found
    ]
    caption = (
        f"Sets that {results.params.pretrain.model} was trained on before this study, and which of"
        " the study's tasks they touch. verified: read in the source; reported: read in an account"
        " of it by others; recalled: in neither; possible: part of a collection trained on;"
        " what of it was taken is not said; stated: the study's file says so."
    )
    return [Table("seen", "Seen before", caption, HEADER, rows, records)]


def exposed(results: Results) -> dict[str, bool]:
    """Targets of the report that are not scored zero-shot in the strict sense -> whether surely."""
    found = seen.exposed(results.params)
    return {name: sure for name, sure in found.items() if name in results.targets}


def mark(results: Results, target: str) -> str:
    """The mark of a target that is not zero-shot in the strict sense; nothing at any other."""
    return MARK if target in exposed(results) else ""


def legend(results: Results) -> str:
    """What the mark says, as the end of a caption; nothing where there is no mark."""
    marked = exposed(results)
    if not marked:
        return ""
    return (
        f" {MARK} before this study the encoder {_has(marked)} seen scored rows, translations of"
        " them, or labels of other rows in languages that are scored."
    )


def _has(marked: dict[str, bool]) -> str:
    return (
        "has"
        if all(marked.values())
        else "may have"
        if not any(marked.values())
        else "has or may have"
    )


def qualified(results: Results, sentences: list[str]) -> list[str]:
    """Sentences whose “zero-shot” is marked, and the one that says why; as they are without."""
    marked = {
        target: sure
        for target, sure in exposed(results).items()
        if results.headline(target) == ZERO_SHOT
    }
    if not marked:
        return sentences
    told = [sentence.replace("zero-shot", f"zero-shot{MARK}") for sentence in sentences]
    *most, last = marked
    listed = f"{', '.join(most)} and {last}" if most else last
    why = (
        f"{MARK} Not zero-shot in the strict sense on {listed}: {results.params.pretrain.model}"
        f" {_has(marked)} seen before rows that are scored there, translations of them, or labels"
        " of other rows in languages that are scored."
    )
    return [*told, why]


def support(results: Results) -> list[str]:
    """The sentence on intermediate tasks that are not new to the encoder."""
    found = seen.findings(results.params)
    close = [one for one in found if one.tie in ("same", "translation")]
    known: dict[str, bool] = {}
    for one in close:
        if one.use == "intermediate":
            known[one.task] = known.get(one.task, False) or one.sure
    if not known:
        return []
    return [
        f"{results.params.pretrain.model} {_has(known)} seen {', '.join(known)} before: the runs"
        " without intermediate training are not without these, and a gain is what they bring again."
    ]
