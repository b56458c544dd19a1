"""Data sets of the hub that come by URL, as no commit is verified: the same rows both ways.

The published archives are not at hand, so archives of their layout are made of rows in the hub's.
"""

import csv
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.core.params import Fetch
from xstilts.core.progress import Observe
from xstilts.rows import read
from xstilts.sources import obtain, treebanks
from xstilts.sources.places import url_path
from xstilts.stages import fetch
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study
from xstilts.tasks.base import Row, Split, Task
from xstilts.tasks.shapes import UPOS
from xstilts.tasks.wikiann import LABELS

MIRROR = os.environ.get("XSTILTS_MIRROR")
mirrored = pytest.mark.skipif(not MIRROR, reason="XSTILTS_MIRROR names no mirror")
LINKED = ("cosmos_qa", "mlqa", "wikiann")


def squad_text(rows: list[Row]) -> str:
    """A document of SQuAD's form, with one question a paragraph."""
    paragraphs = []
    for row in rows:
        found = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        answers = [{"text": text, "answer_start": start} for text, start in found]
        asked = {"id": row["id"], "question": row["question"], "answers": answers}
        paragraphs.append({"context": row["context"], "qas": [asked]})
    return json.dumps({"version": "1.0", "data": [{"title": "t", "paragraphs": paragraphs}]})


def csv_text(rows: list[Row]) -> str:
    """Quoted where there is need, line feeds kept: as the authors' files are."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def panx_text(rows: list[Row], language: str) -> str:
    """`en:token`, tab, tag; a blank line behind each sentence."""
    return "".join(
        "".join(
            f"{language}:{token}\t{LABELS[tag]}\n"
            for token, tag in zip(row["tokens"], row["ner_tags"], strict=True)
        )
        + "\n"
        for row in rows
    )


def as_published(task: Task, rows: list[Row], language: str, split: Split, folder: Path) -> None:
    """Write rows where the task's URL of a split has them."""
    (url,) = task.addresses(language, split)
    path = folder / url_path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    if task.name == "cosmos_qa":
        path.write_text(csv_text(rows), encoding="utf-8")
        return
    text = squad_text(rows) if task.name == "mlqa" else panx_text(rows, language)
    (name,) = task.inside(language, split)
    with zipfile.ZipFile(path, "w") as out:
        if task.name == "mlqa":
            out.writestr(name, text)
            return
        outer, _, inner = name.rpartition("/")
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            info = tarfile.TarInfo(f"./{inner}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        out.writestr(outer, made.getvalue())


@pytest.mark.parametrize("name", LINKED)
def test_made_up_rows_are_the_same_both_ways(
    name: str, tmp_path: Path, lay_out: Callable[..., Task], fixture: Callable[[str], Any]
) -> None:
    """The fixture's rows, in the hub's layout and in the archive's."""
    made, task = fixture(name), tasks.load(name)
    language, split = made["language"], made["split"]
    (rows,) = made["files"].values()
    lay_out(task, made["files"], language, tmp_path / "hub")
    as_published(task, rows, language, split, tmp_path / "link")
    assert len(rows) >= made["rows"] > 0
    ways = [read.read_split(task, tmp_path / way, language, split) for way in ("hub", "link")]
    assert ways[0] == ways[1]


def hub_cells(task: Task) -> list[tuple[Split, str]]:
    """Some (split, language) of a task that the mirror holds: every script, not every language."""
    some = {"en", "ar", "my", "th", "zh", "hi", "vi"}
    folder = Path(str(MIRROR)) / "datasets" / task.dataset
    out: list[tuple[Split, str]] = []
    for split in task.splits:
        for language in sorted(some & {*task.languages}):
            try:
                read.raw_files(task, folder, language, split)
            except UserError:
                continue
            out.append((split, language))
    return out


@mirrored
@pytest.mark.parametrize("name", LINKED)
def test_real_rows_are_the_same_both_ways(name: str, tmp_path: Path) -> None:
    """Quotes, colons, line feeds and scripts that made-up rows lack."""
    task = tasks.load(name)
    folder = Path(str(MIRROR)) / "datasets" / task.dataset
    cells = hub_cells(task)
    assert cells
    for split, language in cells:
        place = tmp_path / f"{language}-{split}"
        (path,) = read.raw_files(task, folder, language, split)
        as_published(task, pq.read_table(path).to_pylist(), language, split, place)
        assert read.read_split(task, place, language, split) == read.read_split(
            task, folder, language, split
        )


@mirrored
def test_xtremes_own_rows_pass_through_the_reader_of_treebanks() -> None:
    """Its published development rows, written as a treebank: nothing is taken off them."""
    for path in sorted(Path(str(MIRROR)).glob("datasets/google/xtreme/udpos.*/validation*")):
        rows = pq.read_table(path).to_pylist()
        lines = []
        for row in rows:
            for number, (token, tag) in enumerate(
                zip(row["tokens"], row["pos_tags"], strict=True), start=1
            ):
                lines.append(f"{number}\t{token}\t_\t{UPOS[tag]}\t_\t_\t0\t_\t_\t_\n")
            lines.append("\n")
        found = list(treebanks.sentences(lines, "xx"))
        assert [one["tokens"] for one in found] == [one["tokens"] for one in rows]
        tags = [[UPOS[tag] for tag in one["pos_tags"]] for one in rows]
        assert [one["pos_tags"] for one in found] == tags


@pytest.mark.parametrize("name", [*LINKED, "udpos", "bucc"])
def test_an_archive_with_other_bytes_is_refused_and_none_of_it_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that was changed, or a page that says it is gone, is not what was published."""
    monkeypatch.chdir(tmp_path)
    task = tasks.load(name)
    split: Split = "validation"
    language = task.languages[0]
    urls = task.addresses(language, split)
    for url in urls:
        path = tmp_path / "mirror" / url_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"<html>gone</html>")
    spec = Fetch(
        source=f"mirror:{tmp_path / 'mirror'}", dataset=task.dataset, revision=None, urls=urls
    )
    study: Any = SimpleNamespace(study="s", fetch={"k": spec})
    with pytest.raises(UserError, match=r"sha256 .* differs from the task's pin .*Mend: ") as told:
        fetch.run(study, "k", Observe(quiet=True))
    assert len(str(told.value).splitlines()) == 1
    assert not [path for path in Path("data").rglob("*") if path.is_file()]


@pytest.mark.parametrize("way", ["hub", "link"])
def test_a_mirror_may_have_a_data_set_either_way(
    way: str, tmp_path: Path, lay_out: Callable[..., Task], fixture: Callable[[str], Any]
) -> None:
    """As the hub lays it out, which mirrors have had so far, or the file that is downloaded."""
    made, task = fixture("mlqa"), tasks.load("mlqa")
    language, split = made["language"], made["split"]
    root, out = tmp_path / "mirror", tmp_path / "out"
    place = root if way == "link" else root / "datasets" / task.dataset
    if way == "hub":
        lay_out(task, made["files"], language, place)
    else:
        as_published(task, made["files"]["mlqa.es.es/test"], language, split, place)
    urls = dict.fromkeys(task.addresses(language, split))  # of made-up rows no hash is known
    configs = {"mlqa.es.es": ["test"]}
    spec = Fetch(
        source=f"mirror:{root}", dataset=task.dataset, revision=None, urls=urls, configs=configs
    )
    obtain.dataset(spec, out, Observe(quiet=True))
    assert (out / "urls").exists() == (way == "link")
    assert len(read.read_split(task, out, language, split).rows) == made["rows"]


@pytest.mark.parametrize("source", ["hub", "mirror:/x"])
def test_the_hub_is_asked_by_url_and_a_mirror_in_both_ways(
    source: str, on_hub: Callable[..., dict[str, Any]]
) -> None:
    """No commit of the hub is needed then; BUCC is in no other way."""
    study = on_hub(source)
    asked = {"source_language": "en", "protocol": "xtreme"}
    study["targets"] |= {"mlqa": asked, "bucc": {**asked, "languages": ["de"], "layer": 1}}
    found = compile_study(Study.model_validate(study), "small")["fetch"]
    mlqa, bucc, xnli = (
        found[key] for key in ("facebook--mlqa", "bucc--bucc2018", "facebook--xnli")
    )
    assert bool(mlqa["configs"]) == (source != "hub")
    assert list(mlqa["urls"]) == ["https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip"]
    assert (len(bucc["urls"]), bucc["configs"]) == (2, {})
    assert (xnli["urls"], len(xnli["configs"])) == ({}, 15)
