"""The verdict on each claim: a table for the report, and the words that `xstilts claims` shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xstilts.claims.answers import Answer, to_json
from xstilts.claims.entries import Measure, Otherwise
from xstilts.report.data import Results, plain, signed, size_text
from xstilts.report.table import Entry, Table

Row = dict[str, Any]
HEADER = ("claim", "verdict", "found", "published", "source")
CAPTION = (
    "Each claim of claims.yaml as this study answers it: “reproduced” where the whole {confidence}"
    " interval agrees, “not reproduced” where the whole interval contradicts, “undecided” where it"
    " holds both, “not run” where the study lacks the rows. {usual} Of several numbers the mean,"
    " and how many agree. An interval is one claim's own: nothing is corrected for the number of"
    " claims."
)
USUAL = (
    "A number with a sign is a difference in points, over no intermediate training unless said"
    " otherwise."
)
UNITS: dict[Measure, str] = {  # of a number by itself; a gain is in points over no training
    "score": "score",
    "gain": "",
    "error": "from the expected",
    "slope": "per tenfold rows",
    "in_language": "% in the right language",
}
APART: dict[Measure, str] = {"score": "", "in_language": "points in the right language"}
METHODS = {
    "single": "single tasks",
    "shuffled": "shuffled labels",
    "multi": "several tasks",
    "mlm": "MLM",
    "best": "best for each target",
    "none": "no intermediate training",
}
FEW = 2  # names, of more the number is told


def build(results: Results) -> list[Table]:
    """The table, where the study is asked anything; what was not run comes last."""
    answers = ordered(results.answers)
    if not answers:
        return []
    caption = CAPTION.format(confidence=results.confidence, usual=USUAL)
    rows = [
        [
            Entry(one.claim.text, one.claim.id, head=True, title=one.claim.note),
            Entry(one.verdict, one.reason),
            Entry(number(one), ", ".join(part for part in (interval(one), *details(one)) if part)),
            Entry(published(one) or "–"),
            Entry(source(one), one.claim.status, title=one.claim.url or ""),
        ]
        for one in answers
    ]
    return [Table("claims", "Claims", caption, HEADER, rows, [_record(one) for one in answers])]


def ordered(answers: list[Answer]) -> list[Answer]:
    """What was answered first, each part in the order of the file."""
    return sorted(answers, key=lambda one: one.verdict == "not run")


def _record(one: Answer) -> Row:
    """An answer in a row of its own: the numbers are in <study>.claims.json."""
    return {name: value for name, value in to_json(one).items() if name != "numbers"}


def number(one: Answer) -> str:
    """`+8.1`; what is no difference, a score or a share, has no sign."""
    if one.found is None:
        return "–"
    check = one.claim.check
    level = check.score or check.in_language
    bare = level is not None and level.minus is None
    return (plain if bare else signed)(one.found.value)


def interval(one: Answer) -> str:
    """`7.2 to 9.0`, or nothing."""
    found = one.found
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{plain(found.low)} to {plain(found.high)}"


def details(one: Answer) -> list[str]:
    """What the number is where it is no gain of one setting on one target; part by part."""
    if one.found is None or one.claim.check.measured is None:
        return []
    measure, bounds = one.claim.check.measured
    unit, other = UNITS[measure], ""
    if bounds.minus is not None:
        unit, other = APART.get(measure, unit), f"over {_partner(bounds.minus)}"
    count, agree = len(one.numbers), sum(said == "agrees" for _, said in one.numbers)
    agreeing = "all agree" if agree == count else "none agrees" if not agree else f"{agree} agree"
    several = [f"mean of {count}", agreeing] if count > 1 else []
    return [part for part in (unit, other, *several) if part]


def _partner(other: Otherwise) -> str:
    """The setting that is compared with, by what differs in it: `shuffled labels`, `1K rows`."""
    task, language = _few(other.task, "tasks"), _few(other.language, "languages")
    methods = [one for one in other.method or () if not (task and one == "single")]
    parts = [" or ".join(METHODS[method] for method in methods)]
    if task:
        parts.append(f"{task} ({language})" if language else task)
    else:
        parts.append(f"rows in {language}" if language else "")
    if other.size is not None:
        parts.append("all rows" if other.size == "largest" else f"{size_text(other.size)} rows")
    parts.append(_few([name or "no variant" for name in other.variant or ()], "variants"))
    return ", ".join(part for part in parts if part)


def _few(names: Sequence[str] | None, what: str) -> str:
    """`qqp or ccg`, `7 tasks`; nothing where none is named."""
    return " or ".join(names or ()) if len(names or ()) <= FEW else f"{len(names or ())} {what}"


def published(one: Answer) -> str:
    """`8.2, inside`: the published number, and whether it lies in our interval."""
    if one.claim.published is None:
        return ""
    where = {True: ", inside", False: ", outside", None: ""}[one.published_within]
    return f"{one.claim.published:.1f}{where}"


def source(one: Answer) -> str:
    """Where the claim was read."""
    return ", ".join(part for part in (one.claim.source, one.claim.where) if part)
