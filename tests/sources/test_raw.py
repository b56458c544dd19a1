"""Raw files of each format: rows come out, damage is one clear error that names the file."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts.errors import UserError
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
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}\n' * 99)[:-9]),
        ("a.tsv", b"a\tb\nonly one\n"),
        ("a.json", b'{"data": [{"paragraphs": [{"qas": []}, {}]}]}'),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    """Half a download or a wrong file is common; the message has to say which."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"(?s)^[^\n]*{name} is (corrupt|not as)[^\n]*Mend[^\n]*$"):
        list(raw.read(tmp_path / name, "hub"))


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    """Pickles, for one, are never opened."""
    (tmp_path / "a.pkl").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.pkl: files of this kind cannot be read"):
        list(raw.read(tmp_path / "a.pkl", "hub"))
    assert raw.count(tmp_path / "a.pkl") is None
