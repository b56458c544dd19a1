"""What a model is given, and how answers are read: token by token as the official preprocessing.

The golden files (XSTILTS_GOLDEN, folder features) are what google-research/xtreme, commit 838c13b,
makes of real rows, in all three protocols alike. XSTILTS_MIRROR names a mirror that holds a
tokenizer.json of XLM-R in models/intfloat/multilingual-e5-small; without either, tests are skipped.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xstilts.kinds import span, tagging
from xstilts.model import tokenizer as tokenizers

MODEL = Path("models/intfloat/multilingual-e5-small")
IGNORED = -100


@pytest.fixture(scope="module")
def xlmr() -> Any:
    """XLM-R's own tokenizer, as its published tokenizer.json says."""
    folder = Path(os.environ.get("XSTILTS_MIRROR", "/nonexistent")) / MODEL
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"XSTILTS_MIRROR names no mirror with {MODEL}: no tokenizer of XLM-R here")
    return tokenizers.load(folder)


def question_cases(golden_folder: Path) -> list[tuple[Any, Any]]:
    """Each case with its row as the kind has rows."""
    golden = read(golden_folder, "qa_windows.json")
    rows = {row["id"]: row for row in golden["rows"]}
    answered = {
        name: {**row, "answers": [{"text": row["answer"], "start": row["start"]}]}
        for name, row in rows.items()
    }
    return [(case, answered[case["id"]]) for case in golden["cases"]]


def read(golden_folder: Path, name: str) -> Any:
    """One golden file of the features."""
    return json.loads((golden_folder / "features" / name).read_text(encoding="utf-8"))


def windows(case: Any, row: Any, xlmr: Any) -> list[Any]:
    """Our windows of a case."""
    length, step, question = case["settings"]
    return span.encode([row], xlmr, length, step, question)


def test_windows_and_labels_are_the_official_ones(xlmr: Any, golden_folder: Path) -> None:
    """Another window or label is another training set under the same name."""
    for case, row in question_cases(golden_folder):
        ours = [
            {
                "input_ids": feature["ids"][0],
                "first": feature["first"],
                "length": len(feature["words"]),
                "max_context": [int(one) for one in feature["full"]],
                "start_position": feature["start"],
                "end_position": feature["end"],
            }
            for feature in windows(case, row, xlmr)
        ]
        names = list(ours[0])
        official = [{name: one[name] for name in names} for one in case["features"]]
        assert ours == official, (case["id"], case["settings"])


def test_answers_are_the_official_ones_to_the_character(xlmr: Any, golden_folder: Path) -> None:
    """One character more or less loses an exact match."""
    answered = 0
    for case, row in question_cases(golden_folder):
        if "prediction" not in case:
            continue
        outputs = []
        for feature, one in zip(windows(case, row, xlmr), case["features"], strict=True):
            scores = np.stack([one["start_logits"], one["end_logits"]], axis=-1)
            outputs += span.outputs(torch.from_numpy(scores)[None], [feature])
        found = span.decode(outputs, windows(case, row, xlmr), [row], [])
        assert found == [case["prediction"]], case["id"]
        answered += 1
    assert answered


def tagging_cases(golden_folder: Path) -> list[tuple[Any, list[Any], list[str]]]:
    """Each case with its rows as the kind has rows, and the labels."""
    golden = read(golden_folder, "tagging_features.json")
    number = {label: place for place, label in enumerate(golden["labels"])}
    return [
        (
            case,
            [
                {"tokens": row["tokens"], "tags": [number[tag] for tag in row["tags"]]}
                for row in golden["rows"][case["language"]]
            ],
            golden["labels"],
        )
        for case in golden["cases"]
    ]


def test_pieces_of_sentences_are_the_official_ones(xlmr: Any, golden_folder: Path) -> None:
    """Where a sentence is cut, and which token is scored, decides what a tag is judged by."""
    for case, rows, labels in tagging_cases(golden_folder):
        features = tagging.encode(rows, xlmr, case["max_length"], 0)
        ours = []
        for feature in features:
            tags = [IGNORED] * len(feature["ids"][0])
            for place, tag in zip(feature["places"], feature["tags"], strict=True):
                tags[place] = tag
            ours.append(
                {
                    "tags": [labels[tag] for tag in feature["tags"]],
                    "input_ids": feature["ids"][0],
                    "label_ids": tags,
                }
            )
        official = [{name: one[name] for name in ours[0]} for one in case["pieces"]]
        assert ours == official, (case["language"], case["max_length"])
