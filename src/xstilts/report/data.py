"""What all parts of the report, and `xstilts scores`, read: the rows of an aggregate, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from xstilts import tasks
from xstilts.benchmarks import aggregates, references
from xstilts.benchmarks.references import Reference
from xstilts.claims import entries
from xstilts.claims.answers import Answer, answer_all
from xstilts.claims.entries import Claim
from xstilts.core import paths
from xstilts.core.files import read_json, read_parquet
from xstilts.core.params import Params
from xstilts.report.order import order
from xstilts.results.scores import ALL, MEAN, ZERO_SHOT, Group, unusual

Row = dict[str, Any]
Series = tuple[str, str, str, str]  # method, task, source language, variant
SETTING = ("method", "task", "source_language", "variant")
FILES = (
    "scores",
    "summary",
    "slopes",
    "benchmark",
    "best",
    "questions",
    "contrasts",
)  # Of the aggregate, .parquet; names of the fields that hold their rows.


@dataclass(frozen=True)
class Results:
    """Rows of the aggregate's files, what stands beside them, and the study they answer."""

    params: Params
    scores: list[Row]
    summary: list[Row]
    slopes: list[Row]
    inputs: Mapping[str, str]  # path -> sha256, as the aggregate read them
    benchmark: list[Row] = field(default_factory=list)
    best: list[Row] = field(default_factory=list)
    references: Sequence[Reference] = ()  # published scores, where the study follows a protocol
    questions: list[Row] = field(default_factory=list)
    contrasts: list[Row] = field(default_factory=list)
    overlap: Mapping[str, Any] | None = None  # the leak check; None: it was not made
    files: Sequence[Path] = ()  # everything that was read
    claims: Sequence[Claim] = ()  # those that the study is asked
    statistics: Sequence[Row] = ()  # counts and licence of each prepared task

    @cached_property
    def answers(self) -> list[Answer]:
        """What became of each claim, in their order."""
        return answer_all(self.claims, self)

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], Row]:
        return {(row["target"], row["language"], row["group"]): row for row in self.summary}

    @cached_property
    def groups(self) -> list[Row]:
        """One row per group, in the order of the summary: label, method, task, language, size."""
        names = ("group", *SETTING, "size")
        found = {row["group"]: {name: row[name] for name in names} for row in self.summary}
        order = {row["group"]: index for index, row in reversed(list(enumerate(self.summary)))}
        return sorted(found.values(), key=lambda row: order[row["group"]])

    @cached_property
    def targets(self) -> list[str]:
        """Targets in the order of the study."""
        present = {row["target"] for row in self.summary}
        return [name for name in self.params.targets if name in present]

    @cached_property
    def columns(self) -> list[str]:
        """Targets, then the pseudo-target `all` where there is one."""
        return self.targets + [ALL] * any(row["target"] == ALL for row in self.summary)

    @cached_property
    def setting_of_run(self) -> dict[str, str]:
        """Run -> its setting, the same for all its seeds: `mnli-en-1000`, `none-layers`."""
        names = ("method", "task", "source_language", "size", "variant")
        return {row["run"]: Group(**{n: row[n] for n in names}).label for row in self.scores}

    @property
    def confidence(self) -> str:
        """`95%`, as it is written in captions."""
        return f"{100 * self.params.aggregate.confidence:g}%"

    def languages(self, target: str) -> list[str]:
        """Languages of a target: its source first, then the nearest to the farthest."""
        spec = self.params.targets[target]
        return order(spec.languages, spec.source_language)

    def headline(self, target: str) -> str:
        """The pseudo-language that stands for a target: zero-shot, or its only language."""
        return ZERO_SHOT if target in self._zero_shot else MEAN

    @cached_property
    def _zero_shot(self) -> set[str]:
        """Targets that are scored in a language they were not fine-tuned in."""
        return {row["target"] for row in self.summary if row["language"] == ZERO_SHOT}

    def row(self, target: str, language: str, group: str) -> Row | None:
        """One row of the summary, or None where the study has no such cell."""
        return self._index.get((target, language, group))

    def series(self) -> list[Series]:
        """Settings that differ only in size, without the baseline, in order."""
        keys = [series_of(group) for group in self.groups if group["size"]]
        return list(dict.fromkeys(key for key in keys if key[0] != "none"))

    def sizes(self, series: Series) -> list[int]:
        """Sizes of a series, rising."""
        return sorted(group["size"] for group in self.groups if series_of(group) == series)

    def machine(self, task: str) -> bool:
        """Whether an intermediate task, or part of a mix, is machine-translated."""
        specs = [spec for spec in self.params.intermediate.values() if spec.task == task]
        parts = {part.task for spec in specs for part in spec.parts} & set(tasks.NAMES)
        return any(tasks.load(name).origin == "machine" for name in parts)

    def along(self, target: str, language: str, series: Series) -> list[Row]:
        """Rows of one series in one language, by rising size."""
        rows = (
            self.row(target, language, group["group"])
            for group in self.groups
            if series_of(group) == series
        )
        return sorted((row for row in rows if row is not None), key=lambda row: int(row["size"]))

    def baseline(self, target: str, language: str) -> Row | None:
        """The `none` row of a target in a language."""
        return self.row(target, language, "none")

    def counted(self, target: str) -> bool:
        """Whether the right scores of a target are known: in the control world."""
        return any(row["expected"] is not None for row in self.summary if row["target"] == target)

    def comparisons(self) -> Iterator[Row]:
        """Headline rows of single targets that have a delta; `best` is chosen, not a setting."""
        for row in self.summary:
            if row["target"] == ALL or row["delta"] is None or row["method"] == "best":
                continue
            if row["language"] == self.headline(row["target"]):
                yield row


def series_of(row: Mapping[str, Any]) -> Series:
    """The series that a group or a row belongs to."""
    return (row["method"], row["task"], row["source_language"], row["variant"])


def headline_text(results: Results, *targets: str) -> str:
    """What stands for these targets, or for all: `zero-shot mean`, `mean`; where mixed `score`."""
    found = {results.headline(target) for target in targets or results.targets}
    if len(found) != 1:
        return "score"
    return "zero-shot mean" if found == {ZERO_SHOT} else "mean"


def family_text(results: Results) -> str:
    """The comparisons that Holm's correction of the headlines is over."""
    means = "all comparisons of means of the study"
    zero_shot = "all zero-shot comparisons of the study"
    mixed = f"{zero_shot}, or over {means} where a target has no other language"
    return {"zero-shot mean": zero_shot, "mean": means}.get(headline_text(results), mixed)


def load(params: Params, folder: Path) -> Results:
    """Read an aggregate folder, and beside it the leak check, published scores and claims.

    Raises:
        UserError: a file is missing or broken.
    """
    paths_read = [folder / f"{name}.parquet" for name in FILES]
    rows = {path.stem: read_parquet(path).to_pylist() for path in paths_read}
    rows["benchmark"] = aggregates.unmixed(rows["benchmark"], params.targets)
    record = folder / "record.json"
    overlap = paths.statistics(params.study, "overlap")
    checked, claimed = overlap.is_file(), entries.FILE.is_file()
    counts = sorted(set(overlap.parent.glob("*.json")) - {overlap})
    beside = [
        *[overlap] * checked,
        *[references.FILE] * bool(rows["benchmark"]),
        *[entries.FILE] * claimed,
        *counts,
    ]
    return Results(
        params,
        **rows,
        inputs=read_json(record)["inputs"],
        references=references.load() if rows["benchmark"] else [],
        overlap=read_json(overlap) if checked else None,
        claims=entries.asked_of(entries.load(), params.study) if claimed else [],
        statistics=[read_json(path) for path in counts],
        files=[*paths_read, record, *beside],
    )


def size_text(size: int) -> str:
    """1000 -> 1K, 12500 -> 12.5K, 2000000 -> 2M, 0 -> 0."""
    for unit, letter in ((1_000_000, "M"), (1000, "K")):
        if size >= unit:
            return f"{size / unit:.3g}{letter}"
    return str(size)


def series_text(series: Series) -> str:
    """`squad (en)`; a method or a training other than the usual one is named."""
    method, task, language, variant = series
    parts = (f"{task} ({language})", unusual(method, task), variant)
    return ", ".join(part for part in parts if part)


def setting_text(group: Mapping[str, Any]) -> str:
    """A setting in words: `none, adapter`, `squad (en), 1K`."""
    if group["method"] in ("none", "best"):
        name = {"none": "none", "best": "best for each target"}[group["method"]]
        return ", ".join(part for part in (name, group["variant"]) if part)
    method, task, language, variant = series_of(group)
    parts = (f"{task} ({language})", size_text(group["size"]), unusual(method, task), variant)
    return ", ".join(part for part in parts if part)


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign and a true minus; never "-0.0"."""
    rounded = round(value, digits)
    return f"{'−' if rounded < 0 else '+'}{abs(rounded):.{digits}f}"


def plain(value: float, digits: int = 1) -> str:
    """A number with a true minus and no plus."""
    return signed(value, digits).lstrip("+")


def span(low: float | None, high: float | None) -> str:
    """`4.0 to 6.0`; nothing where there is no interval."""
    return "" if low is None or high is None else f"{plain(low)} to {plain(high)}"


def cut(row: Row) -> bool:
    """Whether the interval of a score was cut, at 0 or at 100."""
    return bool(row["low"] <= 0.0 or row["high"] >= 100.0)


def spread(row: Row, digits: int = 1) -> str:
    """`±1.2`; of an interval that was cut `0.0–93.4`, as half of what is left is no half of it."""
    if cut(row):
        return f"{row['low']:.{digits}f}–{row['high']:.{digits}f}"
    return f"±{(row['high'] - row['low']) / 2:.{digits}f}"


def p_text(value: float) -> str:
    """`p < 0.001`, `p = 0.03`."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def stars(p_holm: float | None) -> str:
    """Marks of the tables: ** below 0.01, * below 0.05, after Holm's correction."""
    if p_holm is None or p_holm >= 0.05:
        return ""
    return "**" if p_holm < 0.01 else "*"
