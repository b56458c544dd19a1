"""transformers' `Trainer` as its documentation has it, on features of the kit.

Used by bench/side_trainer.py and bench/gpu.py. As a script it trains one update, for the time
that a process takes to its first:

    python bench/rivals.py CHECKPOINT rows.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForMultipleChoice,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

Row = dict[str, Any]
MODELS = {
    "classification": "AutoModelForSequenceClassification",
    "multiple_choice": "AutoModelForMultipleChoice",
    "span": "AutoModelForQuestionAnswering",
    "tagging": "AutoModelForTokenClassification",
    "mlm": "AutoModelForMaskedLM",
}
IGNORED = -100


def rows_of(features: Sequence[Any], kind: str) -> list[Row]:
    """Features of the kit as the collators expect them."""
    return [_row(feature, kind) for feature in features]


def _row(feature: Any, kind: str) -> Row:
    ids = [list(map(int, one)) for one in feature["ids"]]
    if kind == "multiple_choice":
        mask = [[1] * len(one) for one in ids]
        return {"input_ids": ids, "attention_mask": mask, "labels": feature["label"]}
    row = {"input_ids": ids[0], "attention_mask": [1] * len(ids[0])}
    if kind == "tagging":
        tags = dict(zip(feature["places"], feature["tags"], strict=True))
        return row | {"labels": [tags.get(place, IGNORED) for place in range(len(ids[0]))]}
    names = {"label": "labels", "start": "start_positions", "end": "end_positions"}
    return row | {new: feature[old] for old, new in names.items() if old in feature}


def collator(kind: str, tokenizer: Any, **more: Any) -> Any:
    """The one that pads to the longest of a batch."""
    made = {
        "multiple_choice": DataCollatorForMultipleChoice,
        "tagging": DataCollatorForTokenClassification,
        "mlm": DataCollatorForLanguageModeling,
    }
    return made.get(kind, DataCollatorWithPadding)(tokenizer, **more)


def load(folder: Path, kind: str, labels: int) -> Any:
    """A checkpoint under a fresh head."""
    named = {"num_labels": labels} if kind in ("classification", "tagging") else {}
    return getattr(transformers, MODELS[kind]).from_pretrained(folder, **named)


class InOrder(Trainer):
    """A `Trainer` that takes its rows as they come."""

    def _get_train_sampler(self, *given: Any, **more: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


class Each(TrainerCallback):
    """Calls a function after each update."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self.done = done

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """The number of updates that are done."""
        self.done(state.global_step)


def trainer(
    model: Any, collate: Any, features: list[Row], folder: str, steps: int, batch: int, **more: Any
) -> Trainer:
    """A `Trainer` of so many updates, its own settings otherwise, that says and saves nothing."""
    settings = {
        "max_steps": steps,
        "per_device_train_batch_size": batch,
        "learning_rate": 1e-5,
        "warmup_steps": 0.1,
        "weight_decay": 0.01,
        "logging_strategy": "no",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    made = InOrder(
        model, TrainingArguments(folder, **settings | more), collate, train_dataset=features
    )
    made.remove_callback(PrinterCallback)
    return made


def product(side: int, times: int) -> float:
    """Operations a second of the fastest of some float32 products."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def first_update(folder: Path, path: Path) -> None:
    """Train one update of classification on pairs of texts, and say so."""
    words = AutoTokenizer.from_pretrained(folder)
    pairs = json.loads(path.read_text(encoding="utf-8"))
    found = words([a for a, _ in pairs], [b for _, b in pairs], truncation=True, max_length=128)
    rows = [{**{name: found[name][i] for name in found}, "labels": 0} for i in range(len(pairs))]
    with tempfile.TemporaryDirectory() as out:
        one = trainer(
            load(folder, "classification", 3),
            collator("classification", words),
            rows,
            out,
            steps=1,
            batch=8,
            use_cpu=True,
        )
        one.add_callback(Each(lambda step: print("first update", flush=True)))
        one.train()


if __name__ == "__main__":
    first_update(Path(sys.argv[1]), Path(sys.argv[2]))
