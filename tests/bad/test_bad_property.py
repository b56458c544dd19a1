"""Whatever bytes come, a reader gives rows or one line that names the file; never anything else."""

import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bad_cases as cases
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.core import strict
from xstilts.core.errors import UserError
from xstilts.rows import read, valid
from xstilts.sources import card, joined, raw
from xstilts.tasks.base import Split, Task

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ENDINGS = ("parquet", "jsonl", "tsv", "csv", "json", "jsonl.gz", "jsonl.tar.gz", "jsonl.zip")
PIECES = st.sampled_from(
    [b'{"a": 1}', b"[", b"]", b"{", b"}", b'"', b"\n", b"\r", b"\t", b",", b"a", b"\xff", b"\0"]
)
SOUP = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=12).map(b"".join))


def told(action: Callable[[], object], name: str) -> None:
    """Run it; a UserError is one line that names the file and what to do."""
    said = f"{name} Mend: "
    try:
        action()
    except UserError as error:
        said = str(error)
    assert "\n" not in said
    assert name in said
    assert " Mend: " in said


def good(ending: str) -> bytes:
    """Two rows in a format."""
    if ending in cases.FORMATS:
        return cases.FORMATS[ending](cases.GOOD)
    if ending == "csv":
        return cases.separated(cases.GOOD).replace(b"\t", b",")
    made, inside = io.BytesIO(), cases.lines(cases.GOOD)
    if ending == "jsonl.zip":
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("a.jsonl", inside)
    else:
        with tarfile.open(fileobj=made, mode="w:gz") as packed:
            info = tarfile.TarInfo("a.jsonl")
            info.size = len(inside)
            packed.addfile(info, io.BytesIO(inside))
    return made.getvalue()


GOOD = {ending: good(ending) for ending in ENDINGS}


def look(name: str, content: bytes, parse: str = "hub") -> None:
    """Read a file in each of the ways there are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        told(lambda: raw.count(path), name)
        told(lambda: [list(raw.read(one, parse)) for one in raw.pieces(path)], name)


@pytest.mark.parametrize("ending", ENDINGS)
@FEW
@given(SOUP)
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a": ' + b"9" * 5000 + b"}")
def test_any_bytes_under_any_ending(ending: str, content: bytes) -> None:
    """An error page, another format, half a character, brackets without end."""
    look(f"a.{ending}", content)


@pytest.mark.parametrize("ending", ENDINGS)
@FEW
@given(st.data())
def test_a_good_file_with_a_few_bytes_changed(ending: str, data: st.DataObject) -> None:
    """Damage inside of pages, heads and check sums, which leads deep into the libraries."""
    content = bytearray(GOOD[ending])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        content[place] = value
    end = data.draw(st.sampled_from([len(content), len(content), data.draw(places)]))
    look(f"a.{ending}", bytes(content[:end]))


@pytest.mark.parametrize("parse", ["squad_json", "tagged"])
@FEW
@given(SOUP)
@example(b'{"data": [{"paragraphs": 1}]}')
@example(b'{"data": 7}')
def test_any_bytes_in_a_named_form(parse: str, content: bytes) -> None:
    """Readers that a task asks for by name."""
    look("a.x", content, parse)


@pytest.mark.parametrize(("parse", "name"), [("bucc", "a.{}"), ("lareqa", "{}.json")])
@FEW
@given(st.lists(SOUP, min_size=3, max_size=3))
@example([b'{"data": [{"paragraphs": [{"sentence_breaks": 1}]}]}'] * 3)
def test_any_bytes_in_files_that_belong_together(
    parse: str, name: str, contents: list[bytes]
) -> None:
    """BUCC's three files and LAReQA's one a language."""
    with tempfile.TemporaryDirectory() as folder:
        pieces = [raw.Piece(Path(folder) / name.format(one)) for one in ("de", "en", "gold")]
        for piece, content in zip(pieces, contents, strict=True):
            piece.path.write_bytes(content)
        splits: tuple[Split, ...] = ("test", "candidates")
        for split in splits:
            told(lambda: list(joined.read(parse, pieces, "de", split)), folder)  # noqa: B023


@FEW
@given(SOUP)
@example(b"---\na: 2001-99-99\n---\n")
@example(b"---\n? [1]\n: 2\n---\n")
def test_any_card(content: bytes) -> None:
    """What stands on top of somebody's README.md."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / card.NAME).write_bytes(content)
        told(lambda: card.splits(card.read_file(Path(folder)), "a"), "")


@FEW
@given(SOUP)
@example(b"a: 2001-99-99")
@example(b"? [1]\n: 2")
@example(b"a: \xff")
def test_any_study_file(content: bytes) -> None:
    """A file that a person writes: a value, or a line that names it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        path.write_bytes(content)
        told(lambda: strict.load_yaml(path, "mend it"), "a.yaml")


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "answer_start", "label"]), inner, max_size=2)
    ),
    max_leaves=6,
)
KINDS: dict[str, dict[str, Any]] = {
    "mnli": {"premise": "a b", "hypothesis": "c", "label": 1, "idx": 3},
    "squad_v1": {
        "id": "x", "context": "a b c", "question": "d?",
        "answers": {"text": ["b"], "answer_start": [2]},
    },
    "udpos_2_7": {"tokens": ["a", "b"], "pos_tags": [1, 2]},
    "siqa": {
        "context": "a", "question": "b?", "answerA": "c", "answerB": "d", "answerC": "e",
        "label": "1",
    },
    "xcopa": {
        "premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 0, "idx": 1,
    },
    "tatoeba": {"source_sentence": "a", "target_sentence": "b"},
}  # fmt: skip


def plain(name: str) -> Task:
    """A task whose rows come from one file of JSON lines."""
    task = tasks.load(name)
    found = next((split for split in ("train", "validation", "test") if split in task.splits), None)
    return replace(task, splits={"test": "test", **({found: found} if found else {})}, urls={})


@pytest.mark.parametrize("name", KINDS)
@FEW
@given(st.data())
def test_any_values_in_a_row_give_valid_rows_or_a_line(name: str, data: st.DataObject) -> None:
    """Columns of another type, lists of other lengths, halves of characters, missing columns.

    What passes can be stored in the schema of its kind.
    """
    row: dict[str, Any] = dict(KINDS[name])
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(row)), VALUE, max_size=2))
    lost = data.draw(st.sets(st.sampled_from(sorted(row)), max_size=1)) if not changed else set()
    made = {key: value for key, value in {**row, **changed}.items() if key not in lost}
    _read(plain(name), json.dumps(made))


def _read(task: Task, line: str) -> None:
    language = (*task.train_languages, *task.languages)[0]
    config, split = task.source(language, "test")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / config / f"{split}.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(line + "\n", encoding="utf-8")
        told(
            lambda: (
                read.read_split(task, Path(folder), language, "test").table(task.kind).validate()
            ),
            f"{split}.jsonl row 0",
        )


@given(VALUE, VALUE, VALUE)
def test_alignment_of_any_answers(context: Any, text: Any, start: Any) -> None:
    """`read` tells TypeError and the like with file and row; nothing else may come."""
    row = {"context": context, "answers": [{"text": text, "start": start}]}
    try:
        valid.align(row, "place")
    except (UserError, *read.UNLIKE):
        return
    (answer,) = row["answers"]
    assert context[answer["start"] :].startswith(text)
