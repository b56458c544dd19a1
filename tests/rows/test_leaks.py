"""What counts as the same row, within a kind and between kinds; hashes against plain sets."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xstilts.core.errors import UserError
from xstilts.core.files import write_parquet
from xstilts.kinds.spec import KINDS
from xstilts.rows import leaks

HEX = "56beb4343aeaaa14008c925b"
SPAN = {"id": HEX, "context": "The mill was built by Orla.", "question": "Who?", "answers": []}


@pytest.fixture
def sheet(tmp_path: Path) -> Any:
    """sheet("span", row, ...): the hashes of a file with these rows."""
    made: list[Path] = []

    def make(kind: str, *rows: dict[str, Any]) -> leaks.Sheet:
        schema = KINDS[kind].schema
        full = [{**dict.fromkeys(schema.names), "id": str(i), **row} for i, row in enumerate(rows)]
        made.append(tmp_path / f"{len(made)}.parquet")
        write_parquet(made[-1], pa.Table.from_pylist(full, schema=schema))
        return leaks.read(made[-1])

    return make


def found(training: leaks.Sheet, scored: leaks.Sheet) -> tuple[int, ...]:
    counts = leaks.Seen([training]).compare(scored)
    return tuple(counts[n] for n in ("exact", "normalised", "same_id", "shared_first_text"))


def nli(a: str, b: str, name: str = "0") -> dict[str, Any]:
    return {"text_a": a, "text_b": b, "id": name}


def test_degrees_of_sameness(sheet: Any) -> None:
    """Exact; the same but for case, width and punctuation; only the same premise; nothing."""
    training = sheet("classification", nli("The door is open.", "It is shut."))
    for a, b, expected in (
        ("The door is open.", "It is shut.", (1, 1, 0, 1)),
        ("the  DOOR is open", "Ｉt is shut!", (0, 1, 0, 1)),
        ("The door is open.", "Orla sleeps.", (0, 0, 0, 1)),
        ("It is shut.", "The door is open.", (0, 0, 0, 0)),
        ("The door is", "open. It is shut.", (0, 0, 0, 0)),
    ):
        assert found(training, sheet("classification", nli(a, b))) == expected, (a, b)


def test_example_is_the_id_of_a_scored_row(sheet: Any) -> None:
    """A person looks the row up by it; a shared premise alone gives none."""
    training = leaks.Seen([sheet("classification", nli("A b.", "C d.", "train-7"))])
    scored = sheet("classification", nli("x", "y", "p"), nli("a b", "c d", "q"))
    assert training.compare(scored)["example"] == "q"
    assert training.compare(sheet("classification", nli("A b.", "y", "p")))["example"] is None


@pytest.mark.parametrize(
    ("name", "same"),
    [
        (HEX, 1),
        (HEX.upper(), 1),
        (f"{HEX}#2", 1),
        ("56beb434", 0),
        ("17", 0),
    ],
)
def test_a_global_id_tells_a_translated_row(sheet: Any, name: str, same: int) -> None:
    """XQuAD and LAReQA keep SQuAD's ids in every language, where no text is alike."""
    training = sheet("span", SPAN, {**SPAN, "id": "17"}, {**SPAN, "id": "56beb434"})
    other = {"id": name, "context": "Мельница.", "question": "Кто?", "answers": []}
    assert found(training, sheet("span", other)) == (0, 0, same, 0)


def test_a_row_number_is_no_global_id(sheet: Any) -> None:
    """Row 17 of one data set is not row 17 of another."""
    training = sheet("span", {**SPAN, "id": "1234567890"})
    assert found(training, sheet("span", {**SPAN, "id": "1234567890", "context": "Else."}))[2] == 0


def test_same_context_with_another_question_is_shared_text_only(sheet: Any) -> None:
    """SQuAD asks several questions about a paragraph: the row itself is new."""
    other = {**SPAN, "id": "1", "question": "When?"}
    assert found(sheet("span", SPAN), sheet("span", other)) == (0, 0, 0, 1)


def test_span_and_ranking_are_compared_by_their_question(sheet: Any) -> None:
    """LAReQA's queries are XQuAD's questions; a query has no document to compare."""
    query = {"text": "Who?", "relevant": ["c1"]}
    assert found(sheet("span", SPAN), sheet("ranking", query)) == (1, 1, 0, 1)
    trained = {"text": "who", "positive": "By Orla.", "positive_pair": SPAN["context"]}
    assert found(sheet("ranking", trained), sheet("span", SPAN)) == (0, 1, 0, 1)
    elsewhere = {**trained, "positive_pair": "Another paragraph."}
    assert found(sheet("ranking", elsewhere), sheet("span", SPAN)) == (0, 0, 0, 0)


def test_one_sentence_is_found_in_text_of_any_kind(sheet: Any) -> None:
    """A tagged or mined sentence is the whole of its row; a premise is a part of one."""
    text = sheet("mlm", {"text": "Orla sleeps .", "pair": "Мельница."})
    assert found(text, sheet("tagging", {"tokens": ["Orla", "sleeps", "."], "tags": []}))[0] == 1
    assert (
        found(text, sheet("mining", {"side": "english", "text": "Мельница.", "gold": []}))[0] == 1
    )
    assert found(text, sheet("classification", nli("Orla sleeps.", "No."))) == (0, 0, 0, 1)
    assert found(text, sheet("retrieval", nli("Orla sleeps .", "Мельница."))) == (1, 1, 0, 1)


def test_choices_belong_to_a_row(sheet: Any) -> None:
    """The same story with other endings is another example."""
    row = {"context": "It rained.", "question": "", "choices": ["Wet.", "Dry."], "label": 0}
    training = sheet("multiple_choice", row)
    assert found(training, sheet("multiple_choice", row)) == (1, 1, 0, 1)
    other = {**row, "choices": ["Wet.", "Hot."]}
    assert found(training, sheet("multiple_choice", other)) == (0, 0, 0, 1)


def test_rows_of_signs_alone_are_compared_as_they_are(sheet: Any) -> None:
    """Normalising leaves nothing of `...` and of `?!`, which are not the same sentence."""
    dots = sheet("tagging", {"tokens": ["..."], "tags": []})
    assert found(dots, sheet("tagging", {"tokens": ["?!"], "tags": []})) == (0, 0, 0, 0)
    assert found(dots, dots)[0] == 1


def test_several_files_are_one_training_set(sheet: Any) -> None:
    """ANLI+ is three data sets."""
    one, two = sheet("classification", nli("a", "b")), sheet("classification", nli("c", "d"))
    seen = leaks.Seen([one, two])
    assert seen.size == 2
    scored = sheet("classification", nli("c", "d"), nli("a", "b"), nli("a", "d"))
    counts = seen.compare(scored)
    assert (counts["rows"], counts["exact"], counts["shared_first_text"]) == (3, 2, 3)


def test_empty_sides_count_nothing(sheet: Any) -> None:
    """A filter may leave no row of a language."""
    empty, one = sheet("classification"), sheet("classification", nli("a", "b"))
    assert found(empty, one) == found(one, empty) == found(empty, empty) == (0, 0, 0, 0)
    assert leaks.Seen([]).compare(one)["shared_first_text"] == 0


def test_a_file_of_no_kind_is_named(tmp_path: Path) -> None:
    """Rows of an older schema must not pass as rows without overlap."""
    path = tmp_path / "en.train.parquet"
    write_parquet(path, pa.table({"id": ["1"], "premise": ["x"]}))
    with pytest.raises(UserError, match=r"en\.train\.parquet has the columns id, premise.*Mend: "):
        leaks.read(path)


TEXT = st.text("aB. ", max_size=4)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(PAIRS, PAIRS)
def test_hashes_find_what_plain_sets_find(sheet: Any, a: Any, b: Any) -> None:
    """A search through sorted hashes against the obvious way."""
    training = sheet("classification", *[nli(*pair) for pair in a])
    scored = sheet("classification", *[nli(*pair) for pair in b])
    shown = [[tuple(text for text in pair if text) for pair in rows] for rows in (a, b)]

    def normal(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(leaks.normalise(text) or text for text in texts)

    known = {normal(texts) for texts in shown[0]}
    expected = (
        sum(texts in set(shown[0]) for texts in shown[1]),
        sum(normal(texts) in known for texts in shown[1]),
        0,
        sum(normal(texts)[:1] in {one[:1] for one in known} for texts in shown[1]),
    )
    assert found(training, scored) == expected
