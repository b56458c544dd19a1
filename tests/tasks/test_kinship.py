"""Which sets are tied: names exist, ties are mutual, and other splits are other rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.tasks.kinship import KIN, OTHERS, PARALLEL, TRANSLATED, relation

NAMES = sorted({*tasks.NAMES, *OTHERS})
SPLITS = st.sets(st.sampled_from(["train", "validation", "test"]))


def test_every_name_is_a_task_or_has_a_title() -> None:
    """A tie of a name that nothing bears is never found."""
    named = {*KIN, *(kin.of for kins in KIN.values() for kin in kins)} - {PARALLEL}
    assert named <= set(NAMES)
    assert not set(OTHERS) & set(tasks.NAMES), "one name for each set"


def test_translated_sets_are_tasks_with_several_languages() -> None:
    """A name that nothing bears would be a set whose languages count as independent."""
    assert all(len(tasks.load(name).languages) > 1 for name in TRANSLATED)


@pytest.mark.parametrize("name", tasks.NAMES)
def test_joined_and_translated_tasks_are_tied_to_what_they_are_made_of(name: str) -> None:
    """A task that says itself what it is made of must not be missing from the table."""
    task = tasks.load(name)
    for part in task.joins:
        assert relation(name, ["train"], part, ["train"]) == "same"
    if task.origin == "machine":
        assert any(kin.how == "translation" for kin in KIN[name])


@pytest.mark.parametrize(
    ("one", "split", "other", "splits", "expected"),
    [
        ("xquad", "validation", "xquad", ["validation"], "same"),
        ("lareqa", "test", "xquad", ["validation"], "same"),
        ("xquad", "validation", "squad_v1", ["validation"], "translation"),
        ("xquad", "validation", "squad_v1", ["train"], "collection"),
        ("xquad", "validation", "squad_v1", [], "translation"),
        ("squad_es", "train", "squad_v2", ["train"], "translation"),
        ("xnli", "test", "mnli", ["train"], "collection"),
        ("xnli_translated", "train", "anli_plus", ["train"], "translation"),
        ("mlqa", "test", "squad_v1", ["train"], None),
        ("tatoeba", "test", "nllb", [], "parallel"),
        ("tatoeba", "test", "opus", [], "parallel"),
        ("tatoeba", "test", "tatoeba_mt", ["test"], "collection"),
        ("udpos", "test", "nllb", [], None),
    ],
)
def test_ties(one: str, split: str, other: str, splits: list[str], expected: str | None) -> None:
    """The cases that a reader would dispute: no tie is made closer than it is."""
    assert relation(one, [split], other, splits) == expected


@given(st.sampled_from(NAMES), SPLITS, st.sampled_from(NAMES), SPLITS)
def test_a_tie_is_mutual(one: str, splits: set[str], other: str, more: set[str]) -> None:
    """Whichever of two sets was seen, the rows in common are the same."""
    assert relation(one, splits, other, more) == relation(other, more, one, splits)


@given(st.sampled_from(NAMES), SPLITS)
def test_a_set_is_tied_to_itself(name: str, splits: set[str]) -> None:
    """Also a set that the table does not know."""
    assert relation(name, splits, name, splits) == "same"
