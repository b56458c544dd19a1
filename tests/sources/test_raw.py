"""Raw files of each format: rows come out, damage is one clear error that names the file."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts.core.errors import UserError
from xstilts.sources import raw

ROWS = [{"a": "x\u2028y", "b": "1"}, {"a": 'he said "no"', "b": "2"}]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    """Quotes and odd line separators must survive; gzip is seen through."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    tsv = 'a\tb\nx\u2028y\t1\n"he said ""no"""\t2\n'
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "z.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "r.tsv").write_text(tsv, encoding="utf-8")
    (tmp_path / "r.csv").write_text(tsv.replace("\t", ","), encoding="utf-8")
    (tmp_path / "lines.json").write_text(lines, encoding="utf-8")
    (tmp_path / "list.json").write_text(json.dumps(ROWS), encoding="utf-8")
    for path in tmp_path.iterdir():
        assert list(raw.read(path, "hub")) == ROWS, path.name
        assert raw.count(path) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1 and then nothing"),
        ("a.parquet", b""),
        ("a.jsonl", b'{"a": 1}\n{"a": '),
        ("a.jsonl", b"\xff\xfe{}"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99, mtime=0)[:-9]),
        ("a.tsv", b"a\tb\nonly one\n"),
        ("a.json", b'{"data": [{"paragraphs": [{"qas": []}, {}]}]}'),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """Half a download or a wrong file is common; the message has to say which."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        UserError, match=rf"(?s)^[^\n]*{name}( row [01])? is (corrupt|not as)[^\n]*Mend[^\n]*$"
    ):
        list(raw.read(tmp_path / name, "hub"))


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    """Pickles, for one, are never opened."""
    (tmp_path / "a.pkl").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.pkl: files of this kind cannot be read"):
        list(raw.read(tmp_path / "a.pkl", "hub"))
    assert raw.count(tmp_path / "a.pkl") is None


def test_files_in_archives_are_read_by_their_own_ending_or_the_archives(tmp_path: Path) -> None:
    """The hub keeps Mewsli-X as `train.jsonl.tar.gz`; what lies in it has any name."""
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    for name, inside in (("r.jsonl.tar.gz", "rows"), ("r.zip", "deep/r.jsonl")):
        path = tmp_path / name
        if name.endswith(".zip"):
            with zipfile.ZipFile(path, "w") as out:
                out.writestr(inside, lines)
        else:
            with tarfile.open(path, "w:gz") as out:
                info = tarfile.TarInfo(inside)
                info.size = len(lines)
                out.addfile(info, io.BytesIO(lines))
        (piece,) = raw.pieces(path)
        assert str(piece) == f"{path}:{inside}"
        assert list(raw.read(piece, "hub")) == ROWS
        assert raw.count(path) == 2
    assert raw.pieces(tmp_path / "r.zip", ("other",)) == [raw.Piece(tmp_path / "r.zip", "other")]


def test_parquet_in_an_archive_and_unknown_files_in_one(tmp_path: Path) -> None:
    """Parquet is read from its end, a tar from its beginning; what is no table has no rows."""
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), made)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.parquet", made.getvalue())
        out.writestr("LICENSE", "free")
    assert list(raw.read(raw.Piece(tmp_path / "a.zip", "a.parquet"), "hub")) == ROWS
    assert raw.count(tmp_path / "a.zip") == 2
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as out:
        out.writestr("de-en.gold", "a\tb\n")
    assert raw.count(tmp_path / "b.zip") is None


def test_a_tagged_sentence_is_a_line(tmp_path: Path) -> None:
    """CCG's layout; a line without tags is named."""
    (tmp_path / "ccg.train").write_text("a b .\tX Y/Z .\n\n", encoding="utf-8")
    (row,) = raw.read(tmp_path / "ccg.train", "tagged")
    assert row == {"tokens": ["a", "b", "."], "tags": ["X", "Y/Z", "."]}
    (tmp_path / "bad").write_text("a b .\n", encoding="utf-8")
    with pytest.raises(UserError, match="bad row 0 is not as expected"):
        list(raw.read(tmp_path / "bad", "tagged"))


def test_a_pattern_stands_for_the_files_that_it_fits(tmp_path: Path) -> None:
    """Sorted, and pattern by pattern: a treebank's files are not named one by one."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name in ("t/b/xx_b.txt", "t/a/xx_a.txt", "t/a/xxx_a.txt", "t/README"):
            out.writestr(name, "")
    found = raw.pieces(path, ("t/README", "t/*/xx_*.txt"))
    assert [piece.member for piece in found] == ["t/README", "t/a/xx_a.txt", "t/b/xx_b.txt"]
    with pytest.raises(UserError, match=r"a\.zip has no file \*/yy_\*\. Mend: "):
        raw.pieces(path, ("*/yy_*",))


def test_panx_has_a_token_a_line_behind_its_language(tmp_path: Path) -> None:
    """A colon may be a token; a token without a tag is outside; the last line may end nothing."""
    text = "en:Orla\tB-PER\nen::\tO\n\n\nen:a b\tI-LOC\r\nen:c"
    (tmp_path / "train").write_bytes(text.encode())
    assert list(raw.read(tmp_path / "train", "panx")) == [
        {"tokens": ["Orla", ":"], "ner_tags": ["B-PER", "O"]},
        {"tokens": ["a b", "c"], "ner_tags": ["I-LOC", "O"]},
    ]
