"""The world of facts: languages say the same, no word is in two, and the test is of others."""

from xstilts.metrics import generation
from xstilts.sources.world import facts

SIZES = {"train": 64, "validation": 64, "test": 32}


def test_no_word_is_in_two_languages_and_its_ending_tells_which() -> None:
    """Else the share of answers in the right language were a guess."""
    said = {code: [w for some in own.values() for w in some] for code, own in _lexicons().items()}
    words = [word for some in said.values() for word in some]
    assert len(set(words)) == len(words)
    for code, some in said.items():
        assert all(word.endswith(facts.ENDINGS[code]) for word in some)
    assert facts.ENDINGS == generation.ENDINGS


def _lexicons() -> dict[str, dict[str, list[str]]]:
    return facts.lexicons(1)


def test_all_languages_say_the_same_of_a_noun() -> None:
    """Row i is about one noun everywhere, and its answer is what text says after the noun."""
    words = _lexicons()
    text = {row["text"] for row in facts.text_rows(1, 5000)}
    rows = {code: facts.question_rows(code, 1, SIZES)["test"] for code in facts.ENDINGS}
    for asked in zip(*rows.values(), strict=True):
        numbers = [words[c]["noun"].index(r["question"]) for c, r in zip(rows, asked, strict=True)]
        assert len(set(numbers)) == 1
        assert all(f"{row['question']} {row['answer']}" in text for row in asked)


def test_the_test_asks_about_nouns_that_no_training_row_names() -> None:
    """And longer splits keep the rows that they had."""
    made = facts.question_rows("qab", 1, SIZES)
    asked = {split: {row["question"] for row in rows} for split, rows in made.items()}
    assert asked["train"] == asked["validation"]
    assert not asked["train"] & asked["test"]
    longer = facts.question_rows("qab", 1, {"train": 100})
    assert longer["train"][:64] == made["train"]


def test_another_seed_makes_other_words_and_facts() -> None:
    """One world could be lucky."""
    assert facts.lexicons(1) != facts.lexicons(2)
    assert facts.facts(1) != facts.facts(2)
