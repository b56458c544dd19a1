"""Rows of five tasks for bench/speed.py: real ones from a mirror, or words as long as real rows.

    python bench/rows.py        prints LENGTHS anew, from a mirror that has XLM-R's tokenizer

A checkpoint of 8,000 pieces gets a tokenizer that is trained on the mirror's rows; one of XLM-R's
vocabulary gets XLM-R's, where a folder below `models/` of the mirror has it. Without either, rows
are made up of random words, a token each, as many as real rows have tokens (LENGTHS).
"""

from __future__ import annotations

import os
import pprint
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from xstilts import tasks
from xstilts.core.params import Part
from xstilts.core.progress import Observe
from xstilts.kinds.spec import KINDS
from xstilts.model import tokenizer, unigram
from xstilts.rows import read
from xstilts.sources import obtain
from xstilts.tasks.base import Split

Row = dict[str, Any]
MIRROR = "XSTILTS_MIRROR"
XLMR = 250_037  # rows of the vectors that XLM-R's tokenizer goes with in multilingual-e5-small
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
CHOICES = 4


@dataclass(frozen=True)
class Task:
    """What is trained and predicted, and where its rows are from."""

    title: str
    kind: str
    batch: int
    max_length: int
    source: str  # one of xstilts.tasks
    languages: tuple[str, ...]
    split: Split = "train"
    labels: int = 1
    metric: str = "accuracy"

    def part(self, name: str) -> Part:
        """As a study has it."""
        labels = [str(number) for number in range(self.labels)]
        return Part(
            task=name,
            kind=self.kind,
            rows_kind=self.kind,
            labels=labels,
            metric=self.metric,
            language=self.languages[0],
            rows="rows.parquet",
            max_length=self.max_length,
            stride=128,
        )


MANY = ("en", "de", "es", "sw", "ur", "zh", "ar", "bg", "el", "fr", "hi", "ru", "th", "tr", "vi")
TASKS = {
    "nli": Task("NLI", "classification", 32, 128, "mnli", ("en",), labels=3),
    "choice": Task("multiple choice", "multiple_choice", 16, 256, "cosmos_qa", ("en",)),
    "qa": Task("span QA", "span", 16, 384, "squad_v1", ("en",), metric="squad_f1"),
    "tags": Task("tagging", "tagging", 32, 128, "udpos_2_7", ("en",), labels=17),
    "mlm": Task("masked LM", "mlm", 32, 128, "xnli", MANY, "validation"),
}
# Tokens of XLM-R without special ones, at 0, 10 ... 100 % of the rows: MNLI (a carve of XNLI's
# validation rows), Cosmos QA, SQuAD 1.1 (a carve of XQuAD's), UD 2.7 English, XNLI's sentences in
# 15 languages. Numbers alone: `python bench/rows.py` measures them.
LENGTHS: dict[str, dict[str, tuple[int, ...]]] = {
    "nli": {
        "a": (5, 10, 15, 18, 21, 24, 28, 32, 36, 41, 62),
        "b": (4, 7, 9, 9, 10, 12, 13, 14, 15, 18, 30),
    },
    "choice": {
        "a": (42, 67, 76, 83, 90, 98, 106, 116, 128, 146, 213),
        "b": (1, 7, 9, 9, 9, 10, 12, 13, 15, 19, 48),
    },
    "qa": {
        "a": (37, 109, 126, 137, 153, 171, 184, 211, 255, 290, 685),
        "b": (4, 9, 10, 12, 13, 14, 15, 16, 17, 20, 37),
    },
    "tags": {"a": (1, 6, 9, 13, 16, 20, 24, 28, 34, 44, 249)},
    "mlm": {"a": (1, 8, 10, 11, 13, 14, 16, 19, 23, 31, 94)},
}


def rows(name: str, count: int, vocabulary: int, real: bool) -> list[Row]:
    """So many rows of a task, spread over its languages."""
    if not real:
        return list(_made_up(name, count, vocabulary))
    found = published(name)
    order = np.random.default_rng(0).permutation(len(found))
    return [found[int(place)] for place in np.resize(order, count)]


@cache
def published(name: str) -> list[Row]:
    """A task's rows in the mirror, by way of `fetch` and `prepare`."""
    task = TASKS[name]
    known = tasks.load(task.source)
    configs: dict[str, list[str]] = {}
    for language in task.languages:
        config, split = known.source(language, task.split)
        configs.setdefault(config, []).append(split)
    spec = SimpleNamespace(
        source=f"mirror:${MIRROR}",
        dataset=known.dataset,
        revision=known.revision,
        configs=configs,
        urls={},
        place=None,
        world=None,
    )
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        obtain.dataset(spec, Path(place), Observe(quiet=True))
        for language in task.languages:
            found += read.read_split(known, Path(place), language, task.split).rows
    if task.kind != "mlm":
        return found
    texts = dict.fromkeys(text for row in found for text in KINDS[known.kind].texts(row) if text)
    return [{"text": text, "pair": None} for text in texts]


def _parts(name: str, row: Row) -> dict[str, str]:
    """The texts of a row whose lengths decide how long its sequences are."""
    match TASKS[name].kind:
        case "classification":
            return {"a": row["text_a"], "b": row["text_b"] or ""}
        case "multiple_choice":
            return {"a": f"{row['context']} {row['question']}", "b": row["choices"][0]}
        case "span":
            return {"a": row["context"], "b": row["question"]}
        case "tagging":
            return {"a": " ".join(row["tokens"])}
        case _:
            return {"a": row["text"]}


def _made_up(name: str, count: int, vocabulary: int) -> Iterator[Row]:
    """Rows of random words, as long as real ones."""
    rng = np.random.default_rng(sum(map(ord, name)))
    places = np.linspace(0, 1, 11)

    def words(part: str) -> list[str]:
        length = round(float(np.interp(rng.random(), places, LENGTHS[name][part])))
        drawn = rng.integers(len(SPECIAL), vocabulary - 1, max(1, length))
        return [f"w{number}" for number in drawn.tolist()]

    for number in range(count):
        yield {"id": str(number), **_made_row(TASKS[name], words, rng)}


def _made_row(task: Task, words: Callable[[str], list[str]], rng: np.random.Generator) -> Row:
    """A row of a kind."""
    first = words("a")
    match task.kind:
        case "classification":
            label = int(rng.integers(task.labels))
            return {"text_a": " ".join(first), "text_b": " ".join(words("b")), "label": label}
        case "multiple_choice":
            choices = [" ".join(words("b")) for _ in range(CHOICES)]
            told = {"context": " ".join(first), "question": "", "choices": choices}
            return {**told, "label": int(rng.integers(CHOICES))}
        case "span":
            place = int(rng.integers(len(first)))
            start = sum(len(word) + 1 for word in first[:place])
            answers = [{"text": first[place], "start": start}]
            return {
                "context": " ".join(first),
                "question": " ".join(words("b")),
                "answers": answers,
            }
        case "tagging":
            return {"tokens": first, "tags": rng.integers(task.labels, size=len(first)).tolist()}
        case _:
            return {"text": " ".join(first), "pair": None}


def write_tokenizer(folder: Path, vocabulary: int) -> bool:
    """A tokenizer of at most so many pieces; whether it is one for real text."""
    place = os.environ.get(MIRROR)
    if place and vocabulary < XLMR:
        some = ((name, row) for name in TASKS for row in published(name)[:2000])
        texts = (text for name, row in some for text in _parts(name, row).values())
        unigram.train_unigram(texts, vocabulary, folder)
        return True
    if place and (known := _xlmr(Path(place))):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(known / name, folder / name)
        return True
    word_pieces(vocabulary).save_pretrained(folder)
    return False


def _xlmr(mirror: Path) -> Path | None:
    """A checkpoint of the mirror with XLM-R's vocabulary."""
    found = sorted(path.parent for path in mirror.glob("models/*/*/tokenizer.json"))
    return next((one for one in found if XLMR - 40 < len(tokenizer.load(one)) <= XLMR), None)


def word_pieces(vocabulary: int) -> PreTrainedTokenizerFast:
    """A word a piece, in the layout of XLM-R."""
    names = [*SPECIAL, *words(vocabulary), "<mask>"]
    known = Tokenizer(
        models.WordLevel({name: number for number, name in enumerate(names)}, "<unk>")
    )
    known.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    known.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    named = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    named |= {"unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=known, model_input_names=["input_ids", "attention_mask"], **named
    )


def words(vocabulary: int) -> list[str]:
    """The words that have a piece."""
    return [f"w{number}" for number in range(len(SPECIAL), vocabulary - 1)]


def main() -> None:
    """Measure LENGTHS."""
    known = _xlmr(Path(os.environ[MIRROR]))
    if known is None:
        raise SystemExit("the mirror has no tokenizer of XLM-R's size below models/")
    words, found = tokenizer.load(known), {}
    for name in TASKS:
        parts = [_parts(name, row) for row in published(name)]
        for part in parts[0]:
            ids = words([one[part] for one in parts], add_special_tokens=False, verbose=False)
            lengths = np.quantile([len(one) for one in ids["input_ids"]], np.linspace(0, 1, 11))
            found.setdefault(name, {})[part] = tuple(round(float(one)) for one in lengths)
    pprint.pprint(found, sort_dicts=False, width=100)


if __name__ == "__main__":
    main()
