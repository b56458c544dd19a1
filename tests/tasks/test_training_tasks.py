"""What is peculiar to single training tasks, and would otherwise train without any error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts import tasks
from xstilts.core.errors import UserError
from xstilts.kinds import span
from xstilts.rows import read
from xstilts.tasks.base import Task
from xstilts.tasks.shapes import NLI_LABELS, NO_ANSWER

NLI = {"anli", "mnli", "snli", "indonli", "ocnli", "klue_nli", "farstail", "jnli", "cmnli"}
NLI |= {"kor_nli", "xnli_translated", "anli_plus", "xnli"}
MACHINE = {"xnli_translated", "paws_x_translated", "squad_mlqa_translated", "cmnli", "kor_nli"}
MACHINE |= {"squad_xtreme_translated", "squad_es", "squad_it"}
PAPER = {  # arXiv 2005.13013; Cosmos QA's public files, where the paper has 25,588
    **{"anli_plus": 1_104_934, "mnli": 392_702, "qqp": 363_846, "squad_v2": 130_319},
    **{"squad_v1": 87_599, "hellaswag": 39_905, "ccg": 38_015, "cosmos_qa": 25_262},
    "commonsense_qa": 9_741,
}
Fixture = Callable[[str], dict[str, Any]]


def test_the_papers_nine_tasks_have_their_sizes() -> None:
    """They decide for how many updates a task trains and how often it is drawn in a mix."""
    assert {name: tasks.load(name).train_rows["en"] for name in PAPER} == PAPER


def test_anli_plus_is_what_it_joins() -> None:
    """One head needs one set of labels; the sizes add up to the published one."""
    task = tasks.load("anli_plus")
    joined = [tasks.load(name) for name in task.joins]
    assert {(one.kind, one.labels, one.metric) for one in joined} == {
        (task.kind, task.labels, task.metric)
    }
    assert sum(one.train_rows["en"] for one in joined) == task.train_rows["en"]
    assert not any((task.splits, task.urls, task.members))


def test_all_inference_tasks_number_their_labels_alike() -> None:
    """Mixed under one head, or trained one after another, 0 has to mean entailment throughout."""
    for name in NLI:
        assert tasks.load(name).labels == NLI_LABELS, name


def test_what_is_machine_translated_says_so() -> None:
    """Translated and native rows must not be pooled in one scaling curve."""
    machine = {name for name, task in tasks.TASKS.items() if task.origin == "machine"}
    assert machine == MACHINE


def test_span_tasks_say_whether_a_question_may_have_no_answer() -> None:
    """The kind reads it off the label; without it a null score would never be compared."""
    assert NO_ANSWER == span.NO_ANSWER
    empty = {name for name, task in tasks.TASKS.items() if NO_ANSWER in task.labels}
    assert empty == {"squad_v2", "klue_mrc"}


@pytest.mark.parametrize("name", ["squad_v2", "klue_mrc"])
def test_a_question_without_an_answer_is_kept(
    name: str, tmp_path: Path, lay_out: Callable[..., Task], fixture: Fixture
) -> None:
    """It is a third to a half of the rows, and what the task teaches beyond SQuAD 1.1."""
    made = fixture(name)
    task = lay_out(tasks.load(name), made["files"], made["language"], tmp_path)
    rows = read.read_split(task, tmp_path, made["language"], made["split"])
    assert [bool(row["answers"]) for row in rows.rows] == [True, True, False, True]
    assert rows.unmatched == 0


def test_plausible_answers_are_no_answers() -> None:
    """KLUE-MRC's hub copy puts them where answers are; trained on, they would be wrong spans."""
    looks = {"text": ["강가"], "answer_start": [0]}
    row = {"guid": "g", "context": "강가에 꽃이 있다.", "question": "언제?", "answers": looks}
    convert = tasks.load("klue_mrc").convert
    for impossible, answers in ((True, []), (False, [{"text": "강가", "start": 0}])):
        made = convert({**row, "is_impossible": impossible}, "ko")
        assert made is not None
        assert made["answers"] == answers


@pytest.mark.parametrize("name", sorted(MACHINE - NLI - {"paws_x_translated"}))
def test_a_lost_answer_is_counted_and_not_trained_on(
    name: str, tmp_path: Path, lay_out: Callable[..., Task], fixture: Fixture
) -> None:
    """Translation loses answers; as a row without one it would teach that there is none."""
    made = fixture(name)
    task = lay_out(tasks.load(name), made["files"], made["language"], tmp_path)
    rows = read.read_split(task, tmp_path, made["language"], made["split"])
    assert (len(rows.rows), rows.unmatched) == (3, 1)
    assert all(row["answers"] for row in rows.rows)


def test_a_row_keeps_the_answers_that_are_in_its_text() -> None:
    """CMRC 2018 has rows one of whose answers is not; the others are good."""
    task = tasks.load("cmrc2018")
    assert not task.strict_answers
    native = {name for name, one in tasks.TASKS.items() if one.kind == "span"} - MACHINE
    strict = {name for name in native if tasks.load(name).strict_answers}
    assert strict >= {"squad_v1", "squad_v2", "jaquad", "xquad", "mlqa", "tydiqa"}


def test_rows_of_another_config_are_found() -> None:
    """KorNLI's validation rows lie apart from its training rows."""
    task = tasks.load("kor_nli")
    assert task.source("ko", "train") == ("multi_nli", "train")
    assert task.source("ko", "validation") == ("xnli", "validation")


def test_each_language_has_its_own_file_and_hash() -> None:
    """One hash for ten files would refuse nine of them."""
    task = tasks.load("squad_xtreme_translated")
    found = {
        address
        for split in task.urls
        for language in task.languages
        for address in task.addresses(language, split).items()
    }
    assert len(found) == len({pin for _, pin in found}) == 20


def test_a_wikipedia_row_is_short() -> None:
    """A model reads 512 tokens at most; whole articles would fill the disk for nothing."""
    made = tasks.load("wikipedia").convert({"id": 7, "text": "mto " * 5000}, "sw")
    assert made is not None
    assert len(made["text"]) <= 2000
    assert tasks.load("wikipedia").convert({"id": 8, "text": " \n"}, "sw") is None


def test_supertags_come_from_the_users_files(
    tmp_path: Path, lay_out: Callable[..., Task], fixture: Fixture
) -> None:
    """CCGbank is licensed: its categories cannot be listed here, and both splits need the same."""
    made = fixture("ccg")
    task = lay_out(tasks.load("ccg"), made["files"], "en", tmp_path)
    (tmp_path / "tags_to_id.json").write_text("{}")  # jiant's, which is not needed
    labels = read.labelled(task, tmp_path).labels
    assert labels == tuple(sorted(labels))
    assert len(labels) == 7
    for split in task.members:
        rows = read.read_split(task, tmp_path, "en", split).rows
        named = [[labels[tag] for tag in row["tags"]] for row in rows]
        assert named == [row["tags"] for row in made["files"][split]]


@pytest.mark.parametrize("text", ["Herons sleep . N N .\n", None])
def test_a_ccg_folder_that_is_not_as_described_is_one_clear_error(
    text: str | None, tmp_path: Path
) -> None:
    """People make these files themselves."""
    if text is not None:
        for (name,) in tasks.load("ccg").members.values():
            (tmp_path / name).write_text(text)
    labels_from = tasks.load("ccg").labels_from
    assert labels_from is not None
    with pytest.raises(UserError, match=r"ccg.train is not as expected.*Mend"):
        labels_from(tmp_path)
