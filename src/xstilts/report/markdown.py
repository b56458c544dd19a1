"""The result and the verdicts of a study as Markdown, for a README: `--markdown` prints them.

`xstilts scores --markdown` prints `scores`, and `xstilts claims --markdown` prints `claims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from xstilts.report import claims as words
from xstilts.report import main_table, seen_table
from xstilts.report.data import Results, Row, signed, size_text, stars
from xstilts.results.scores import ALL

LEGEND = (
    "{what}, mean over {seeds}; in brackets the difference to no intermediate task and half of its"
    " {confidence} interval"
)
STARS = "; \\* p < 0.05, \\*\\* p < 0.01 after Holm's correction"
DAGGER = "; † a run predicts one class only in some language"


def scores(results: Results) -> str:
    """A line per setting: each target and their mean, with the gain; then what the marks say."""
    columns = [
        "mean" if target == ALL else main_table.title(target) + seen_table.mark(results, target)
        for target in results.columns
    ]
    best = {target: main_table.best_of(results, target) for target in results.columns}
    rows = [
        [_setting(group), size_text(group["size"]) if group["size"] else ""]
        + [
            _cell(main_table.cell_of(results, target, group), group["group"] == best[target])
            for target in results.columns
        ]
        for group in results.groups
    ]
    table = _table(["intermediate task", "rows", *columns], rows)
    return f"{table}\n\n{_legend(results)}\n"


def claims(results: Results) -> str:
    """A line per claim that was answered; then what its numbers are."""
    rows = [
        [
            one.claim.text,
            one.verdict,
            words.number(one),
            words.interval(one) or "–",
            ", ".join(part for part in (*words.details(one), one.reason) if part),
        ]
        for one in results.answers
        if one.verdict != "not run"
    ]
    table = _table(["claim", "verdict", "found", results.confidence + " interval", ""], rows)
    return f"{table}\n\n{words.USUAL}\n"


def _setting(group: Row) -> str:
    """Task and language, and what is not usual of the method."""
    if group["method"] in ("none", "best"):
        name = {"none": "none", "best": "best for each target"}[group["method"]]
        return ", ".join(part for part in (name, group["variant"]) if part)
    method = {"single": "", "shuffled": "labels shuffled"}.get(group["method"], group["method"])
    parts = [
        f"{main_table.title(group['task'])} ({group['source_language']})",
        method,
        group["variant"],
    ]
    return ", ".join(part for part in parts if part)


def _cell(row: Row | None, best: bool) -> str:
    """`62.1 (+1.4 ± 0.9*)`, the best setting bold."""
    if row is None:
        return "–"
    score = f"{row['mean']:.1f}" + ("†" if row["collapsed"] else "")
    score = f"**{score}**" if best else score
    if row["delta"] is None:
        return score
    half = (row["delta_high"] - row["delta_low"]) / 2
    mark = stars(row["p_holm"]).replace("*", r"\*")
    return f"{score} ({signed(row['delta'])} ± {half:.1f}{mark})"


def _legend(results: Results) -> str:
    what, seeds = main_table.what(results), main_table.seeds(results)
    text = LEGEND.format(what=what, seeds=seeds, confidence=results.confidence)
    text += STARS if any(row["p_holm"] is not None for row in results.summary) else ""
    text += DAGGER if any(row["collapsed"] for row in results.summary) else ""
    return f"{text}.{seen_table.legend(results)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = [[text.replace("|", r"\|") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
