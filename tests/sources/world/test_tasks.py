"""The rows of the world's tasks say what their labels say."""

import pytest

from xstilts.sources.world.languages import Language, make_languages
from xstilts.sources.world.tasks import (
    TAGS,
    bitext_rows,
    paraphrase_rows,
    pos_rows,
    qa_rows,
    reading_rows,
    text_rows,
)

SIZES = {"train": 60, "validation": 20, "test": 40}
CODES = ("qaa", "qab", "qac", "qad", "qae")


def language(code: str) -> Language:
    """One of the languages of seed 1."""
    return make_languages(1)[code]


def meaning(code: str, text: str) -> list[frozenset[tuple[str, int]]]:
    """The concepts of each sentence of a text, read back from its words alone, sorted."""
    known = {word: concept for concept, word in language(code).words.items()}
    sentences = [sentence.split() for sentence in text.rstrip(".").split(".")]
    grammar = ("fronted", 0)
    read = [frozenset(known[word] for word in words) - {grammar} for words in sentences]
    return sorted(read, key=sorted)


@pytest.mark.parametrize("code", CODES)
def test_answers_stand_where_they_are_said_to(code: str) -> None:
    """An answer off by a character would teach the model another task."""
    for rows in qa_rows(language(code), 1, SIZES).values():
        for row in rows:
            answers = row["answers"]
            for text, start in zip(answers["text"], answers["answer_start"], strict=True):
                assert row["context"][start : start + len(text)] == text


@pytest.mark.parametrize("code", CODES)
def test_questions_have_one_answer(code: str) -> None:
    """Exactly one stated fact holds all that the question names, and the answer is in that one."""
    words = language(code).words
    asking = {words["who", 0], words["what", 0]}
    rows = reading_rows(language(code), 1, SIZES)["train"]
    rows += qa_rows(language(code), 1, SIZES)["train"]
    for row in rows:
        named = set(row["question"].rstrip("?").split()) - asking
        said = [set(part.split()) for part in row["context"].rstrip(".").split(".")]
        # A question for the thing names person and verb, so one fact alone has both.
        fitting = [part for part in said if named <= part]
        assert len(fitting) == len(row["answers"]["text"]) == 1
        assert all(set(text.split()) <= fitting[0] for text in row["answers"]["text"])


@pytest.mark.parametrize("code", CODES)
def test_label_is_whether_the_facts_are_the_same(code: str) -> None:
    """Read back from the words, both texts mean the same exactly where the label is 1."""
    for rows in paraphrase_rows(language(code), 1, SIZES).values():
        for row in rows:
            same = meaning(code, row["sentence1"]) == meaning(code, row["sentence2"])
            assert same == bool(row["label"])
        assert 0.3 < sum(row["label"] for row in rows) / len(rows) < 0.7


def test_rows_are_parallel() -> None:
    """Languages must be compared on the same questions: same label, same facts, row by row."""
    source, far = (paraphrase_rows(language(code), 1, SIZES)["test"] for code in ("qaa", "qae"))
    assert [row["label"] for row in source] == [row["label"] for row in far]
    for one, other in zip(source, far, strict=True):
        assert meaning("qaa", one["sentence1"]) == meaning("qae", other["sentence1"])


def test_no_test_context_in_training() -> None:
    """A leak between splits would reward memory."""
    rows = qa_rows(language("qaa"), 1, {"train": 2000, "validation": 200, "test": 200})
    seen = {split: {str(meaning("qaa", row["context"])) for row in rows[split]} for split in rows}
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


@pytest.mark.parametrize("maker", [qa_rows, paraphrase_rows, pos_rows])
def test_more_rows_change_no_other_row(maker) -> None:  # type: ignore[no-untyped-def]
    """Asking for more training rows must leave the test set and the first rows as they were."""
    small = maker(language("qac"), 1, SIZES)
    large = maker(language("qac"), 1, SIZES | {"train": 100})
    assert large["train"][: SIZES["train"]] == small["train"]
    assert large["test"] == small["test"]


def test_bitext_is_translation() -> None:
    """Row i of one side must mean what row i of the other means, and no two rows the same."""
    rows = bitext_rows(language("qad"), language("qaa"), 1, 100)
    meanings = [meaning("qaa", row["sentence2"]) for row in rows]
    assert meanings == [meaning("qad", row["sentence1"]) for row in rows]
    assert len({str(said) for said in meanings}) == 100


def test_tags_fit_the_words() -> None:
    """One tag a word, and punctuation is the tag of the full stop alone."""
    for row in pos_rows(language("qab"), 1, SIZES)["train"]:
        assert len(row["tokens"]) == len(row["pos_tags"])
        for token, tag in zip(row["tokens"], row["pos_tags"], strict=True):
            assert (TAGS[tag] == "PUNCT") == (token == ".")


def test_text_mix() -> None:
    """The mix decides whether alignment appears at all: single texts, copies, other pairs."""
    rows = text_rows(make_languages(1), 1, 2000)
    single = sum(row["pair"] is None for row in rows) / len(rows)
    copies = sum(row["pair"] == row["text"] for row in rows) / len(rows)
    assert 0.07 < single < 0.13
    assert 0.2 < copies < 0.5
