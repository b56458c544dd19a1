"""Score of every setting in every language: a table for each target, `languages-<target>`.

Columns go from the language that the target is fine-tuned in to those far from it; the colour is
the difference to no intermediate training in the same language. Called by `tables`.
"""

from __future__ import annotations

from xstilts.report.data import Results, Row, signed
from xstilts.report.order import SAID
from xstilts.report.table import Entry, Table, anchor


def build(results: Results) -> list[Table]:
    """A table for each target."""
    return [_table(results, target) for target in results.targets]


def _table(results: Results, target: str) -> Table:
    """Setting x language."""
    languages = results.languages(target)
    columns = [results.headline(target), *languages]
    groups = [group for group in results.groups if results.row(target, columns[0], group["group"])]
    found = {
        (group["group"], name): results.row(target, name, group["group"])
        for group in groups
        for name in columns
    }
    reach = max((abs(row["delta"] or 0.0) for row in found.values() if row), default=1.0) or 1.0
    rows = [
        [_head(group), *(_entry(found[group["group"], name], reach) for name in columns)]
        for group in groups
    ]
    spec = results.params.targets[target]
    tuned = f"fine-tuned in {spec.source_language}" if spec.training else "not fine-tuned"
    caption = (
        f"Score, mean over seeds; colour: points over “none” in the same language. {target} is"
        f" {tuned}. Languages: {SAID}. †: a run predicts one class only."
    )
    records = [row for row in found.values() if row is not None]
    labels = [group["task"] for group in groups]
    header = ["setting", *columns]
    return Table(f"languages-{target}", target, caption, header, rows, records, labels)


def _head(group: Row) -> Entry:
    link = "" if group["method"] == "best" else f"#{anchor(group['group'])}"
    return Entry(group["group"], head=True, link=link)


def _entry(row: Row | None, reach: float) -> Entry:
    """A score, tinted by its difference to `none`."""
    if row is None:
        return Entry("–")
    mark = "†" if row["collapsed"] else ""
    text = f"{row['mean']:.1f}"
    if row["delta"] is None:
        return Entry(text, mark=mark)
    return Entry(text, "", mark, row["delta"] / reach, title=f"{signed(row['delta'])} points")
