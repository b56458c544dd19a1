"""What the data say, in words: the finding at the head of the page.

Every number and every verb here is computed from the rows; nothing is claimed beforehand.
"""

from __future__ import annotations

from xstilts.report.results import Results, Row, p_text, plain, series_of, series_text, signed
from xstilts.summary import ALL

SIGNIFICANT = 0.05


def finding(results: Results) -> str:
    """One sentence: the largest difference that survives correction, or that there is none."""
    rows = [row for row in results.comparisons() if row["method"] != "shuffled"]
    if not rows:
        return (
            "This study has no run without intermediate training to compare with, so it says"
            " nothing about gains; the scores are below."
        )
    sure = [row for row in rows if row["p_holm"] < SIGNIFICANT]
    top = max(sure or rows, key=lambda row: abs(row["delta"]))
    interval = (
        f"{results.confidence} interval {plain(top['delta_low'])} to {plain(top['delta_high'])}"
    )
    if not sure:
        return (
            f"None of {_count(len(rows), 'comparison')} with no intermediate training is"
            f" significant after correction; the largest difference is {signed(top['delta'])}"
            f" points on {top['target']} after {_setting(top)} ({interval})."
        )
    verb = "raised" if top["delta"] > 0 else "lowered"
    return (
        f"Training first on {_setting(top)} {verb} the zero-shot score of {top['target']} by"
        f" {abs(top['delta']):.1f} points, from {top['mean'] - top['delta']:.1f} to"
        f" {top['mean']:.1f} ({interval}; {p_text(top['p_holm'])} after Holm's correction), the"
        f" largest of {_count(len(rows), 'comparison')} with no intermediate training."
    )


def support(results: Results) -> list[str]:
    """Sentences after the finding: how many gains, what size does, what the control does."""
    rows = [row for row in results.comparisons() if row["method"] != "shuffled"]
    sentences = []
    if rows:
        sure = [row["delta"] for row in rows if row["p_holm"] < SIGNIFICANT]
        up, down = sum(delta > 0 for delta in sure), sum(delta < 0 for delta in sure)
        sentences.append(
            f"Of {_count(len(rows), 'setting')} (task, language, size, target), {up} score"
            f" significantly higher than no intermediate training, {down} lower, and"
            f" {len(rows) - up - down} cannot be told apart from it."
        )
    sentences += [_size_sentence(row) for row in _headline_slopes(results)[:4]]
    sentences += _best_sentences(results) + _control_sentences(results)
    return sentences


def _headline_slopes(results: Results) -> list[Row]:
    """Slopes of the zero-shot means of single targets, the steepest first."""
    rows = [
        row
        for row in results.slopes
        if row["target"] in results.targets
        and row["language"] == results.headline(row["target"])
        and row["method"] != "shuffled"
    ]
    return sorted(rows, key=lambda row: (-abs(row["slope"]), row["target"], row["task"]))


def _size_sentence(row: Row) -> str:
    sure = row["p_holm"] < SIGNIFICANT
    return (
        f"A tenfold of {series_text(series_of(row))} rows goes with"
        f" {signed(row['slope'])} points on {row['target']} ({plain(row['low'])} to"
        f" {plain(row['high'])}{'' if sure else '; not significant'})."
    )


def _best_sentences(results: Results) -> list[str]:
    """What choosing the setting anew for each target brings."""
    found = [
        row
        for row in results.summary
        if row["method"] == "best" and row["target"] == ALL and row["delta"] is not None
    ]
    return [
        f"With the best setting for each target, chosen on validation rows of the source language,"
        f" the mean over targets is {row['mean']:.1f}: {signed(row['delta'])} points"
        f" ({plain(row['delta_low'])} to {plain(row['delta_high'])}, the choice taken as given)."
        for row in found
    ]


def _control_sentences(results: Results) -> list[str]:
    """What the shuffled-label control did: it must not help."""
    control = [row for row in results.comparisons() if row["method"] == "shuffled"]
    if not control:
        return []
    sure = [row for row in control if row["p_holm"] < SIGNIFICANT and row["delta"] > 0]
    worst = max(control, key=lambda row: abs(row["delta"]))
    size = (
        f"its largest effect is {signed(worst['delta'])} points on {worst['target']}"
        f" ({plain(worst['delta_low'])} to {plain(worst['delta_high'])})"
    )
    if sure:
        return [
            f"The control with shuffled labels helps significantly in {len(sure)} of"
            f" {len(control)} comparisons: {size}. Part of the gain is not the task's."
        ]
    return [f"The control with shuffled labels helps significantly in no comparison: {size}."]


def _setting(row: Row) -> str:
    return f"{row['size']:,} rows of {series_text(series_of(row))}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
