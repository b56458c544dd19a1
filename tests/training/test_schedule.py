"""The schedule of a mix: proportions as published, the same draws on every machine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.core.errors import UserError
from xstilts.core.params import Mixing, Training
from xstilts.training import schedule

ROWS = st.lists(st.integers(1, 10**6), min_size=1, max_size=9)


def training(**budget: float) -> Training:
    return Training(**{"batch": 32, "learning_rate": 1e-5, **budget})


def test_proportions_are_those_of_raffel_et_al() -> None:
    """Section 3.5.2: min(e, K)^(1/T) over their sum, here of MNLI, ANLI and CommonsenseQA."""
    rows, none = [392_702, 162_865, 9_741], [None, None, None]
    capped = schedule.proportions(rows, none, Mixing(cap=131_072, temperature=1))
    assert capped == pytest.approx(np.array([131_072, 131_072, 9_741]) / 271_885)
    warm = schedule.proportions(rows, none, Mixing(cap=None, temperature=2))
    assert warm == pytest.approx(np.sqrt(rows) / np.sqrt(rows).sum())
    assert schedule.proportions(rows, none) == pytest.approx(np.array(rows) / sum(rows))


@given(ROWS, st.floats(0.05, 0.9), st.sampled_from([1.0, 2.0, 5.0]))
def test_a_fixed_share_is_kept_whatever_the_rows(
    rows: list[int], share: float, temperature: float
) -> None:
    """Masked language modelling beside tasks: its text may be far larger than they are."""
    mix = Mixing(cap=1000, temperature=temperature)
    plain = schedule.proportions(rows, [None] * len(rows), mix)
    found = schedule.proportions([*rows, 10**7], [*([None] * len(rows)), share], mix)
    assert found[-1] == share
    assert sum(found) == pytest.approx(1)
    assert found[:-1] == pytest.approx([one * (1 - share) for one in plain])


def test_shares_that_leave_nothing_are_refused_and_text_alone_takes_all() -> None:
    """Continued masked language modelling alone is a mix of one part."""
    with pytest.raises(UserError, match=r"come to 1\.1 and leave its other parts nothing\. Mend"):
        schedule.proportions([10, 20, 30], [None, 0.5, 0.6], None)
    assert schedule.proportions([10], [0.3]) == [1.0]
    assert schedule.total_steps(training(epochs=2), [320], [0.3]) == 20


@pytest.mark.parametrize(
    ("epochs", "rows", "shares", "cap", "steps"),
    [
        (3, [100], [None], None, 10),  # 9.4
        (1, [1000, 70], [None, None], None, 32 + 3),
        (2, [1000, 70], [None, None], 64, 4 + 4),
        (0.5, [1000], [None], None, 16),
        (1, [3200, 999_999], [None, 0.2], None, 125),  # 100 / 0.8
        (1, [1], [None], None, 1),
    ],
)
def test_epochs_are_counted_as_jiant_counts_them(
    epochs: float, rows: list[int], shares: list[float | None], cap: int | None, steps: int
) -> None:
    """Each task's min(rows, cap) over the batch, rounded up; fixed shares come on top."""
    mix = Mixing(cap=cap) if len(rows) > 1 else None
    assert schedule.total_steps(training(epochs=epochs), rows, shares, mix) == steps
    assert schedule.total_steps(training(steps=7), rows, shares, mix) == 7


@given(ROWS, st.integers(0, 2**31), st.integers(1, 300), st.integers(0, 300))
def test_a_turn_depends_on_seed_and_step_alone(
    rows: list[int], seed: int, steps: int, more: int
) -> None:
    """A longer schedule has the same beginning, and a part goes on where it was left."""
    chances = schedule.proportions(rows, [None] * len(rows))
    short, long = (schedule.draw(chances, n, seed) for n in (steps, steps + more))
    assert (short.parts == long.parts[:steps]).all()
    assert (short.earlier == long.earlier[:steps]).all()
    for part in range(len(rows)):
        own = long.earlier[long.parts == part]
        assert own.tolist() == list(range(len(own)))


def test_a_schedule_is_the_same_everywhere_and_keeps_its_proportions() -> None:
    """Written down once: another order breaks studies."""
    drawn = schedule.draw([0.5, 0.3, 0.2], 12, 1)
    assert drawn.parts.tolist() == [0, 0, 0, 2, 2, 0, 1, 1, 1, 0, 1, 1]
    many = schedule.draw([0.5, 0.3, 0.2], 20_000, 2).parts
    assert np.allclose(np.bincount(many) / 20_000, [0.5, 0.3, 0.2], atol=0.015)
    assert (schedule.draw([1.0], 50, 3).parts == 0).all()
