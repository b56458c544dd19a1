"""All tables of the report, in order; published.py makes those of published scores and leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from xstilts.report import (
    answers,
    claims,
    data_tables,
    language_tables,
    layers,
    protocol_tables,
    published,
    rates,
    seen_table,
)
from xstilts.report.data import (
    SETTING,
    Results,
    family_text,
    headline_text,
    series_of,
    series_text,
    setting_text,
    signed,
    size_text,
    span,
    stars,
)
from xstilts.report.runs_page import runs_page_path
from xstilts.report.table import Entry, Table, anchor
from xstilts.results import scores

SMALL_HASH = 12  # characters of a sha256 that a person compares


def build(results: Results) -> dict[str, Table]:
    """All tables by name; those of what a study lacks are left out."""
    made = (_deltas, _slopes, _language_slopes, _collapsed, _runs, _scores)
    tables = [make(results) for make in made]
    if results.best:
        tables.append(_best(results))
    tables += [*claims.build(results), *answers.build(results)]
    tables += [*rates.build(results), *layers.build(results)]
    tables += [*language_tables.build(results), *data_tables.build(results)]
    tables += [*published.build(results), *published.leak_tables(results)]
    tables += seen_table.build(results)
    tables += protocol_tables.build(results)
    return {table.name: table for table in tables}


def _setting_entry(group: dict[str, Any]) -> Entry:
    """A setting in one column, which stays in sight when a table is scrolled."""
    # `best` is of several settings: its runs stand nowhere together.
    link = "" if group["method"] == "best" else f"#{anchor(group['group'])}"
    if group["method"] in ("none", "best"):
        return Entry(setting_text(group), head=True, link=link)
    size = f"{size_text(group['size'])} rows"
    title = f"{group['size']:,} rows"
    return Entry(series_text(series_of(group)), size, head=True, title=title, link=link)


FEW = 5  # targets, of which the mean stands last
LONG = 10  # slopes; of more, each target has a column
COLUMNS = ("intermediate task", "language", "rows", "method")


def _deltas(results: Results) -> Table:
    """Intermediate setting x target: headline minus that of `none`, as the paper's table."""
    reach = max((abs(row["delta"]) for row in results.comparisons()), default=1.0) or 1.0
    records, rows = [], []
    # The mean is the last of few, the first of many, where the last may be out of sight.
    many = len(results.targets) > FEW and scores.ALL in results.columns
    columns = [scores.ALL, *results.targets] if many else results.columns
    for group in results.groups:
        entries = [_setting_entry(group)]
        for target in columns:
            language = results.headline(target) if target != scores.ALL else scores.ZERO_SHOT
            row = results.row(target, language, group["group"])
            entries.append(_delta_entry(row, reach))
            records += [row] if row is not None else []
        rows.append(entries)
    names = {name: name + seen_table.mark(results, name) for name in results.targets}
    names[scores.ALL] = "mean of targets"
    header = ["intermediate training", *(names[target] for target in columns)]
    title = "Gain over no intermediate training"
    groups = [group["task"] for group in results.groups]
    return Table("deltas", title, _deltas_caption(results), header, rows, records, groups)


def _deltas_caption(results: Results) -> str:
    """What the numbers are, and what the marks say."""
    bare = [group["group"] for group in results.groups if group["method"] == "none"]
    caption = headline_text(results).capitalize() + (
        " minus that without intermediate training, in points"
        if "none" in bare
        else " (the study has no baseline to compare with)"
    )
    caption += (
        f", with its {results.confidence} interval for these languages (in the title of a cell: for"
        " languages like these)."
    )
    if "none" in bare:
        plain = ", without a variant," if len(bare) > 1 else ""
        caption += f" The row “none”{plain} is the score itself."
    caption += (
        f" * p < 0.05, ** p < 0.01 after Holm's correction over {family_text(results)};"
        " † a run of this setting predicts one class only in some language."
    )
    if results.best:
        caption += (
            " “best for each target” is the setting chosen on validation rows, target by target;"
            " its intervals take the choice as given, and it is not tested."
        )
    return caption + seen_table.legend(results)


def _delta_entry(row: dict[str, Any] | None, reach: float) -> Entry:
    """Difference with interval; the score itself where there is no difference."""
    if row is None:
        return Entry("–")
    dagger = "†" if row["collapsed"] else ""
    if row["delta"] is None:
        small = span(row["low"], row["high"])
        return Entry(f"{row['mean']:.1f}", small, dagger, title=f"{row['seeds']} seeds")
    small = span(row["delta_low"], row["delta_high"])
    title = f"score {row['mean']:.2f}, {row['seeds']} seeds"
    title += "" if row["p_holm"] is None else f", Holm p = {row['p_holm']:.2g}"
    like = span(row["like_low"], row["like_high"])
    title += f"; languages like these: {like}" if like else ""
    mark = stars(row["p_holm"]) + dagger
    return Entry(signed(row["delta"]), small, mark, row["delta"] / reach, title=title)


def _slopes(results: Results) -> Table:
    """Points per tenfold rows, of the headline mean of each target; a column each if many."""
    rows = [
        row for row in _own_slopes(results) if row["language"] == results.headline(row["target"])
    ]
    make = _slope_grid if len(rows) > LONG else _slope_table
    return make(results, "slopes", "Points per tenfold rows", rows).filled()


def _language_slopes(results: Results) -> Table:
    """The same in every language."""
    title = "Points per tenfold rows, by language"
    return _slope_table(results, "slopes-languages", title, _own_slopes(results))


def _own_slopes(results: Results) -> list[dict[str, Any]]:
    return [row for row in results.slopes if row["target"] in results.targets]


def _slope_grid(results: Results, name: str, title: str, slopes: Sequence[dict[str, Any]]) -> Table:
    """Series x target; the columns of a slope without its target and language are the table's."""
    flat = _slope_table(results, name, title, slopes)
    entries: dict[tuple[str, ...], dict[str, Entry]] = {}
    heads: dict[tuple[str, ...], list[Entry]] = {}
    for row in flat.rows:
        key = tuple(row[place].text for place in (0, 1, 2, 5))
        heads[key] = [row[0], row[1], row[5], row[2]]
        entries.setdefault(key, {})[row[3].text] = row[-1]
    rows = [
        [*heads[key], *(found.get(target, Entry("–")) for target in results.targets)]
        for key, found in entries.items()
    ]
    return replace(flat, header=[*COLUMNS, *results.targets], rows=rows)


def _slope_table(
    results: Results, name: str, title: str, slopes: Sequence[dict[str, Any]]
) -> Table:
    """A row per slope."""
    rows, records = [], []
    for row in slopes:
        records.append({**row, "sizes": " ".join(str(size) for size in row["sizes"])})
        sizes = f"{size_text(min(row['sizes']))} to {size_text(max(row['sizes']))}"
        interval = span(row["low"], row["high"])
        entry = Entry(signed(row["slope"]), interval, stars(row["p_holm"]))
        method = "" if row["method"] == "single" else row["method"]
        way = ", ".join(part for part in (method, row["variant"]) if part)
        series = [Entry(row["task"], head=True), Entry(row["source_language"]), Entry(way)]
        place = [Entry(row["target"]), Entry(row["language"]), Entry(sizes)]
        rows.append([*series, *place, entry])
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
    page = f"../../{runs_page_path(results.params.study).as_posix()}"
    rows, records = [], []
    for name, spec in results.params.transfer.items():
        scores, model = hashes.get(name, ""), models.get(name, "")
        setting = {**spec.model_dump(), "seed": spec.seed}
        seed = Entry(str(spec.seed))
        small = [Entry(sha[:SMALL_HASH], title=sha) for sha in (model, scores)]
        size = size_text(spec.size) if isinstance(spec.size, int) else spec.size
        more = f", {spec.variant}" if spec.variant else ""
        task = f"{spec.task} ({spec.source_language}), {size}{more}"
        if spec.task == "none":
            task = spec.variant
        rows.append([Entry(name, head=True, link=f"{page}#{name}"), Entry(task), seed, *small])
        wanted = (*SETTING, "size", "seed")
        records.append({"run": name} | {n: setting[n] for n in wanted})
        records[-1] |= {"model_sha": model, "scores_sha": scores}
    header = ("run", "intermediate training", "seed", "model sha256", "scores sha256")
    caption = (
        "The first characters of the sha256 of the model that was transferred and of its"
        " scores.json."
    )
    groups = [results.setting_of_run.get(name, name) for name in results.params.transfer]
    return Table("runs", "Runs", caption, header, rows, records, groups)


def _scores(results: Results) -> Table:
    """Every group in every language: mean and its interval."""
    rows = [
        [
            Entry(row["group"], head=True),
            Entry(row["target"]),
            Entry(row["language"]),
            Entry(f"{row['mean']:.1f}", span(row["low"], row["high"])),
            Entry(str(row["seeds"])),
            Entry(str(row["n"])),
        ]
        for row in results.summary
    ]
    header = ("group", "target", "language", "score", "seeds", "examples")
    caption = f"All means over seeds, with {results.confidence} intervals."
    return Table("scores", "All scores", caption, header, rows, results.summary)


GAINS = ("delta", "delta_corrected")


def _best(results: Results) -> Table:
    """Which setting stands for `best` in each target, and what came next."""
    rows = [
        [
            Entry(row["target"], head=True),
            Entry(row["group"]),
            Entry(f"{row['value']:.1f}"),
            Entry(row["second"] or "–"),
            Entry("" if row["second_value"] is None else f"{row['second_value']:.1f}"),
            Entry("mean rank" if row["by"] == "rank" else row["by"]),
            *(Entry("–" if row[name] is None else signed(row[name])) for name in GAINS),
        ]
        for row in results.best
    ]
    header = ("target", "chosen", "value", "next", "its value", "by", "gain", "gain, corrected")
    caption = (
        "The setting with the best validation score of each target, mean over seeds, among"
        f" {max(row['candidates'] for row in results.best)} settings with intermediate training"
        " (the control with shuffled labels is none). A target without validation rows takes the"
        " setting with the best mean rank over those that have them. Rows in other languages, and"
        " test rows, choose nothing. The best of many looks better than it is, for luck chose along"
        " (winner's curse): the corrected gain, over zero-shot rows, makes the choice without each"
        " seed in turn and scores it on that seed. Intervals of “best” take the choice as given."
    )
    return Table("best", "Best setting for each target", caption, header, rows, results.best)
