"""The answer and the notes follow the data: other numbers, other words."""

from __future__ import annotations

from typing import Any

import fake_study
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.params import Training, Variant
from xstilts.report.data import Results, plain, signed, size_text, stars
from xstilts.report.notes import notes
from xstilts.report.words import answer, support

METHODS = ("single", "shuffled")


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


def first(*rows: dict[str, Any]) -> str:
    return answer(results(*rows))[0]


def test_a_gain_is_raised_and_a_loss_is_lowered() -> None:
    """The verb and the numbers come from the row."""
    up = first(row())
    assert up.startswith(
        "Intermediate training raised zero-shot scores in 1 of 1 comparison; most by"
    )
    assert "by 5.0 points on paraphrase after 1,000 rows of facts (qaa), from 55.0 to 60.0" in up
    lost = first(row(delta=-5.0, delta_low=-6.0, delta_high=-4.0))
    assert lost.startswith("Intermediate training lowered zero-shot scores in 1 of 1 comparison")
    both = first(row(), row(group="b", delta=-7.0))
    assert "raised zero-shot scores in 1 of 2 comparisons and lowered them in 1" in both
    assert "its largest effect lowered them by 7.0 points" in both


def test_a_large_difference_that_is_not_told_is_no_finding() -> None:
    """A big but uncertain gain must not outrank a small sure one."""
    unsure = row(group="b", task="b", delta=20.0, p_holm=0.4)
    assert "by 5.0 points" in first(row(), unsure)
    assert first(unsure).startswith("None of 1 comparison with no intermediate training tells")


def test_it_is_said_which_languages_an_interval_is_of() -> None:
    """These languages, or languages like these: the second is wider, and often the question."""
    assert "95% interval 4.0 to 6.0 in these languages; p" in first(row())
    like = first(row(like_low=1.0, like_high=9.0))
    assert "4.0 to 6.0 in these languages, 1.0 to 9.0 in languages like these; p" in like


def test_one_seed_is_no_test() -> None:
    """Without a p nothing is called raised or lowered, and nothing fails on a missing interval."""
    nothing = dict.fromkeys(("p", "p_holm", "delta_low", "delta_high"))
    text = first(row(**nothing), row(group="c", method="shuffled", **nothing))
    assert text.startswith("With one seed for each setting nothing is tested")
    assert "raised" not in text
    assert "no interval" in text
    slope = {
        **row(), "sizes": [1, 10], "slope": 3.0, "low": None, "high": None, "like_low": None,
        "p": None, "p_holm": None,
    }  # fmt: skip
    told = answer(results(row(**nothing), slopes=[slope]))[1]
    assert told.endswith("it is not tested.")
    assert any(
        "is not tested" in one for one in support(results(row(method="shuffled", **nothing)))
    )


def test_slopes_that_are_told_and_those_that_are_not() -> None:
    """The steepest sure slope, and how many are none."""
    steep = {**row(), "sizes": [1, 10], "slope": 3.0, "low": 2.0, "high": 4.0, "like_low": None}
    flat = {**steep, "target": "fact_qa", "slope": 9.0, "p_holm": 0.5}
    text = answer(results(row(), row(target="fact_qa"), slopes=[flat, steep]))[1]
    assert "go with +3.0 points on paraphrase (95% interval 2.0 to 4.0" in text
    assert text.endswith("1 of 2 slopes cannot be told from 0.")
    unsure = answer(results(row(), slopes=[{**steep, "p_holm": 0.5}]))[1]
    assert "which cannot be told from 0" in unsure


def test_the_control_is_never_the_finding() -> None:
    """A gain of shuffled labels is a warning, and said to be one."""
    control = row(method="shuffled", group="c", delta=30.0)
    assert "by 5.0 points" in first(row(), control)
    assert any("Part of the gain is not the task's" in text for text in support(results(control)))
    idle = row(method="shuffled", group="c", delta=0.2, delta_low=-1.0, delta_high=1.0, p_holm=1.0)
    assert any("helps in no comparison" in text for text in support(results(idle)))


def test_no_baseline_is_no_claim() -> None:
    """Without `none` runs there is nothing to compare with."""
    assert "nothing about gains" in first(row(delta=None))


def test_targets_that_gain_lose_and_neither() -> None:
    """Each target stands in one of the sentences."""
    assert support(results(row(), row(target="fact_qa", p_holm=0.5))) == [
        "Some setting raises scores on paraphrase.",
        "No setting can be told from none on fact_qa.",
    ]


@given(
    st.lists(
        st.tuples(
            st.floats(-50, 50), st.one_of(st.none(), st.floats(0, 1)), st.sampled_from(METHODS)
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_nothing_is_claimed_that_was_not_told(cells: list[tuple[float, float | None, str]]) -> None:
    """Raised and lowered need a p below 0.05 on the right side, whatever the numbers are."""
    rows = [
        row(group=str(place), delta=delta, p_holm=p, method=method)
        for place, (delta, p, method) in enumerate(cells)
    ]
    text = " ".join(answer(results(*rows)))
    sure = [
        delta for delta, p, method in cells if method == "single" and p is not None and p < 0.05
    ]
    assert ("raised" in text) == any(delta > 0 for delta in sure)
    assert ("lowered" in text) == any(delta <= 0 for delta in sure)


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


def test_one_seed_among_others_borrows_their_variance() -> None:
    """Its interval is of training, too: to say otherwise would make it look too narrow."""
    told = dict(notes(results(row(), row(group="b", seeds=1))))["Seeds"]
    assert told == (
        "1 or 2 per setting. A setting of one seed borrows the variance between the seeds of the"
        " others."
    )


def test_rows_of_more_languages_are_told() -> None:
    """A setting of `sources` is not fine-tuned on the source language alone."""
    plain = results(row())
    away = dict(notes(plain))["Zero-shot"]
    assert away.startswith("A target is fine-tuned on its source language alone. Its zero-shot")
    way = Variant(training=Training(**fake_study.TRAINING), more_rows=["data/z.parquet"])
    targets = {
        name: target.model_copy(update={"variants": {"three": way}})
        for name, target in plain.params.targets.items()
    }
    joined = Results(
        plain.params.model_copy(update={"targets": targets}), [], plain.summary, [], {}
    )
    assert dict(notes(joined))["Zero-shot"].startswith(
        "A target is fine-tuned on its source language alone (in “none, three” on rows of other"
        " languages, too, which are not scored). Its zero-shot"
    )


def test_numbers_as_text() -> None:
    """True minus, no minus zero, sizes as people say them, stars at their limits."""
    assert (signed(-0.04), signed(1.25), signed(-3.21)) == ("+0.0", "+1.2", "−3.2")
    assert plain(4.0) == "4.0"
    assert [size_text(n) for n in (0, 500, 1000, 12500, 2_000_000)] == [
        "0", "500", "1K", "12.5K", "2M",
    ]  # fmt: skip
    assert [stars(p) for p in (None, 0.05, 0.049, 0.009)] == ["", "", "*", "**"]
