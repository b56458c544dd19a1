"""Raw rows on their way to valid ones: answers moved or left out, tags by name, unique ids."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.rows import valid
from xstilts.rows.read import labelled, read_split

CONTEXT = "The mill by the river was built by Orla. Orla sold it."


def answered(name: str, *answers: tuple[str, int]) -> dict[str, Any]:
    """A question in SQuAD's columns."""
    texts, starts = [one for one, _ in answers], [one for _, one in answers]
    found = {"text": texts, "answer_start": starts}
    return {"id": name, "context": CONTEXT, "question": "Who?", "answers": found}


def lay_out(folder: Path, config: str, made: list[dict[str, Any]]) -> Path:
    """A fetched data set with training rows."""
    path = folder / config / "train-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(made), path)
    return folder


def test_translated_answers_that_are_nowhere_are_left_out_and_counted(tmp_path: Path) -> None:
    """Machine translation of an answer alone need not occur in that of its context."""
    task = replace(tasks.load("squad_v1"), strict_answers=False)
    two = answered("c", ("Bo", 3), ("Orla", 0))
    made = [answered("a", ("Bo", 3)), answered("b", ("Orla", 35)), two, answered("d")]
    lay_out(tmp_path, "plain_text", made)
    read = read_split(task, tmp_path, "en", "train")
    assert [row["id"] for row in read.rows] == ["b", "c", "d"]
    assert (read.unmatched, read.dropped, read.realigned) == (1, 0, 1)
    assert [one["text"] for one in read.rows[1]["answers"]] == ["Orla"]
    with pytest.raises(UserError, match="'Bo' does not occur"):
        read_split(replace(task, strict_answers=True), tmp_path, "en", "train")


def test_tags_by_name_get_the_numbers_of_the_datas_own_labels(tmp_path: Path) -> None:
    """A thousand supertags are told by the data alone; an unknown one is no label."""
    task = replace(tasks.load("udpos_2_7"), labels=(), labels_from=lambda folder: ("N", "V"))
    lay_out(tmp_path, "en", [{"tokens": ["a", "b"], "pos_tags": ["V", "N"]}])
    read = read_split(task, tmp_path, "en", "train")
    assert read.rows[0]["tags"] == [1, 0]
    assert labelled(task, tmp_path).labels == ("N", "V")
    lay_out(tmp_path, "en", [{"tokens": ["a"], "pos_tags": ["Q"]}])
    with pytest.raises(UserError, match=r"row 0: the tag 'Q' is not among the labels\. Mend: "):
        read_split(task, tmp_path, "en", "train")


@given(st.lists(st.sampled_from(["a", "a#2", "a#3", "b"]), max_size=8))
def test_ids_are_unique_however_they_come(names: list[str]) -> None:
    """Also where the source has an id that looks like one of ours; first comers keep theirs."""
    seen: dict[str, int] = {}
    made = [{"id": name} for name in names]
    renamed = [valid.make_unique(row, seen) for row in made]
    assert len({row["id"] for row in made}) == len(made)
    for name, row, again in zip(names, made, renamed, strict=True):
        assert row["id"].startswith(name)
        assert (row["id"] != name) == again


@given(st.text("ab ", max_size=12), st.text("ab", min_size=1, max_size=3), st.integers(-2, 14))
def test_an_aligned_answer_starts_at_the_nearest_occurrence(
    context: str, text: str, start: int
) -> None:
    """Against a plain search through all places."""
    row = {"context": context, "answers": [{"text": text, "start": start}]}
    places = [i for i in range(len(context)) if context[i : i + len(text)] == text]
    if not places:
        with pytest.raises(UserError, match="does not occur"):
            valid.align(row, "x")
        return
    moved = valid.align(row, "x")
    found = row["answers"][0]["start"]  # type: ignore[index]
    assert found in places
    assert abs(found - start) == min(abs(one - start) for one in places)
    assert moved == (start not in places)
