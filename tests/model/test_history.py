"""Every named encoder says what it was trained on, by names that the rest of the code knows."""

from dataclasses import MISSING, fields

import pytest

from xstilts import tasks
from xstilts.model.published import ENCODERS, Encoder
from xstilts.tasks.kinship import OTHERS
from xstilts.tasks.languages import LANGUAGES

SEEN = [(name, one) for name, encoder in ENCODERS.items() for one in encoder.history.sets]


def test_a_new_encoder_has_to_say_what_it_has_seen() -> None:
    """With a default, the next encoder would be taken for one that saw text alone."""
    field = next(one for one in fields(Encoder) if one.name == "history")
    assert field.default is MISSING
    assert field.default_factory is MISSING


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_says_what_it_read_and_where_that_is_said(name: str) -> None:
    """A line without a source cannot be checked by anyone."""
    history = ENCODERS[name].history
    assert history.text
    assert history.source
    assert len({one.name for one in history.sets}) == len(history.sets), "a set twice"


@pytest.mark.parametrize(("name", "one"), SEEN, ids=[f"{name}-{one.name}" for name, one in SEEN])
def test_a_set_has_a_known_name_its_own_splits_and_languages(name: str, one: object) -> None:
    """A misspelt set or split would warn of nothing."""
    seen = next(seen for seen in ENCODERS[name].history.sets if seen is one)
    assert seen.source
    assert seen.name in tasks.NAMES or seen.name in OTHERS
    assert set(seen.splits) <= {"train", "validation", "test"}
    assert set(seen.languages) <= set(LANGUAGES)
    if seen.name in tasks.NAMES:
        assert set(seen.languages) <= set(tasks.load(seen.name).languages)


def test_encoders_of_text_alone_and_encoders_that_saw_labels() -> None:
    """The two that decide whether a study may say zero-shot without a note."""
    alone = {name for name, one in ENCODERS.items() if not one.history.sets}
    encoders = {"xlmr-large", "xlmr-base", "mbert", "mdeberta-v3-base", "rembert"}
    assert alone == {*encoders, "mt5-base", "mbart-50"}
    e5 = {one.name: one for one in ENCODERS["e5-small"].history.sets}
    assert {"mnli", "squad_v1", "xquad", "mlqa", "paws_x", "tydiqa"} <= set(e5)
    assert not {"xnli", "xcopa", "anli"} & set(e5), "xP3 holds them out"
