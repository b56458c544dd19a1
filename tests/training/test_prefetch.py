"""Batches made ahead: in order, one at a time, with their errors, and no thread is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.training.prefetch import ahead


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """A thread that waits for ever would keep a stage from ending."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@given(st.lists(st.integers()))
def test_what_is_made_comes_in_its_order(steps: list[int]) -> None:
    """The order of examples decides what is learnt."""
    assert list(ahead(lambda step: step * 2, steps)) == [step * 2 for step in steps]


def test_the_next_one_is_made_while_one_is_used() -> None:
    """Else the thread were of no use; and two ahead would be memory for nothing."""
    made = [threading.Event() for _ in range(5)]

    def make(step: int) -> int:
        made[step].set()
        return step

    with closing(ahead(make, range(5))) as steps:
        assert next(steps) == 0
        assert made[1].wait(10), "made though nobody has asked for it"
        assert not made[2].is_set()
        assert next(steps) == 1
        assert made[2].wait(10)
        assert not made[3].is_set()


def test_one_thread_that_is_not_the_callers_makes_all() -> None:
    """Two at a time would run into each other in what they share, a tokenizer for example."""
    names = set(ahead(lambda step: threading.current_thread().name, range(20)))
    assert len(names) == 1
    assert threading.current_thread().name not in names


@pytest.mark.parametrize("wrong", [0, 1, 4])
def test_an_error_comes_when_its_turn_has_come(wrong: int) -> None:
    """What was made before it is learnt from first, as without a thread; after it nothing is."""
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        if step == wrong:
            raise ValueError(f"step {step}")
        return step

    steps = ahead(make, range(5))
    assert [next(steps) for _ in range(wrong)] == list(range(wrong))
    with pytest.raises(ValueError, match=f"step {wrong}"):
        next(steps)
    assert made == list(range(wrong + 1))


@pytest.mark.parametrize("taken", [1, 8, 9])
def test_a_user_that_stops_leaves_no_thread(taken: int) -> None:
    """An update that fails, Ctrl-C, an early end: the fixture looks for the thread."""
    with closing(ahead(abs, range(9))) as steps:
        assert [next(steps) for _ in range(taken)] == list(range(taken))


def test_nothing_is_begun_before_it_is_asked_for() -> None:
    """An iterator that is never used has no thread to leave."""
    assert ahead(abs, range(9)) is not None
