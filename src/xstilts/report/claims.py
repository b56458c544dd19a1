"""The verdict on each claim: a table for the report, and the words that `xstilts claims` shares."""

from __future__ import annotations

from typing import Any

from xstilts.claims.answers import Answer, to_json
from xstilts.report.data import Results, plain, signed
from xstilts.report.table import Entry, Table

Row = dict[str, Any]
HEADER = ("claim", "verdict", "found", "published", "source")
CAPTION = (
    "Each claim of claims.yaml as this study answers it: “reproduced” where the whole {confidence}"
    " interval agrees, “not reproduced” where the whole interval contradicts, “undecided” where it"
    " holds both, “not run” where the study lacks the rows. Points over no intermediate training"
    " unless said otherwise; of several numbers the mean, and how many agree. An interval is one"
    " claim's own: nothing is corrected for the number of claims."
)


def build(results: Results) -> list[Table]:
    """The table, where the study is asked anything; what was not run comes last."""
    answers = ordered(results.answers)
    if not answers:
        return []
    caption = CAPTION.format(confidence=results.confidence)
    rows = [
        [
            Entry(one.claim.text, one.claim.id, head=True, title=one.claim.note),
            Entry(one.verdict, one.reason),
            Entry(number(one), ", ".join(part for part in (interval(one), many(one)) if part)),
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
    """`+8.1`; a score has no sign."""
    if one.found is None:
        return "–"
    return (plain if one.claim.check.score else signed)(one.found.value)


def interval(one: Answer) -> str:
    """`7.2 to 9.0`, or nothing."""
    found = one.found
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{plain(found.low)} to {plain(found.high)}"


def many(one: Answer) -> str:
    """What the number is where it is no gain of one setting on one target."""
    count, agree = len(one.numbers), sum(said == "agrees" for _, said in one.numbers)
    unit = "per tenfold rows" if one.claim.check.slope else ""
    unit = "from the expected" if one.claim.check.error else unit
    if count < 2:
        return unit
    agreeing = "all agree" if agree == count else "none agrees" if not agree else f"{agree} agree"
    return ", ".join(part for part in (unit, f"mean of {count}", agreeing) if part)


def published(one: Answer) -> str:
    """`8.2, inside`: the published number, and whether it lies in our interval."""
    if one.claim.published is None:
        return ""
    where = {True: ", inside", False: ", outside", None: ""}[one.published_within]
    return f"{one.claim.published:.1f}{where}"


def source(one: Answer) -> str:
    """Where the claim was read."""
    return ", ".join(part for part in (one.claim.source, one.claim.where) if part)
