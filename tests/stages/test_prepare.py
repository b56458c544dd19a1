"""`prepare` on made-up rows in a published shape: schema, counts, leaks, and every refusal."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xstilts import tasks
from xstilts.core import params as parameters
from xstilts.core.errors import UserError
from xstilts.core.files import read_parquet, sha256_file
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.sources import manifest
from xstilts.stages import prepare

QUIET = Observe(quiet=True)
RAW = Path("data/fetch/raw")
NLI = [
    {"premise": "Orla built the mill.", "hypothesis": "A mill was built.", "label": 0, "idx": 0},
    {"premise": "The bird sleeps.", "hypothesis": "It is a heron.", "label": 1, "idx": 1},
    {"premise": "The door is open.", "hypothesis": "The door is shut.", "label": 2, "idx": 2},
]
CONTEXT = "The mill by the river was built by Orla. Orla sold it."


def answer(text: str, start: int, name: str = "english-1") -> dict[str, Any]:
    answers = {"text": [text], "answer_start": [start]}
    return {"id": name, "context": CONTEXT, "question": "Who?", "answers": answers}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is an empty project."""
    monkeypatch.chdir(tmp_path)


def fetched(config: str, **splits: list[dict[str, Any]]) -> None:
    """Lay out a fetched data set, its manifest included."""
    for split, rows in splits.items():
        path = RAW / config / f"{split}-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
    manifest.write(RAW, "o/n", "c" * 40, "mit")


def run(task: str, **splits: list[str]) -> Any:
    spec = parameters.Prepare(
        task=task, role="targets", fetched=str(RAW), out=f"out/{task}", splits=splits
    )
    made: Any = SimpleNamespace(study="s", prepare={task: spec})
    return prepare.run(made, task, QUIET)


def statistics(task: str) -> Any:
    return json.loads(Path(f"statistics/s/{task}.json").read_text())


def refused(match: str, task: str, **splits: list[str]) -> None:
    """One line with a mend, and nothing is left behind."""
    with pytest.raises(UserError, match=match) as caught:
        run(task, **splits)
    assert "\n" not in str(caught.value)
    assert "Mend: " in str(caught.value)
    assert not Path(f"out/{task}").exists()
    assert not list(Path("out").glob(".*"))
    assert not Path("statistics").exists()


def test_rows_come_in_the_kinds_schema_and_are_counted() -> None:
    """The statistics are what a reviewer sees in git without the data."""
    fetched("mnli", train=[*NLI, {**NLI[0], "label": -1, "idx": 3}], validation_matched=NLI[:1])
    made = run("mnli", train=["en"], validation=["en"])
    table = read_parquet(Path("out/mnli/en.train.parquet"))
    assert table.schema.equals(KINDS["classification"].schema)
    assert table["label"].to_pylist() == [0, 1, 2]
    counts = statistics("mnli")["splits"]["train"]["en"]
    assert counts["labels"] == {"entailment": 1, "neutral": 1, "contradiction": 1}
    assert (counts["rows"], counts["dropped"], counts["unique_inputs"]) == (3, 1, 3)
    assert counts["max_chars"] == len("Orla built the mill." + "A mill was built.")
    assert made["metrics"] == {"rows.train.en": 3.0, "rows.validation.en": 1.0}
    assert json.loads(Path("out/mnli/record.json").read_text()) == made


def test_equal_input_gives_equal_bytes() -> None:
    """Parquet with times or hosts in it would change dvc.lock for nothing."""
    fetched("mnli", train=NLI)
    run("mnli", train=["en"])
    first = {path: sha256_file(path) for path in Path("out/mnli").iterdir()}
    run("mnli", train=["en"])
    assert {path: sha256_file(path) for path in Path("out/mnli").iterdir()} == first


def test_leaked_evaluation_rows_are_counted_by_degree() -> None:
    """Exact; the same but for case, width and punctuation; the same premise only."""
    seen = [
        NLI[0],
        {**NLI[1], "premise": "THE  bird\u00a0sleeps!", "hypothesis": "It is a ｈeron"},
        {**NLI[2], "hypothesis": "Something else."},
        {**NLI[2], "premise": "Quite new.", "hypothesis": "The door is shut."},
    ]
    fetched("mnli", train=NLI, validation_matched=seen)
    run("mnli", train=["en"], validation=["en"])
    leaks = statistics("mnli")["leaks"]["validation"]["en"]
    assert leaks == {"exact": 1, "normalised": 2, "shared_first_text": 3}


def test_languages_of_one_config_are_told_apart() -> None:
    """TyDi QA keeps nine languages in one file; training on the others would not be zero-shot."""
    rows = [answer("Orla", CONTEXT.index("Orla")), answer("Orla", 0, "finnish-1")]
    fetched("secondary_task", train=rows, validation=rows)
    run("tydiqa", train=["en"], validation=["en", "fi"])
    for name, count in (("en.train", 1), ("en.validation", 1), ("fi.validation", 1)):
        assert read_parquet(Path(f"out/tydiqa/{name}.parquet")).num_rows == count
    counts = statistics("tydiqa")["splits"]
    finnish = counts["validation"]["fi"]
    assert (finnish["dropped"], finnish["realigned"]) == (0, 1)
    assert counts["train"]["en"]["elsewhere"] == 1  # what is not trained on, for all to see


def test_double_ids_get_a_number() -> None:
    """Predictions are joined to rows by id."""
    rows = [{**NLI[0], "idx": idx} for idx in (7, 7, 7, 8)]
    fetched("mnli", train=rows)
    run("mnli", train=["en"])
    ids = read_parquet(Path("out/mnli/en.train.parquet"))["id"].to_pylist()
    assert ids == ["7", "7#2", "7#3", "8"]
    assert statistics("mnli")["splits"]["train"]["en"]["renamed_ids"] == 2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"label": 3}, r"train-0\.parquet row 2 \(mnli 2\): label 3 is not in 0\.\.2"),
        ({"label": None}, r"row 2 .*label None"),
        ({"premise": "  "}, r"row 2 .*text_a is empty"),
        ({"premise": None}, r"row 2 .*text_a is empty"),
    ],
)
def test_a_row_that_is_not_valid_is_named(change: dict[str, Any], match: str) -> None:
    """File and row: else a person searches in 400,000 rows."""
    fetched("mnli", train=[*NLI[:2], {**NLI[2], **change}])
    refused(match, "mnli", train=["en"])


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"tokens": ["a", "b"], "pos_tags": [1]}, "2 tokens but 1 tags"),
        ({"tokens": ["a"], "pos_tags": [17]}, r"a tag is not in 0\.\.16"),
        ({"tokens": ["a"], "pos_tags": None}, "1 tokens but 0 tags"),
        ({"tokens": ["a", None], "pos_tags": [1, 1]}, "a token is no text"),
    ],
)
def test_tags_that_fit_no_tokens_are_named(row: dict[str, Any], match: str) -> None:
    """Silently shifted tags would train nonsense."""
    fetched("en", train=[{"tokens": ["x"], "pos_tags": [0]}, row])
    refused(rf"row 1 \(udpos_2_7 1\): {match}", "udpos_2_7", train=["en"])


def test_choices_must_be_there() -> None:
    """An empty choice, or a right one that is not among them."""
    row = {"context": "c", "question": "q", "answerA": "a", "answerB": "b", "answerC": "c"}
    fetched("default", train=[{**row, "label": "4"}])
    refused(r"row 0 .*label 3 is not in 0\.\.2", "siqa", train=["en"])
    fetched("default", train=[{**row, "label": "1", "answerC": " "}])
    refused("fewer than two choices, or an empty one", "siqa", train=["en"])


def test_missing_columns_lost_answers_and_missing_languages_are_named() -> None:
    """Another revision's columns, an answer that is nowhere, no rows of a language."""
    fetched("mnli", train=[{"sentence1": "a", "sentence2": "b", "label": 0, "idx": 0}])
    refused(r"row 0 is not as mnli expects \(KeyError: 'premise'\)", "mnli", train=["en"])
    fetched("secondary_task", validation=[answer("Bo", 3)])
    refused(r"row 0: the answer 'Bo' does not occur", "tydiqa", validation=["en"])
    fetched("secondary_task", validation=[answer("Orla", 35)])
    refused(r"no validation rows of tydiqa in 'te'", "tydiqa", validation=["te"])
    refused(r"no config 'sw' with split 'test'", "xnli", test=["sw"])


def test_raw_files_that_changed_are_refused() -> None:
    """Missing manifest, other bytes, a lost file: each is named."""
    refused(r"manifest\.json is missing", "mnli", train=["en"])
    fetched("mnli", train=NLI)
    path = RAW / "mnli/train-0.parquet"
    pq.write_table(pa.Table.from_pylist(NLI[:2]), path)
    refused(r"train-0\.parquet: sha256 .* differs", "mnli", train=["en"])
    path.unlink()
    refused(r"train-0\.parquet is missing", "mnli", train=["en"])


def test_a_parquet_file_that_was_corrupt_at_its_source_is_one_line() -> None:
    """Its hash is right, as it was fetched that way; a reader's stack trace helps nobody."""
    fetched("mnli", train=NLI)
    path = RAW / "mnli/train-0.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(bytes(content))
    manifest.write(RAW, "o/n", None, None)
    refused(r"train-0\.parquet is (corrupt|not as)", "mnli", train=["en"])


def test_the_hubs_packed_json_lines_are_read_like_parquet() -> None:
    """It keeps Tatoeba as test/afr-eng.jsonl.gz, by its card."""
    row = {"sentence1": "Die reier slaap.", "sentence2": "The heron sleeps.", "lang": "afr-eng"}
    path = RAW / "test/afr-eng.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    files = "{split: test, path: test/afr-eng.jsonl.gz}"
    card = f"---\nconfigs:\n- config_name: afr-eng\n  data_files: [{files}]\n---\n"
    (RAW / "README.md").write_text(card)
    made = manifest.write(RAW, "o/n", "c" * 40, "mit")
    assert made["files"]["test/afr-eng.jsonl.gz"]["rows"] == 1
    run("tatoeba", test=["af"])
    (read,) = read_parquet(Path("out/tatoeba/af.test.parquet")).to_pylist()
    assert read == {"id": "0", "text_a": row["sentence1"], "text_b": row["sentence2"]}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mention": " "}, "text is empty"),
        ({"entity_id": None}, "neither a relevant candidate nor a positive text"),
    ],
)
def test_a_query_has_something_to_find(change: dict[str, Any], match: str) -> None:
    """One without would score 0 whatever a model does."""
    row = {"mention": "Bo: { Bo } sleeps.", "entity_id": "Q0", **change}
    fetched("ar", test=[row])
    refused(rf"row 0 \(mewsli_x 0\): {match}", "mewsli_x", test=["ar"])


def test_candidates_are_prepared_beside_their_queries() -> None:
    """They are no evaluation rows: the leak check does not count them."""
    pair = {"mention": "Bo: { Bo } sleeps.", "entity": "Bo: a miller."}
    fetched("wikipedia_pairs", train=[pair])
    fetched("ar", test=[{"mention": "Bo: { Bo } sleeps.", "entity_id": "Q0"}])
    fetched("candidate_entities", test=[{"entity_id": "Q0", "description": "Bo: a miller."}])
    run("mewsli_x", train=["en"], test=["ar"], candidates=["mul"])
    for name in ("en.train", "ar.test", "mul.candidates"):
        table = read_parquet(Path(f"out/mewsli_x/{name}.parquet"))
        assert (table.num_rows, table.schema) == (1, KINDS["ranking"].schema)
    assert set(statistics("mewsli_x")["leaks"]) == {"test"}


def test_ids_that_others_name_may_not_come_twice() -> None:
    """Elsewhere a number behind the second is enough; here a gold id would be two rows'."""
    fetched("candidate_entities", test=[{"entity_id": "Q0", "description": "x"}] * 2)
    refused("row 1: the id 'Q0' comes twice", "mewsli_x", candidates=["mul"])


def test_a_second_use_of_a_task_has_statistics_of_its_own() -> None:
    """A task may be prepared once to train on and once for its text: neither may overwrite."""
    fetched("mnli", train=NLI)
    spec = parameters.Prepare(
        task="mnli", role="training", fetched=str(RAW), out="out/text", splits={"train": ["en"]}
    )
    made: Any = SimpleNamespace(study="s", prepare={"text-mnli": spec})
    prepare.run(made, "text-mnli", QUIET)
    assert statistics("text-mnli")["task"] == "mnli"


def test_masked_lm_text_is_only_counted() -> None:
    """Pretraining text has no evaluation rows to leak into."""
    rows = [{"id": "0", "text": "Orla built it.", "pair": None}]
    fetched("text", train=rows)
    run("world_text", train=list(tasks.load("world_text").train_languages))
    assert statistics("world_text")["leaks"] == {}
