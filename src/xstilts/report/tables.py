"""Tables of the report: one shape for HTML, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import summary
from xstilts.files import write_bytes
from xstilts.report.results import Results, plain, signed, size_text, stars

SMALL_HASH = 12  # characters of a sha256 that a person compares


@dataclass(frozen=True)
class Entry:
    """One cell as people read it: text, a smaller second line, a mark, a tint from -1 to 1."""

    text: str
    small: str = ""
    mark: str = ""
    tint: float = 0.0
    head: bool = False  # names its row
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A table for people (`rows`) and the same for machines (`records`, full precision)."""

    name: str
    title: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    records: Sequence[dict[str, Any]]


def build(results: Results) -> dict[str, Table]:
    """All tables by name: deltas, slopes, slopes-languages, collapsed, runs, scores."""
    made = (_deltas, _slopes, _language_slopes, _collapsed, _runs, _scores)
    return {table.name: table for table in (make(results) for make in made)}


def save(table: Table, folder: Path) -> None:
    """Write `<name>.csv` (records) and `<name>.tex` (rows, for booktabs)."""
    stream = io.StringIO()
    if table.records:
        writer = csv.DictWriter(stream, list(table.records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.records)
    write_bytes(folder / f"{table.name}.csv", stream.getvalue().encode())
    write_bytes(folder / f"{table.name}.tex", latex(table).encode())


def latex(table: Table) -> str:
    """A booktabs tabular; first column left, the others right."""
    lines = [
        f"% {table.title}. Needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{'l' + 'r' * (len(table.header) - 1)}}}",
        "\\toprule",
        " & ".join(_tex(name) for name in table.header) + r" \\",
        "\\midrule",
        *(" & ".join(_tex_entry(entry) for entry in row) + r" \\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _tex_entry(entry: Entry) -> str:
    small = f" {{\\scriptsize {_tex(entry.small)}}}" if entry.small else ""
    mark = f"$^{{{entry.mark}}}$".replace("†", r"\dagger") if entry.mark else ""
    return _tex(entry.text) + mark + small


def _tex(text: str) -> str:
    """Text with LaTeX's special characters escaped and signs as mathematics."""
    for plain_text, escaped in (
        ("\\", r"\textbackslash{}"),
        ("&", r"\&"),
        ("%", r"\%"),
        ("#", r"\#"),
        ("_", r"\_"),
        ("$", r"\$"),
        ("−", "$-$"),
        ("±", r"$\pm$"),
        ("†", r"$\dagger$"),
        ("<", "$<$"),
        ("→", r"$\rightarrow$"),
    ):
        text = text.replace(plain_text, escaped)
    return text


def _setting(group: dict[str, Any]) -> list[Entry]:
    """Columns that say what a group is."""
    if group["method"] == "none":
        return [Entry("none", head=True), Entry(""), Entry(""), Entry("")]
    return [
        Entry(group["task"], head=True),
        Entry(group["source_language"]),
        Entry(size_text(group["size"]), title=f"{group['size']:,} rows"),
        Entry("" if group["method"] == "single" else group["method"]),
    ]


SETTING = ("intermediate task", "language", "rows", "method")


def _deltas(results: Results) -> Table:
    """Intermediate setting x target: zero-shot mean minus that of `none`, as the paper's table."""
    reach = max((abs(row["delta"]) for row in results.comparisons()), default=1.0) or 1.0
    records, rows = [], []
    for group in results.groups:
        entries = _setting(group)
        for target in results.columns:
            language = results.headline(target) if target != summary.ALL else summary.ZERO_SHOT
            row = results.row(target, language, group["group"])
            entries.append(_delta_entry(row, reach))
            records += [row] if row is not None else []
        rows.append(entries)
    baseline = any(group["method"] == "none" for group in results.groups)
    caption = (
        "Zero-shot mean minus that without intermediate training, in points"
        if baseline
        else "Zero-shot mean (the study has no baseline to compare with)"
    )
    caption += (
        f", with its {results.confidence} interval. The row “none” is the score itself."
        " * p < 0.05, ** p < 0.01 after Holm's correction over all zero-shot comparisons of the"
        " study; † a run of this setting predicts one class only in some language."
    )
    names = {summary.ALL: "mean of targets"}
    header = [*SETTING, *(names.get(target, target) for target in results.columns)]
    return Table("deltas", "Gain over no intermediate training", caption, header, rows, records)


def _delta_entry(row: dict[str, Any] | None, reach: float) -> Entry:
    """Difference with interval; the score itself where there is no difference."""
    if row is None:
        return Entry("–")
    dagger = "†" if row["collapsed"] else ""
    if row["delta"] is None:
        small = f"{row['low']:.1f} to {row['high']:.1f}"
        return Entry(f"{row['mean']:.1f}", small, dagger, title=f"{row['seeds']} seeds")
    small = f"{plain(row['delta_low'])} to {plain(row['delta_high'])}"
    title = f"score {row['mean']:.2f}, {row['seeds']} seeds, Holm p = {row['p_holm']:.2g}"
    mark = stars(row["p_holm"]) + dagger
    return Entry(signed(row["delta"]), small, mark, row["delta"] / reach, title=title)


def _slopes(results: Results) -> Table:
    """Points per tenfold rows, of the headline mean of each target."""
    rows = [
        row for row in _own_slopes(results) if row["language"] == results.headline(row["target"])
    ]
    return _slope_table(results, "slopes", "Points per tenfold rows", rows)


def _language_slopes(results: Results) -> Table:
    """The same in every language."""
    title = "Points per tenfold rows, by language"
    return _slope_table(results, "slopes-languages", title, _own_slopes(results))


def _own_slopes(results: Results) -> list[dict[str, Any]]:
    return [row for row in results.slopes if row["target"] in results.targets]


def _slope_table(
    results: Results, name: str, title: str, slopes: Sequence[dict[str, Any]]
) -> Table:
    """A row per slope."""
    rows, records = [], []
    for row in slopes:
        records.append({**row, "sizes": " ".join(str(size) for size in row["sizes"])})
        span = f"{size_text(min(row['sizes']))} to {size_text(max(row['sizes']))}"
        interval = f"{plain(row['low'])} to {plain(row['high'])}"
        entry = Entry(signed(row["slope"]), interval, stars(row["p_holm"]))
        task, trained, _, method = _setting({**row, "size": 0})
        place = [Entry(row["target"]), Entry(row["language"]), Entry(span)]
        rows.append([task, trained, method, *place, entry])
    header = ["intermediate task", "language", "method", "target", "scored in", "rows", "slope"]
    caption = (
        "Least-squares slope of the score on log10 of the number of intermediate rows: points per"
        f" tenfold rows, with {results.confidence} interval; marks as in the table of gains."
    )
    return Table(name, title, caption, header, rows, records)


def _collapsed(results: Results) -> Table:
    """Runs that predict one class for every example of a language."""
    found = [row for row in results.scores if row["main"] and row["collapsed"]]
    names = ("run", "target", "language", "value", "chance", "n")
    records = [{name: row[name] for name in names} for row in found]
    rows = [
        [
            Entry(row["run"], head=True),
            Entry(row["target"]),
            Entry(row["language"]),
            Entry(f"{row['value']:.1f}"),
            Entry(f"{row['chance']:.1f}"),
        ]
        for row in found
    ]
    header = ("run", "target", "language", "score", "guessing")
    total = sum(bool(row["main"]) for row in results.scores)
    caption = (
        f"{len(found)} of {total} cells (run x target x language) are collapsed: one class is"
        " predicted for every example. They count in all means, and are marked † there."
    )
    return Table("collapsed", "Collapsed runs", caption, header, rows, records)


def _runs(results: Results) -> Table:
    """Every run with what its results can be checked by."""
    hashes = {
        Path(path).parent.name: sha
        for path, sha in results.inputs.items()
        if path.endswith("/scores.json")
    }
    models = {row["run"]: row["model_sha"] for row in results.scores}
    rows, records = [], []
    for name, spec in results.params.transfer.items():
        scores, model = hashes.get(name, ""), models.get(name, "")
        setting = {**spec.model_dump(), "seed": spec.seed}
        seed = Entry(str(spec.seed))
        small = [Entry(sha[:SMALL_HASH], title=sha) for sha in (model, scores)]
        size = size_text(spec.size) if isinstance(spec.size, int) else spec.size
        task = "" if spec.task == "none" else f"{spec.task} ({spec.source_language}), {size}"
        rows.append([Entry(name, head=True), Entry(task), seed, *small])
        wanted = ("method", "task", "source_language", "size", "seed")
        records.append({"run": name} | {n: setting[n] for n in wanted})
        records[-1] |= {"model_sha": model, "scores_sha": scores}
    header = ("run", "intermediate training", "seed", "model sha256", "scores sha256")
    caption = (
        "The first characters of the sha256 of the model that was transferred and of its"
        " scores.json."
    )
    return Table("runs", "Runs", caption, header, rows, records)


def _scores(results: Results) -> Table:
    """Every group in every language: mean and half its interval."""
    rows = [
        [
            Entry(row["group"], head=True),
            Entry(row["target"]),
            Entry(row["language"]),
            Entry(f"{row['mean']:.1f}", f"{row['low']:.1f} to {row['high']:.1f}"),
            Entry(str(row["seeds"])),
            Entry(str(row["n"])),
        ]
        for row in results.summary
    ]
    header = ("group", "target", "language", "score", "seeds", "examples")
    caption = f"All means over seeds, with {results.confidence} bootstrap intervals."
    return Table("scores", "All scores", caption, header, rows, results.summary)
