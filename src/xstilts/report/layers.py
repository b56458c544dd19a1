"""What each layer of the encoder counts for, where heads attend to all of them (arXiv 2205.08497).

`points` has a row a target, setting, language and layer, read from the runs' records, for a figure
and the CSV; `build` makes the table of them. Called by `tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from xstilts.core import paths
from xstilts.core.files import read_json
from xstilts.report.data import Results, Row
from xstilts.report.table import Entry, Table
from xstilts.results.scores import DECIMALS

OTHERS = "others"
CAPTION = (
    "Weight of the states after each layer, in percent, lowest layer first: mean over seeds and the"
    " first 256 rows of a language, where the head reads (a classifier the first token, a tagger"
    " every token). “others” is the mean over the languages that a target is not fine-tuned in."
    " Equal weights would be {equal:.1f}."
)
Weights = dict[tuple[str, str, str], list[list[float]]]  # target, setting, language -> of each seed


def build(results: Results) -> Iterator[Table]:
    """The table, where any head attends to all layers."""
    rows = points(results)
    if not rows:
        return
    count = max(row["layer"] for row in rows)
    reach = max(row["weight"] for row in rows)
    lines = []
    for target, group in dict.fromkeys((row["target"], row["group"]) for row in rows):
        own = [row for row in rows if (row["target"], row["group"]) == (target, group)]
        for where, found in _sides(results, target, own, count):
            head = [Entry(target, head=True), Entry(group), Entry(where)]
            lines.append([*head, *(Entry(f"{100 * one:.1f}", tint=one / reach) for one in found)])
    header = ["target", "setting", "language", *(str(layer + 1) for layer in range(count))]
    caption = CAPTION.format(equal=100 / count)
    yield Table("layers", "What each layer counts for", caption, header, lines, rows)


def points(results: Results) -> list[Row]:
    """Rows of target, group (a setting), language, layer from 1, weight (0 to 1), seeds.

    Weights of a target, setting and language are 1 in all.
    """
    rows: list[Row] = []
    for (target, group, language), seeds in _weights(results).items():
        about = {"study": results.params.study, "target": target, "group": group}
        for layer, values in enumerate(zip(*seeds, strict=True), 1):
            weight = round(fmean(values), DECIMALS)
            rows.append(
                {**about, "language": language, "layer": layer, "weight": weight}
                | {"seeds": len(values)}
            )
    return rows


def _weights(results: Results) -> Weights:
    """What the records of the runs say."""
    found: Weights = {}
    for group, run in _attending(results):
        record = read_json(paths.transferred(results.params.study, run) / "record.json")
        layers: dict[str, Any] = record.get("layers", {})
        for target in (name for name in results.targets if name in layers):
            for language in results.languages(target):
                found.setdefault((target, group, language), []).append(layers[target][language])
    return found


def _attending(results: Results) -> Iterator[tuple[str, str]]:
    """(setting, run) of every run with a head that attends to all layers, by setting."""
    params = results.params
    order = {group["group"]: place for place, group in enumerate(results.groups)}
    found = [
        (results.setting_of_run[run], run)
        for run in params.transfer
        if any(
            target.training and target.training.layers == "attention"
            for target in params.targets_of(run).values()
        )
    ]
    yield from sorted(found, key=lambda one: order[one[0]])


def _sides(
    results: Results, target: str, rows: Sequence[Row], layers: int
) -> Iterator[tuple[str, list[float]]]:
    """The source language and the others, with the mean weight of each layer."""
    source = results.params.targets[target].source_language
    for where in (source, OTHERS):
        some = [row for row in rows if (row["language"] == source) == (where == source)]
        if some:
            yield (
                where,
                [
                    fmean(row["weight"] for row in some if row["layer"] == layer + 1)
                    for layer in range(layers)
                ],
            )
