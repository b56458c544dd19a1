"""Targets as their protocols have them, and their published rows, through fetch and prepare."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from xstilts import tasks
from xstilts.benchmarks import protocols
from xstilts.core import params
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.rows import read
from xstilts.sources import card
from xstilts.sources.places import url_path
from xstilts.stages import fetch, prepare
from xstilts.tasks import lareqa, squad_retrieval
from xstilts.tasks.base import Split, Task

MIRROR = os.environ.get("XSTILTS_MIRROR")
GOLDEN = os.environ.get("XSTILTS_GOLDEN")
mirrored = pytest.mark.skipif(not MIRROR, reason="XSTILTS_MIRROR names no mirror")
OUTSIDE = {"udpos_2_7": "xtreme-r"}  # scored by a protocol's rules, and in none of its averages
TARGETS = sorted(
    {*OUTSIDE} | {task for one in protocols.PROTOCOLS.values() for task in one.languages}
)
QUIET = Observe(quiet=True)


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_a_protocol_and_its_tasks_say_the_same(name: str) -> None:
    """Two lists of languages that part would give two averages under one name."""
    protocol = protocols.PROTOCOLS[name]
    official = {
        task.name: tuple(sorted(task.official.get(name, task.languages)))
        for task in tasks.TASKS.values()
        if name in task.protocols and not task.name.startswith("world_")
        if OUTSIDE.get(task.name) != name
        if not KINDS[task.kind].decodes  # no benchmark of these papers has them
    }
    assert official == dict(protocol.languages)
    for target in official:
        task = tasks.load(target)
        assert protocol.metrics[target] == task.metric
        trained = [*task.train_before, task.train_task or task.name]
        how = ", then ".join(trained) if KINDS[task.kind].trained else "none"
        assert protocol.training[target] == how


def test_languages_are_as_many_as_published() -> None:
    """Against XTREME's table 1 and XTREME-R's table 2, so that both lists cannot lose one alike."""
    counts = {
        name: {task: len(languages) for task, languages in one.languages.items()}
        for name, one in protocols.PROTOCOLS.items()
    }
    shared = {"xnli": 15, "mlqa": 7, "tydiqa": 9}
    xtreme = {"paws_x": 7, "udpos": 33, "wikiann": 40, "xquad": 11, "bucc": 4, "tatoeba": 36}
    assert counts["xtreme"] == counts["x-stilts"] == shared | xtreme
    new = {"xcopa": 11, "udpos": 38, "wikiann": 48, "xquad": 12, "tatoeba": 41}
    assert counts["xtreme-r"] == shared | new | {"mewsli_x": 11, "lareqa": 11}


@pytest.mark.parametrize("name", TARGETS)
def test_what_trains_a_target_fits_under_its_head(name: str) -> None:
    """XCOPA goes from three choices to two, so only the kind has to be one; labels are lists."""
    task = tasks.load(name)
    for other in [*task.train_before, *([task.train_task] if task.train_task else [])]:
        trained = tasks.load(other)
        assert trained.kind == task.kind
        assert "en" in trained.train_languages
        assert "train" in {*trained.splits, *trained.urls}


def cells(task: Task) -> list[tuple[Split, str]]:
    """(split, language) of a task that the mirror holds."""
    facts = card.read_file(Path(str(MIRROR)) / "datasets" / task.dataset)
    out: list[tuple[Split, str]] = []
    splits: list[Split] = ["train", "validation", "test", "candidates"]
    for split in (one for one in splits if one in {*task.splits, *task.urls}):
        for language in task.train_languages if split == "train" else task.languages:
            if split not in task.splits:
                urls = task.addresses(language, split)
                have = all((Path(str(MIRROR)) / url_path(url)).exists() for url in urls)
            else:
                config, source = task.source(language, split)
                have = source in card.splits(facts, config)
            out += [(split, language)] if have else []
    return out


def run(task: Task, folder: Path) -> Any:
    """Fetch and prepare all that the mirror has of a task; the statistics."""
    splits: dict[str, list[str]] = {}
    configs: dict[str, list[str]] = {}
    urls: dict[str, str | None] = {}
    for split, language in cells(task):
        splits.setdefault(split, []).append(language)
        if split not in task.splits:
            urls |= task.addresses(language, split)
            continue
        config, source = task.source(language, split)
        configs[config] = list(dict.fromkeys([*configs.get(config, []), source]))
    if not splits:
        pytest.skip(f"the mirror has no {task.name}")
    wanted: Any = {"source": "mirror:$XSTILTS_MIRROR", "dataset": task.dataset, "urls": urls}
    spec = params.Fetch(revision=task.revision, configs=configs, **wanted)
    fetch.run(SimpleNamespace(study="s", fetch={"k": spec}), "k", QUIET)  # type: ignore[arg-type]
    fetched = f"data/fetch/s/{task.dataset.replace('/', '--')}"
    made = params.Prepare(
        task=task.name, role="targets", fetched=fetched, out=str(folder / "out"), splits=splits
    )
    prepare.run(SimpleNamespace(study="s", prepare={"k": made}), "k", QUIET)  # type: ignore[arg-type]
    return json.loads(Path("statistics/s/k.json").read_text(encoding="utf-8"))


@mirrored
@pytest.mark.parametrize("name", [*TARGETS, "squad_retrieval"])
def test_all_rows_of_the_mirror_come_through(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows written and left out are as many as the mirror's own manifest says its files have."""
    monkeypatch.chdir(tmp_path)
    task = tasks.load(name)
    counts = run(task, tmp_path)
    listed = json.loads((Path(str(MIRROR)) / "manifest.json").read_text(encoding="utf-8"))
    prefix = f"datasets/{task.dataset}/" if task.splits else ""
    found: Counter[tuple[Split, str]] = Counter()
    expected: dict[tuple[Split, str], int] = {}
    for split, language in cells(task):
        one = counts["splits"][split][language]
        table = pq.read_table(tmp_path / f"out/{language}.{split}.parquet")
        assert table.schema.equals(KINDS[task.kind].schema)
        assert table.num_rows == one["rows"] > 0
        assert len(set(table["id"].to_pylist())) == one["rows"]
        fetched = tmp_path / "data/fetch/s" / task.dataset.replace("/", "--")
        files = read.raw_files(task, fetched, language, split)
        names = [f"{prefix}{path.relative_to(fetched).as_posix()}" for path in files]
        if name == "lareqa":  # eleven files make a language's rows; see the next test
            continue
        found[split, names[0]] += one["rows"] + one["dropped"]
        expected[split, names[0]] = sum(listed[path]["rows"] for path in names)
        if name == "tydiqa":
            rest = one.get("elsewhere", 0)
            assert one["rows"] + one["dropped"] + rest == expected[split, names[0]]
    assert dict(found) == expected


@mirrored
def test_lareqa_has_the_official_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """13,090 questions over 13,014 sentences; what is relevant exists, in all eleven languages."""
    monkeypatch.chdir(tmp_path)
    run(lareqa.TASK, tmp_path)
    pool: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for language in lareqa.TASK.languages:
        table = pq.read_table(tmp_path / f"out/{language}.candidates.parquet")
        sizes[language] = table.num_rows
        pool |= dict.fromkeys(table["id"].to_pylist(), language)
    published = {"ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244}
    published |= {"ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196}
    assert sizes == published
    assert len(pool) == 13_014
    relevant: dict[str, list[str]] = {}
    for language in lareqa.TASK.languages:
        table = pq.read_table(tmp_path / f"out/{language}.test.parquet")
        assert table.num_rows == 1190
        relevant |= dict(zip(table["id"].to_pylist(), table["relevant"].to_pylist(), strict=True))
    assert len(relevant) == 13_090
    for names in relevant.values():
        assert len(set(names)) == len(names)
        assert {pool[name] for name in names} == set(lareqa.TASK.languages)
    if GOLDEN:
        golden = json.loads((Path(GOLDEN) / "retrieval/lareqa_xquad_r_counts.json").read_text())
        for language, counts in golden["expected"].items():
            pairs = sum(
                pool[name] == language
                for question, names in relevant.items()
                for name in names
                if question.endswith(f"_{language}")
            )
            have = {"questions": 1190, "candidates": sizes[language], "relevant_pairs": pairs}
            assert have == counts


def test_mewsli_x_comes_from_three_configs(
    tmp_path: Path,
    lay_out: Callable[..., Task],
    fixture: Callable[[str], Any],
) -> None:
    """Pairs to train on, mentions of a language, and one pool of candidates for all of them."""
    made = fixture("mewsli_x")
    task = lay_out(tasks.load("mewsli_x"), made["files"], "en", tmp_path)
    (query,) = read.read_split(task, tmp_path, "en", "test").rows
    (candidate,) = read.read_split(task, tmp_path, "mul", "candidates").rows
    assert query["relevant"] == [candidate["id"]] == ["Q00000"]
    assert (query["positive"], candidate["relevant"]) == (None, [])
    assert candidate["text"] == "Bo hat eine Mühle."
    assert all(row["positive"] for row in read.read_split(task, tmp_path, "en", "train").rows)


@mirrored
def test_sentences_end_where_lareqa_has_them_end() -> None:
    """On its English paragraphs: another sentence for 7 of 1,190 questions, and for no more."""
    (url,) = (url for url in lareqa.FILES if url.endswith("/en.json"))
    document = json.loads((Path(str(MIRROR)) / url_path(url)).read_text(encoding="utf-8"))
    same = 0
    for paragraph in (one for article in document["data"] for one in article["paragraphs"]):
        ours = list(squad_retrieval.breaks(paragraph["context"]))
        theirs = [tuple(pair) for pair in paragraph["sentence_breaks"]]
        for question in paragraph["qas"]:
            start = question["answers"][0]["answer_start"]
            found = [
                [one for one in breaks if one[0] <= start < one[1]] for breaks in (ours, theirs)
            ]
            same += found[0] == found[1]
    assert same == 1183


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        (' "One." (Two.) Three. ', ['"One."', "(Two.)", "Three."]),
        ("Dr. Orla met St. Bo. Then she left.", ["Dr. Orla met St. Bo.", "Then she left."]),
        (
            "J. A. Mill wrote No. 5 of it. It rained.",
            ["J. A. Mill wrote No. 5 of it.", "It rained."],
        ),
        ("It is in Unit E. The mill stood.", ["It is in Unit E.", "The mill stood."]),
        ("As said.[12][note 1] New.", ["As said.[12][note 1]", "New."]),
        ("  ", []),
    ],
)
def test_sentences_of_plain_english(text: str, sentences: list[str]) -> None:
    """Titles, initials, numbers and notes; white space around a sentence is not part of it."""
    assert [text[start:end] for start, end in squad_retrieval.breaks(text)] == sentences


def test_words_of_udpos_have_no_spaces_in_them() -> None:
    """French `10 000` is one word there, and the scripts write it as one."""
    row = {"tokens": ["10 000", "\u0645\u06cc\u200c\u0634\u0648\u062f"], "pos_tags": [8, 15]}
    made = tasks.load("udpos_2_7").convert(row, "fr")
    assert made == {"tokens": ["10000", "\u0645\u06cc\u0634\u0648\u062f"], "tags": [8, 15]}
