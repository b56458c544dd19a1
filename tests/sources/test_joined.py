"""Rows that lie across several files: BUCC's pools and pairs, LAReQA's questions and sentences."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.kinds.spec import KINDS
from xstilts.rows import read
from xstilts.rows.read import read_split
from xstilts.sources import joined
from xstilts.sources.places import url_path
from xstilts.sources.raw import Piece

BUCC = {
    "de": "de-1\tDer Reiher schläft.\nde-2\tNiemand  weiß es. \r\nde-3\t\n",
    "en": "en-1\tNobody knows.\nen-2\tThe heron sleeps.\textra\n",
    "gold": "de-1\ten-2\n",
}


def lay_out_bucc(folder: Path, files: dict[str, str], part: str = "sample") -> None:
    """The archive of one language as the shared task packs it."""
    (url,) = tasks.load("bucc").addresses("de", "validation" if part == "sample" else "test")
    path = folder / url_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:bz2") as out:
        for ending, text in files.items():
            info = tarfile.TarInfo(f"./bucc2018/de-en/de-en.{part}.{ending}")
            info.size = len(text.encode())
            out.addfile(info, io.BytesIO(text.encode()))


def test_both_sides_of_bucc_with_their_pairs(tmp_path: Path) -> None:
    """Ids, sides and gold of both sides; an empty sentence is left out and counted."""
    lay_out_bucc(tmp_path, BUCC)
    read = read_split(tasks.load("bucc"), tmp_path, "de", "validation")
    assert [tuple(row.values()) for row in read.rows] == [
        ("de-1", "foreign", "Der Reiher schläft.", ["en-2"]),
        ("de-2", "foreign", "Niemand  weiß es.", []),
        ("en-1", "english", "Nobody knows.", []),
        ("en-2", "english", "The heron sleeps.", ["de-1"]),
    ]
    assert read.dropped == 1
    assert read.table("mining").schema.equals(KINDS["mining"].schema)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"gold": "de-1\ten-9\n"}, r"gold names 'en-9', which is no sentence of .*Mend: "),
        ({"en": "en-1 Nobody\n"}, r"sample\.en row 0 has no tab\. Mend: "),
        ({"en": "en-1\tA\nen-1\tB\n", "gold": ""}, r"the id 'en-1' comes twice\. Mend: "),
    ],
)
def test_what_does_not_fit_together_in_bucc_is_named(
    change: dict[str, str], match: str, tmp_path: Path
) -> None:
    """A lost sentence would count as one that no system finds."""
    lay_out_bucc(tmp_path, {**BUCC, **change})
    with pytest.raises(UserError, match=match):
        read.read_split(tasks.load("bucc"), tmp_path, "de", "validation")


def test_a_part_of_bucc_that_is_missing_is_named(tmp_path: Path) -> None:
    """An archive without its gold, and a reader that got other files."""
    lay_out_bucc(tmp_path, {"de": BUCC["de"], "en": BUCC["en"]})
    with pytest.raises(UserError, match=r"has no file bucc2018/de-en/de-en\.sample\.gold\. Mend: "):
        read.read_split(tasks.load("bucc"), tmp_path, "de", "validation")
    with pytest.raises(UserError, match=r"BUCC in 'de': no \.de, \.en, \.gold file in x\. Mend: "):
        list(joined.bucc([Piece(Path("x"))], "de", "test"))


def paragraph(context: str, breaks: list[list[int]], *questions: tuple[str, int]) -> dict[str, Any]:
    """One of XQuAD-R."""
    asked = [
        {"id": name, "question": f"{name}?", "answers": [{"text": "", "answer_start": start}]}
        for name, start in questions
    ]
    return {"context": context, "sentence_breaks": breaks, "qas": asked}


ENGLISH = [
    paragraph("One. Two. One.", [[0, 4], [5, 9], [10, 14]], ("q1", 5), ("q2", 11)),
    paragraph("Three.", [[0, 6]], ("q3", 0)),
]
GERMAN = [
    paragraph("Eins. Zwei.", [[0, 5], [6, 11]], ("q1", 6), ("q2", 0)),
    paragraph("Drei. Vier.", [[0, 5], [6, 11]], ("q3", 5)),
]


@pytest.fixture
def pieces(tmp_path: Path) -> list[Piece]:
    """XQuAD-R in two languages, of one article each."""
    for code, paragraphs in (("en", ENGLISH), ("de", GERMAN)):
        document = {"data": [{"title": "Invented", "paragraphs": paragraphs}]}
        (tmp_path / f"{code}.json").write_text(json.dumps(document))
    return [Piece(tmp_path / "en.json"), Piece(tmp_path / "de.json")]


def test_a_question_is_relevant_to_the_sentences_of_all_languages(pieces: list[Piece]) -> None:
    """To all that read as the one with the answer; one that starts between two is left out."""
    found = list(joined.lareqa(pieces, "en", "test"))
    relevant = {row["id"]: row["relevant"] for row in found}
    assert relevant == {
        "q1_en": ["en_1_1", "de_1_1"],
        "q2_en": ["en_1_0", "en_1_2", "de_1_0"],
        "q3_en": ["en_2_0"],
    }
    (lost,) = (row for row in joined.lareqa(pieces, "de", "test") if row["id"] == "q3_de")
    assert lost["relevant"] == []
    assert tasks.load("lareqa").convert(lost, "de") is None


def test_candidates_are_sentences_with_their_paragraph(pieces: list[Piece]) -> None:
    """Of one language; their ids are what questions name."""
    rows = list(joined.lareqa(pieces, "de", "candidates"))
    assert [(row["id"], row["text"]) for row in rows] == [
        *(("de_1_0", "Eins."), ("de_1_1", "Zwei."), ("de_2_0", "Drei."), ("de_2_1", "Vier."))
    ]
    assert rows[0]["pair"] == "Eins. Zwei."


def test_a_file_of_another_form_is_named(tmp_path: Path) -> None:
    """XQuAD itself has no sentence breaks."""
    paragraphs = [{"context": "One.", "qas": []}]
    (tmp_path / "en.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    with pytest.raises(UserError, match=r"en\.json.* not as expected .*sentence_breaks.*Mend: "):
        list(joined.read("lareqa", [Piece(tmp_path / "en.json")], "en", "test"))
