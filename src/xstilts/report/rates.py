"""Scores over the learning rate: in the source language of a target, and in all others.

`points` has a row a target, series and rate, for a figure with a line for the source language and
one for the others, and for the CSV; `build` makes the table of them. A series is what differs in
its learning rate alone: the fine-tuning on a target (`none`), or an intermediate training. Which
rates there are is read from the params. Called by `tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xstilts.core.params import Target, Training
from xstilts.report.data import Results, Row
from xstilts.report.table import Entry, Table
from xstilts.results.scores import DECIMALS, ZERO_SHOT

CAPTION = (
    "Every rate is scored in every language; none is chosen. “others” is the zero-shot mean, and"
    " the gap what is lost from the source language to it. Of “none” the rate is that of the"
    " fine-tuning on a target, of an intermediate task that of phase ii. {confidence} intervals;"
    " † a run predicts one class only in some language."
)


def build(results: Results) -> Iterator[Table]:
    """The table, where any training has more than one rate."""
    rows = points(results)
    if not rows:
        return
    lines = [
        [
            Entry(row["target"], head=True),
            Entry(row["series"]),
            Entry(f"{row['rate']:g}"),
            _score(row, "source"),
            _score(row, "others"),
            Entry("–" if row["gap"] is None else f"{row['gap']:.1f}"),
            Entry(str(row["seeds"])),
        ]
        for row in rows
    ]
    header = ("target", "series", "rate", "source", "others", "gap", "seeds")
    caption = " ".join([CAPTION.format(confidence=results.confidence), *_highest(rows)])
    yield Table("rates", "Scores over the learning rate", caption, header, lines, rows)


def _score(row: Row, side: str) -> Entry:
    if row[side] is None:
        return Entry("–")
    interval = f"{row[f'{side}_low']:.1f} to {row[f'{side}_high']:.1f}"
    return Entry(f"{row[side]:.1f}", interval, "†" if row[f"{side}_collapsed"] else "")


def _highest(rows: Sequence[Row]) -> Iterator[str]:
    """A sentence a target and series: where the scores are highest, on both sides."""
    for target, series in dict.fromkeys((row["target"], row["series"]) for row in rows):
        own = [row for row in rows if (row["target"], row["series"]) == (target, series)]
        sides = {"source": own[0]["source_language"], "others": "the others"}
        tops = {
            name: max((row[side], -row["rate"]) for row in own)
            for side, name in sides.items()
            if own[0][side] is not None
        }
        places = " and in ".join(f"{name} at {-rate:g}" for name, (_, rate) in tops.items())
        yield f"{target}, {series}: highest in {places}."


def points(results: Results) -> list[Row]:
    """Rows of target, series, rate, and for `source` and `others` score, interval and collapse.

    Scores are 0-100, means over seeds; `gap` is source less others. A side that a target does not
    have is null. By rising rate.
    """
    return [
        _point(results, target, series, rate, group)
        for target, spec in results.params.targets.items()
        for series, rates in _series(results, spec)
        for rate, group in sorted(rates.items())
    ]


def _point(results: Results, target: str, series: str, rate: float, group: str) -> Row:
    """One rate."""
    source = results.params.targets[target].source_language
    cells = {
        "source": results.row(target, source, group),
        "others": results.row(target, ZERO_SHOT, group),
    }
    row: Row = {
        "study": results.params.study,
        "target": target,
        "series": series,
        "group": group,
        "rate": rate,
        "source_language": source,
    }
    for side, cell in cells.items():
        for name, field in (("", "mean"), ("_low", "low"), ("_high", "high")):
            row[side + name] = None if cell is None else cell[field]
        row[f"{side}_collapsed"] = 0 if cell is None else cell["collapsed"]
    both = None not in (row["source"], row["others"])
    row["gap"] = round(row["source"] - row["others"], DECIMALS) if both else None
    return row | {"seeds": next((cell["seeds"] for cell in cells.values() if cell), 0)}


def _series(results: Results, target: Target) -> Iterator[tuple[str, dict[float, str]]]:
    """Series with two rates or more -> rate -> setting."""
    found = [("none", _fine_tuned(target)), *_intermediate(results)]
    yield from ((name, rates) for name, rates in found if len(rates) > 1)


def _fine_tuned(target: Target) -> dict[float, str]:
    """Rates of fine-tuning on a target, all else as usual -> setting."""
    if target.training is None:
        return {}
    ways = {"none": target.training}
    ways |= {f"none-{name}": way.training for name, way in target.variants.items()}
    return {
        training.learning_rate: setting
        for setting, training in ways.items()
        if _rest(training) == _rest(target.training)
    }


def _intermediate(results: Results) -> list[tuple[str, dict[float, str]]]:
    """Intermediate settings that differ in their rate alone, under the name of the first."""
    runs = results.params.intermediate
    trainings = {results.setting_of_run[run]: spec.training for run, spec in runs.items()}
    found: dict[tuple[str, ...], dict[float, str]] = {}
    for group in results.groups:
        training = trainings.get(group["group"])
        if training is not None:
            about = (group["method"], group["task"], group["source_language"], str(group["size"]))
            rates = found.setdefault((*about, _rest(training)), {})
            rates[training.learning_rate] = group["group"]
    return [(next(iter(rates.values())), rates) for rates in found.values()]


def _rest(training: Training) -> str:
    """A training without its rate."""
    return training.model_dump_json(exclude={"learning_rate"})
