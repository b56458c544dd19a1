"""Score rows and prediction rows: the schema of every number that the project reports.

A score is a row: one value of one metric, of one run on one target in one language. The transfer
stage writes them to `scores.json`, the aggregate stage joins them to `scores.parquet`. Each field
is documented once, below, and the documentation travels in the parquet schema.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import pyarrow as pa

from xstilts.core.errors import UserError
from xstilts.core.files import read_json

Cell = tuple[str, str, str]  # run, target, language
SHOWN = 5  # how many missing, double or unexpected names an error message spells out
_RANGES = (
    *((name, 0, 100) for name in ("value", "expected", "chance")),
    *(("n", 1, math.inf), ("size", 0, math.inf)),
)
_ARROW = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
MEAN = "mean"
ZERO_SHOT = "zero-shot"
ALL = "all"
AGGREGATES = (ZERO_SHOT, MEAN)
DECIMALS = 6
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """One score. Raises ValueError for a wrong type or a number out of its range."""

    study: Annotated[str, "study file without its suffix"]
    run: Annotated[str, "run id, e.g. squad_v1-en-1000-s1; none-s1 for the baseline"]
    method: Annotated[
        str, "single | shuffled (labels) | multi | mlm | none (no intermediate training)"
    ]
    variant: Annotated[str, "what is unlike the study's own training: steps, layers ...; or ''"]
    task: Annotated[str, "intermediate task, name of a mix of tasks, or 'none'"]
    source_language: Annotated[str, "language of the intermediate rows, or 'none'"]
    size: Annotated[int, "intermediate rows trained on (0 for none)"]
    seed: Annotated[int, "seed of the run"]
    target: Annotated[str, "target task"]
    language: Annotated[str, "language of the scored rows"]
    metric: Annotated[str, "name of the value in what the metric returns, e.g. f1, exact_match"]
    main: Annotated[bool, "whether this is the metric's main value; one per cell"]
    value: Annotated[float, "score, 0-100"]
    expected: Annotated[
        float | None, "score that follows from the control world, 0-100; null where none does"
    ] = None
    n: Annotated[int, "examples scored (at least 1)"]
    chance: Annotated[float, "expected score of guessing, 0-100"]
    collapsed: Annotated[bool, "whether all predictions are of one class"]
    protocol: Annotated[str, "named evaluation protocol: xtreme | xtreme-r | x-stilts"]
    data_sha: Annotated[str, "sha256 of the scored rows' file"]
    model_sha: Annotated[str, "sha256 of the encoder that was transferred"]

    def __post_init__(self) -> None:
        """Refuse what would spoil every average that the row enters."""
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            if kind is float and type(value) is int:  # JSON writes 50.0 as 50 in some tools
                object.__setattr__(self, name, float(value))
            elif type(value) is not kind:
                raise ValueError(f"{name} is {value!r}, not of type {kind.__name__}")
        for name, low, high in _RANGES:
            # A float sum may pass 100 by its last bit; nan fails every comparison.
            value = getattr(self, name)
            if value is not None and not low - 1e-9 <= value <= high + 1e-9:
                raise ValueError(f"{name} is {getattr(self, name)}, not within {low} and {high}")

    @property
    def cell(self) -> Cell:
        """(run, target, language)."""
        return self.run, self.target, self.language


_HINTS = {  # name -> (type, description)
    name: get_args(hint) for name, hint in get_type_hints(ScoreRow, include_extras=True).items()
}


OPTIONAL = ("expected",)
_KINDS: dict[str, type] = {
    field.name: float if field.name in OPTIONAL else _HINTS[field.name][0]
    for field in fields(ScoreRow)
}


def _column(name: str, kind: type, description: str) -> pa.Field:
    told, optional = {"description": description}, name in OPTIONAL
    return pa.field(name, _ARROW[kind], nullable=optional, metadata=told)


SCHEMA: pa.Schema = pa.schema(
    [_column(name, kind, _HINTS[name][1]) for name, kind in _KINDS.items()]
    + [_column("code_sha", str, "sha256 of code/transfer: the code that scored all rows")]
)


# What each example adds to the main value: enough for every interval and test, and without a text.
EXAMPLES_SCHEMA: pa.Schema = pa.schema(
    [
        _column("target", str, "target task"),
        _column("language", str, "language of the scored rows"),
        _column("id", str, "id of the example in its prepared file"),
        _column(
            "num", float, "numerator of the main value; 100 * sum(num) / sum(den) is the score"
        ),
        _column("den", float, "denominator of the main value: 1, or entities on both sides"),
    ]
)
PREDICTIONS_SCHEMA: pa.Schema = EXAMPLES_SCHEMA.append(
    _column("prediction", str, "what was predicted, as JSON: class, answer, tags or row number")
)


def to_table(rows: Iterable[ScoreRow], code_sha: str) -> pa.Table:
    """Rows as a table of `SCHEMA`, sorted by run, target, language and metric.

    So the order in which runs finish does not change the bytes. A run's own scores.json does not
    name the code, as equal scores have equal bytes whatever code made them.
    """
    ordered = sorted(rows, key=lambda row: (*row.cell, row.metric))
    return pa.Table.from_pylist(
        [{**asdict(row), "code_sha": code_sha} for row in ordered], schema=SCHEMA
    )


def to_json(rows: Iterable[ScoreRow]) -> dict[str, list[dict[str, Any]]]:
    """What `scores.json` holds: {"rows": [...]}."""
    return {"rows": [asdict(row) for row in rows]}


def from_json(path: Path) -> list[ScoreRow]:
    """The rows of a `scores.json`.

    Raises:
        UserError: the file is missing or no JSON, or a row has a missing, unknown or bad field.
    """
    content = read_json(path)
    mend = "Mend: run the transfer stage again, which writes the file anew"
    if not isinstance(content, dict) or not isinstance(content.get("rows"), list):
        raise UserError(f"{path} has no list 'rows'. {mend}")
    rows = []
    for number, values in enumerate(content["rows"]):
        try:
            rows.append(_row(values))
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}, row {number}: {error}. {mend}") from error
    return rows


def _row(values: Any) -> ScoreRow:
    if not isinstance(values, dict):
        raise TypeError("is no JSON object")
    missing, unknown = sorted(_KINDS.keys() - values), sorted(values.keys() - _KINDS.keys())
    if missing or unknown:
        raise ValueError(f"fields missing: {_names(missing)}; unknown: {_names(unknown)}")
    return ScoreRow(**values)


def check_cells(rows: Iterable[ScoreRow], expected: Iterable[Cell]) -> None:
    """See that each expected (run, target, language) has one main score, and that is all there is.

    Raises:
        UserError: names the cells that are missing or double, and the runs and cells not expected.
    """
    rows, cells = list(rows), set(expected)
    runs = {run for run, _, _ in cells}
    mains = Counter(row.cell for row in rows if row.main)
    values = Counter((*row.cell, row.metric) for row in rows)
    present = {row.cell for row in rows}
    double = {cell for cell, count in mains.items() if count > 1}
    double |= {cell[:3] for cell, count in values.items() if count > 1}
    strange_runs = {run for run, _, _ in present} - runs
    strange = {cell for cell in present - cells if cell[0] in runs}
    faults = [
        f"{len(found)} {words}: {_names(sorted(found))}"
        for words, found in (
            ("missing", {"/".join(cell) for cell in cells - mains.keys()}),
            ("double", {"/".join(cell) for cell in double}),
            ("of no run in the study (run)", strange_runs),
            ("not in the study", {"/".join(cell) for cell in strange}),
        )
        if found
    ]
    if faults:
        raise UserError(
            f"scores and study differ in cells run/target/language; {'; '.join(faults)}."
            " Mend: `dvc repro` makes what is missing; delete results of runs not in the study"
        )


def _names(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) + more) or "none"


def collapsed(predictions: list[Any]) -> bool:
    """Whether a model has stopped telling examples apart: all predictions are of one class.

    False for fewer than two predictions. A prediction is a class, an answer or a row number; of
    tag sequences, all tags are looked at.
    """
    single = [
        item
        for prediction in predictions
        for item in (prediction if isinstance(prediction, list) else [prediction])
    ]
    return len(single) > 1 and len(set(single)) == 1


@dataclass(frozen=True, order=True)
class Group:
    """The seeds of one setting."""

    method: str
    task: str
    source_language: str
    size: int
    variant: str = ""

    @property
    def baseline(self) -> bool:
        """Whether gains are counted from here: no intermediate task, targets trained as usual."""
        return self.method == "none" and not self.variant

    @property
    def label(self) -> str:
        """The run id without its seed: `squad-en-1000`, `squad-en-1000-shuffled`, `none-layers`."""
        if self.method in ("none", "best"):
            return self.method + (f"-{self.variant}" if self.variant else "")
        tail = "".join(
            f"-{part}" for part in (unusual(self.method, self.task), self.variant) if part
        )
        return f"{self.task}-{self.source_language}-{self.size}{tail}"


def unusual(method: str, task: str) -> str:
    """The method as names have it: "" for the usual ones, and where the task says it already."""
    return method if method in ("shuffled", "mlm") and method != task else ""


BEST = Group("best", "best", "best", 0)


@dataclass(frozen=True)
class Run:
    """One trained model."""

    name: str
    group: Group
    seed: int


def group_order(group: Group) -> tuple[int, str, str, bool, str, str, int]:
    """`none` first, `best` last; by task, language, real before control, variant and size."""
    place = {"none": 0, "best": 2}.get(group.method, 1)
    way = (group.method != "single", group.method, group.variant)
    return (place, group.task, group.source_language, *way, group.size)


def group_of(row: ScoreRow) -> Group:
    """The setting that a score belongs to."""
    return Group(row.method, row.task, row.source_language, row.size, row.variant)
