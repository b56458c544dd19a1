"""What the report says in sentences at its head: the answer, and what speaks for and against it.

Every number and every verb is computed from the rows; nothing is claimed beforehand. A difference
is called one only where it is told from 0 after Holm's correction. An interval is said to hold for
these languages, or for languages like these, which is wider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xstilts.report import seen_table
from xstilts.report.data import (
    Results,
    Row,
    headline_text,
    p_text,
    series_of,
    series_text,
    signed,
    span,
)
from xstilts.results.inference import SIGNIFICANT
from xstilts.results.scores import ALL

NO_BASELINE = (
    "This study has no run without intermediate training to compare with, so it says nothing about"
    " gains; the scores are below."
)
UNTESTED = "With one seed for each setting nothing is tested"


def answer(results: Results) -> list[str]:
    """The two sentences at the head: what intermediate training does, and what its size does.

    A third where the encoder has seen scored rows: it takes from “zero-shot” what is not so.
    """
    rows = _settings(results)
    said = [_gain_sentence(results, rows), *_size_sentences(results)] if rows else [NO_BASELINE]
    return seen_table.qualified(results, said)


def told(row: Row) -> bool:
    """Whether a difference or slope is told from 0; never without a test."""
    return row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT


def _settings(results: Results) -> list[Row]:
    """Every setting on every target against `none`; the control is no setting."""
    return [row for row in results.comparisons() if row["method"] != "shuffled"]


def _gain_sentence(results: Results, rows: Sequence[Row]) -> str:
    """How many settings gain and lose, and the largest difference."""
    sure = [row for row in rows if told(row)]
    top = max(sure or rows, key=lambda row: abs(row["delta"]))
    largest = (
        f"by {abs(top['delta']):.1f} points on {top['target']} after {_setting(top)}, from"
        f" {top['mean'] - top['delta']:.1f} to {top['mean']:.1f} ({_interval(results, top)})"
    )
    if all(row["p_holm"] is None for row in rows):
        way = "higher" if top["delta"] > 0 else "lower"
        return f"{UNTESTED}: scores were most unlike no intermediate training {largest}, {way}."
    count = _count(len(rows), "comparison")  # of a setting with none, on a target
    if not sure:
        way = "up" if top["delta"] > 0 else "down"
        return (
            f"None of {count} with no intermediate training tells a difference; the largest,"
            f" {way}, is {largest.removeprefix('by ')}."
        )
    up, down = _up_and_down(sure)
    verb = "raised" if top["delta"] > 0 else "lowered"
    scores = "zero-shot scores" if headline_text(results) == "zero-shot mean" else "scores"
    share = f"{up} of {count}" + (f" and lowered them in {down}" if down else "")
    if not up:
        return f"{_what(rows)} lowered {scores} in {down} of {count}, most {largest}."
    if verb == "lowered":
        return (
            f"{_what(rows)} raised {scores} in {share}; its largest effect lowered them {largest}."
        )
    return f"{_what(rows)} raised {scores} in {share}; most {largest}."


def _up_and_down(rows: Sequence[Row]) -> tuple[int, int]:
    up = sum(row["delta"] > 0 for row in rows)
    return up, len(rows) - up


def _interval(results: Results, row: Row, low: str = "delta_low", high: str = "delta_high") -> str:
    """The interval in these languages, that in languages like these, and p; what there is."""
    parts = []
    if row[low] is not None:
        text = f"{results.confidence} interval {span(row[low], row[high])} in these languages"
        parts.append(text + _like(row))
    if row["p_holm"] is not None:
        together = p_text(row["p_holm"]).replace(" ", "\N{NO-BREAK SPACE}")
        parts.append(f"{together} after Holm's correction")
    return "; ".join(parts) or "no interval"


def _like(row: Row) -> str:
    """The interval that draws languages, too, where it is known."""
    like = span(row.get("like_low"), row.get("like_high"))
    return f", {like} in languages like these" if like else ""


def _size_sentences(results: Results) -> list[str]:
    """What ten times the rows do: at its steepest and at its flattest."""
    slopes = _slopes(results)
    if not slopes:
        return []
    steep = slopes[0]
    what = f"Ten times the rows of {series_text(series_of(steep))} go with {signed(steep['slope'])}"
    sentence = f"{what} points on {steep['target']} ({_interval(results, steep, 'low', 'high')})"
    if all(row["p_holm"] is None for row in slopes):
        return [f"{sentence}, the steepest of {_count(len(slopes), 'slope')}; it is not tested."]
    if not told(steep):
        return [f"{sentence}, the steepest of {len(slopes)}, which cannot be told from 0."]
    flat = sum(not told(row) for row in slopes)
    if not flat:
        rest = "all others can be told from 0, too" if len(slopes) > 1 else "the only slope"
    else:
        rest = f"{flat} of {_count(len(slopes), 'slope')} cannot be told from 0"
    return [f"{sentence}; {rest}."]


def _slopes(results: Results) -> list[Row]:
    """Slopes of the headlines of single targets, the surest and steepest first."""
    rows = [
        row
        for row in results.slopes
        if row["target"] in results.targets
        and row["language"] == results.headline(row["target"])
        and row["method"] != "shuffled"
    ]
    return sorted(rows, key=lambda r: (not told(r), -abs(r["slope"]), r["target"], r["task"]))


def support(results: Results) -> list[str]:
    """Sentences after the answer: each target, the choice of settings, the control, the world."""
    parts: tuple[Callable[[Results], list[str]], ...]
    parts = (
        _target_sentences, _best_sentences, seen_table.support, _control_sentences,
        _counted_sentences,
    )  # fmt: skip
    return [sentence for part in parts for sentence in part(results)]


def _target_sentences(results: Results) -> list[str]:
    """Targets with a gain, and those without."""
    rows = _settings(results)
    tested = [row for row in rows if row["p_holm"] is not None]
    if not tested:
        return []
    names = {row["target"] for row in tested}
    gained = {row["target"] for row in tested if told(row) and row["delta"] > 0}
    lost = {row["target"] for row in tested if told(row) and row["delta"] < 0}
    words = (
        ("Some setting raises scores on", gained), ("Some setting lowers scores on", lost),
        ("No setting can be told from none on", names - gained - lost),
    )  # fmt: skip
    return [
        f"{word} {_list([name for name in results.targets if name in found])}."
        for word, found in words
        if found
    ]


def _best_sentences(results: Results) -> list[str]:
    """What choosing the setting anew for each target brings, and how much of it was luck."""
    row = next((r for r in results.summary if (r["method"], r["target"]) == ("best", ALL)), None)
    if row is None or row["delta"] is None:
        return []
    interval = span(row["delta_low"], row["delta_high"])
    sentence = (
        "With the best setting for each target, chosen on validation rows of the source language,"
        f" the mean over targets is {row['mean']:.1f}: {signed(row['delta'])} points"
        f" ({interval}{', ' * bool(interval)}the choice taken as given)"
    )
    fair = [
        one["delta_corrected"] for one in results.best if one.get("delta_corrected") is not None
    ]
    if fair and len(fair) == len(results.best):
        mean = sum(fair) / len(fair)
        sentence += f"; {signed(mean)} where the choice is made without the seed that is scored"
    return [sentence + "."]


def _control_sentences(results: Results) -> list[str]:
    """What the shuffled-label control did: it must not help."""
    control = [row for row in results.comparisons() if row["method"] == "shuffled"]
    if not control:
        return []
    worst = max(control, key=lambda row: abs(row["delta"]))
    size = f"its largest difference is {signed(worst['delta'])} points on {worst['target']}"
    interval = span(worst["delta_low"], worst["delta_high"])
    size += f" ({interval})" if interval else ""
    if all(row["p_holm"] is None for row in control):
        return [f"The control with shuffled labels is not tested: {size}."]
    sure = sum(1 for row in control if told(row) and row["delta"] > 0)
    if sure:
        return [
            f"The control with shuffled labels helps in {sure} of {len(control)} comparisons:"
            f" {size}. Part of the gain is not the task's."
        ]
    return [f"The control with shuffled labels helps in no comparison: {size}."]


def _counted_sentences(results: Results) -> list[str]:
    """In the control world: how far the headline scores are from what follows by counting."""
    misses = [
        abs(row["mean"] - row["expected"])
        for row in results.summary
        if row["target"] in results.targets
        and row["language"] == results.headline(row["target"])
        and row.get("expected") is not None
    ]
    if not misses:
        return []
    return [
        f"In this control world the right score can be counted: {_count(len(misses), 'mean')} of"
        f" settings are off by {sum(misses) / len(misses):.1f} points on average, {max(misses):.1f}"
        " at most."
    ]


def _setting(row: Row) -> str:
    if row["method"] == "none":  # the base model, fine-tuned otherwise than `none`
        return f"fine-tuning with {row['variant']}"
    return f"{row['size']:,} rows of {series_text(series_of(row))}"


def _what(rows: Sequence[Row]) -> str:
    """What the settings do to the base model before or in its fine-tuning."""
    bare = {row["method"] == "none" for row in rows}
    if bare == {True}:
        return "Another fine-tuning"
    return "Intermediate training" if bare == {False} else "Another training"


def _list(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
