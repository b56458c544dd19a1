"""What a study answers beyond its scores, as tables: the rows of `questions.parquet`.

Each table has a row for what is asked about and a column for each target; its CSV has all
intervals. Called by `tables`; results/questions.py says what the questions are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from xstilts.report.data import Results, Row, plain, signed, size_text, stars
from xstilts.report.table import Entry, Table
from xstilts.results.scores import ALL

THESE = "{confidence} intervals of these languages below; * p < 0.05, ** p < 0.01 (Holm)."
LIKE = (
    "{confidence} intervals of these languages below, of languages like these in the title of a"
    " cell and in the CSV; * p < 0.05, ** p < 0.01 (Holm, of these languages)."
)
Cell = Callable[[Row], Entry]


def build(results: Results) -> Iterator[Table]:
    """The tables of the questions that the study has answers to."""
    for make in (_first_sizes, _slopes, _distances, _families, _scripts, _gaps, _normalised):
        table = make(results)
        if table is not None and table.rows:
            yield table
    yield from _without_collapsed(results)


def _table(
    results: Results, name: str, title: str, caption: str, rows: Sequence[Row], cell: Cell, by: str
) -> Table:
    """A row for each value of a field, a column for each target; `rows` go to the CSV."""
    asked = {row["target"] for row in rows}
    targets = [target for target in (*results.targets, ALL) if target in asked]
    index = {(row[by], row["target"]): row for row in rows}
    body = []
    for subject in dict.fromkeys(row[by] for row in rows):
        found = [index.get((subject, target)) for target in targets]
        entries = [Entry("–") if row is None else cell(row) for row in found]
        body.append([Entry(subject, head=True), *entries])
    heads = ["mean of targets" if target == ALL else target for target in targets]
    caption = caption.format(confidence=results.confidence)
    return Table(name, title, caption, ["", *heads], body, rows)


def _asked(results: Results, question: str) -> list[Row]:
    return [row for row in results.questions if row["question"] == question]


def _value(row: Row) -> Entry:
    """A difference in points with its interval and marks."""
    if row["value"] is None:
        return Entry("–")
    interval = f"{plain(row['low'])} to {plain(row['high'])}"
    title = f"Holm p = {row['p_holm']:.2g}" if row["p_holm"] is not None else "not tested"
    if row["like_low"] is not None:
        like = f"{plain(row['like_low'])} to {plain(row['like_high'])}"
        title += f"; languages like these: {like}"
    return Entry(signed(row["value"]), interval, stars(row["p_holm"]), title=title)


def _first_sizes(results: Results) -> Table:
    def cell(row: Row) -> Entry:
        sizes = row["other"].split(", ")
        if row["value"] is None:
            return Entry("none", f"of {len(sizes)} sizes")
        return Entry(size_text(int(row["value"])), f"told at {row['count']} of {len(sizes)}")

    caption = (
        "Rows of intermediate data from which the zero-shot gain is told from zero (p < 0.05 after"
        " Holm's correction over all zero-shot comparisons of the study), and at how many of the"
        " sizes it is."
    )
    title = "From which size a gain is told"
    return _table(
        results, "first-size", title, caption, _asked(results, "first size"), cell, "subject"
    )


def _slopes(results: Results) -> Table:
    rows = [
        row | {"pair": f"{row['subject']} less {row['other']}"}
        for row in _asked(results, "slope difference")
    ]
    caption = (
        "Points per tenfold rows that series of the one kind have beyond those of the other, over"
        f" the sizes that both have. {LIKE}"
    )
    return _table(
        results, "slope-differences", "Whether slopes differ", caption, rows, _value, "pair"
    )


def largest(results: Results) -> set[str]:
    """The settings with the most rows of their series: of a curve, its end stands for it."""
    found: dict[tuple[object, ...], Row] = {}
    for group in results.groups:
        key = tuple(group[name] for name in ("method", "task", "source_language", "variant"))
        if key not in found or group["size"] > found[key]["size"]:
            found[key] = group
    return {group["group"] for group in found.values()}


MANY = 12  # settings, of which more than these show their largest sizes alone
HIDDEN = " Of settings that differ in size the one with the most rows; the CSV has every size."


def _shortened(
    results: Results, name: str, title: str, caption: str, rows: Sequence[Row], cell: Cell, by: str
) -> Table:
    """`_table`, of the largest settings where it would be long, and then it says so."""
    settings = {row["subject"] for row in rows}
    kept = largest(results) if len(settings) > MANY else settings
    shown = [row for row in rows if row["subject"] in kept]
    caption += HIDDEN if len(shown) < len(rows) else ""
    return replace(_table(results, name, title, caption, shown, cell, by), records=rows)


def _distances(results: Results) -> Table:
    rows = [
        row | {"setting": f"{row['subject']}, from {row['other']}"}
        for row in _asked(results, "gain by distance")
    ]
    caption = (
        "Points of gain for each unit of distance of a language from the one that is named: by its"
        " syntax in URIEL (0 to 1; docs/languages.md), in the control world the share of words that"
        f" are not common. {LIKE}"
    )
    title = "Gain by the distance of a language"
    return _shortened(results, "gain-by-distance", title, caption, rows, _value, "setting")


def _families(results: Results) -> Table | None:
    return _by_group(results, "family", "Gain by language family")


def _scripts(results: Results) -> Table | None:
    return _by_group(results, "script", "Gain by script")


def _by_group(results: Results, what: str, title: str) -> Table | None:
    """The setting that gains most over all targets, family by family; the CSV has every setting."""
    rows = _asked(results, f"gain by {what}")
    gains = {
        row["group"]: row["delta"]
        for row in results.summary
        if row["delta"] is not None
        and (row["target"], row["language"]) == (results.columns[-1], _headline(results))
        and row["method"] not in ("shuffled", "best")
    }
    if not rows or not gains:
        return None
    top = max(gains, key=lambda group: gains[group])
    chosen = sorted((row for row in rows if row["subject"] == top), key=lambda row: row["other"])
    caption = f"Mean gain of {top}, which gains most. The CSV has every setting. {LIKE}"
    table = _table(results, f"gain-by-{what}", title, caption, chosen, _value, "other")
    return replace(table, records=rows)


def _headline(results: Results) -> str:
    return results.headline(results.columns[-1]) if results.columns[-1] != ALL else "zero-shot"


def _gaps(results: Results) -> Table:
    changes = {
        (row["target"], row["subject"]): row for row in _asked(results, "change of transfer gap")
    }
    rows = _asked(results, "transfer gap")

    def cell(row: Row) -> Entry:
        change = changes.get((row["target"], row["subject"]))
        if change is None:
            return Entry(plain(row["value"]))
        return Entry(plain(row["value"]), signed(change["value"]), stars(change["p_holm"]))

    caption = (
        "Score in the language that a target is fine-tuned in, less its zero-shot mean; below, the"
        " change against no intermediate training; * p < 0.05, ** p < 0.01 of that (Holm)."
    )
    table = _shortened(results, "transfer-gap", "Transfer gap", caption, rows, cell, "subject")
    return replace(table, records=[*rows, *changes.values()])


def _normalised(results: Results) -> Table:
    rows = _asked(results, "chance-normalised gain")
    caption = (
        "Gain in percent of the way from guessing to all right, so that targets of unlike chance"
        f" can be averaged. {LIKE}"
    )
    title = "Gain, chance-normalised"
    return _shortened(results, "normalised", title, caption, rows, _value, "subject")


def _without_collapsed(results: Results) -> Iterator[Table]:
    rows = _asked(results, "without collapsed runs")
    caption = (
        "Gain if runs that predict one class in any language are left out, baseline runs among"
        f" them. A collapse is a result: this stands beside the gain, not for it. {THESE}"
    )
    title = "Gain without collapsed runs"
    table = _table(results, "without-collapsed", title, caption, rows, _value, "subject")
    if rows:
        yield table
