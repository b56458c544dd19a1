"""The finding and the notes follow the data: other numbers, other words."""

from __future__ import annotations

from typing import Any

import fake_study

from xstilts.report.data import Results, plain, signed, size_text, stars
from xstilts.report.words import finding, notes, support


def row(**changes: Any) -> dict[str, Any]:
    base = {
        "target": "paraphrase", "language": "zero-shot", "group": "facts-qaa-1000",
        "method": "single", "variant": "", "task": "facts", "source_language": "qaa", "size": 1000,
        "mean": 60.0,
        "delta": 5.0, "delta_low": 4.0, "delta_high": 6.0, "p": 1e-5, "p_holm": 1e-4, "seeds": 2,
    }  # fmt: skip
    return base | changes


def results(*rows: dict[str, Any], slopes: list[dict[str, Any]] | None = None) -> Results:
    return Results(fake_study.params(), [], list(rows), slopes or [], {})


def test_a_gain_is_raised_and_a_loss_is_lowered() -> None:
    """The verb and the numbers come from the row."""
    assert "raised the zero-shot score of paraphrase by 5.0 points, from 55.0 to 60.0" in finding(
        results(row())
    )
    lost = row(delta=-5.0, delta_low=-6.0, delta_high=-4.0)
    assert "lowered the zero-shot score of paraphrase by 5.0 points" in finding(results(lost))


def test_a_large_difference_that_is_not_significant_is_no_finding() -> None:
    """A big but uncertain gain must not outrank a small sure one."""
    unsure = row(group="b", task="b", delta=20.0, p_holm=0.4)
    assert "by 5.0 points" in finding(results(row(), unsure))
    assert finding(results(unsure)).startswith("None of 1 comparison with no intermediate training")


def test_the_control_is_never_the_finding() -> None:
    """A gain of shuffled labels is a warning, and said to be one."""
    control = row(method="shuffled", group="c", delta=30.0)
    assert "by 5.0 points" in finding(results(row(), control))
    assert any("Part of the gain is not the task's" in text for text in support(results(control)))
    idle = row(method="shuffled", group="c", delta=0.2, delta_low=-1.0, delta_high=1.0, p_holm=1.0)
    assert any("significantly in no comparison" in text for text in support(results(idle)))


def test_no_baseline_is_no_claim() -> None:
    """Without `none` runs there is nothing to compare with."""
    assert "nothing about gains" in finding(results(row(delta=None)))


def test_counts_of_up_down_and_unsure() -> None:
    """1 up, 1 down, 1 cannot be told: all three are said."""
    rows = [row(), row(group="b", delta=-3.0), row(group="c", delta=1.0, p_holm=0.5)]
    text = support(results(*rows))[0]
    assert "Of 3 settings" in text
    assert "1 score significantly higher" in text
    assert "1 lower, and 1 cannot" in text


def test_made_up_data_are_said_to_be_made_up() -> None:
    """Nobody may take the control world for real languages."""
    found = dict(notes(results(row())))
    assert "made-up" in found["Data"]
    real = results(row())
    report = real.params.report.model_copy(update={"source": "hub"})
    real = Results(real.params.model_copy(update={"report": report}), [], real.summary, [], {})
    assert "Real data" in dict(notes(real))["Data"]


def test_one_seed_is_said() -> None:
    """Such an interval knows nothing of how training varies."""
    assert "over examples alone" in dict(notes(results(row(seeds=1))))["Seeds"]
    assert "over examples alone" not in dict(notes(results(row())))["Seeds"]


def test_numbers_as_text() -> None:
    """True minus, no minus zero, sizes as people say them, stars at their limits."""
    assert (signed(-0.04), signed(1.25), signed(-3.21)) == ("+0.0", "+1.2", "−3.2")
    assert plain(4.0) == "4.0"
    assert [size_text(n) for n in (0, 500, 1000, 12500, 2_000_000)] == [
        "0", "500", "1K", "12.5K", "2M",
    ]  # fmt: skip
    assert [stars(p) for p in (None, 0.05, 0.049, 0.009)] == ["", "", "*", "**"]
