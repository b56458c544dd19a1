"""All metrics on XTREME's own mock submission, per task and language.

Run: XSTILTS_GOLDEN=<folder> python -m pytest tests/metrics/test_metric_xtreme.py
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.metrics import METRICS

# task -> reader, metric, report it is compared with
TASKS = {
    "xnli": ("lines", "accuracy", ("xtreme", "seqeval_0.0.12")),
    "pawsx": ("lines", "accuracy", ("xtreme", "seqeval_0.0.12")),
    "tatoeba": ("lines", "retrieval_accuracy", ("xtreme", "seqeval_0.0.12")),
    "xcopa": ("jsonl", "accuracy", ("xtreme-r", "seqeval_any")),
    "panx": ("tags", "entity_f1", ("xtreme", "seqeval_0.0.12")),
    "udpos": ("tags", "entity_f1", ("xtreme", "seqeval_0.0.12")),
    "panx 1.2.2": ("tags", "entity_f1_seqeval_1_2_2", ("xtreme", "seqeval_1.2.2")),
    "udpos 1.2.2": ("tags", "entity_f1_seqeval_1_2_2", ("xtreme", "seqeval_1.2.2")),
    "xquad": ("squad", "squad_f1", ("xtreme", "seqeval_0.0.12")),
    "tydiqa": ("squad", "squad_f1", ("xtreme", "seqeval_0.0.12")),
    "mlqa": ("squad", "mlqa_f1", ("xtreme", "seqeval_0.0.12")),
}
SUFFIX = {"lines": "tsv", "tags": "tsv", "squad": "json", "jsonl": "jsonl"}


def _tags(text: str) -> list[list[str]]:
    """Sentences as evaluate.py reads them: a blank line ends one, two make an empty one."""
    sentences: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            sentences[-1].append(line.strip())
        else:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def _read(reader: str, labels: Path, predictions: Path) -> tuple[list[Any], list[Any]]:
    """(predictions, references) of one language."""
    gold, ours = labels.read_text(encoding="utf-8"), predictions.read_text(encoding="utf-8")
    if reader == "lines":
        return [x.strip() for x in ours.splitlines()], [x.strip() for x in gold.splitlines()]
    if reader == "jsonl":
        by_row = [
            [json.loads(line)["label"] for line in text.splitlines()] for text in (ours, gold)
        ]
        return by_row[0], by_row[1]
    if reader == "tags":
        return _tags(ours), _tags(gold)
    answers = json.loads(ours)
    questions = [
        question
        for article in json.loads(gold)["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    references = [[answer["text"] for answer in q["answers"]] for q in questions]
    return [answers.get(question["id"]) for question in questions], references


@pytest.mark.parametrize("name", TASKS)
def test_equals_the_official_report(
    name: str, golden: Callable[[str], Any], golden_folder: Path
) -> None:
    """Every language of the task, and each value that the official report has with ours."""
    reader, metric_name, (version, seqeval) = TASKS[name]
    task, metric = name.split()[0], METRICS[metric_name]
    report = golden("xtreme_mock/expected.json")[version][seqeval][task]
    mock = golden_folder / "xtreme_mock"
    for language in report[metric.main]:
        file = f"{task}/test-{language}.{SUFFIX[reader]}"
        score = metric.score(
            *_read(reader, mock / "labels" / file, mock / "predictions" / file), language
        )
        for key in score.keys() & report.keys():
            official = report[key][language]
            assert score[key] == pytest.approx(official, abs=1e-6), (key, language)
