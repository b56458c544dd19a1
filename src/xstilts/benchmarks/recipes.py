"""What the official scripts train and score with, value by value, and the line that says it.

For XLM-R Large, in the names of a study's settings (core/params.py: Training, Target), so that a
study can be compared with them: compare.py. Read at google-research/xtreme 838c13b for the
protocols `xtreme` and `xtreme-r`, and at nyu-mll/jiant daa5a258 for `x-stilts`; `xstilts protocol`
prints them. What the scripts of Phang et al. leave open, the training on an intermediate task, is
recalled of their paper and marked so. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RECALLED = "recalled of the paper, not verified"
MODEL = "FacebookAI/xlm-roberta-large"  # whose values these are


@dataclass(frozen=True)
class Said:
    """A value of a setting, and the file and line that say it."""

    value: Any
    source: str


Recipe = Mapping[str, Said]


def _of(file: str, **values: tuple[Any, str | int]) -> dict[str, Said]:
    """Settings that one file says: name -> (value, lines)."""
    return {name: Said(value, f"{file}:{lines}") for name, (value, lines) in values.items()}


# google-research/xtreme. What a script does not give is the default of the program that it runs.
_CLASSIFY = _of(
    "third_party/run_classify.py",
    warmup=(0.0, 580),
    weight_decay=(0.0, 568),
    clip=(1.0, 570),
    precision=("fp32", 599),
    evaluate_rows=("all", 256),
    patience=(None, 255),
)
_TAG = _of(
    "third_party/run_tag.py",
    warmup=(0.0, 450),
    weight_decay=(0.0, 439),
    clip=(1.0, 443),
    precision=("fp32", 469),
    evaluate_rows=("all", 196),
    patience=(None, 482),
)
_QA = _of(
    "scripts/train_qa.sh",
    batch=(32, "26-27"),
    max_length=(384, 29),
    learning_rate=(3e-5, 30),
    epochs=(3, 31),
    stride=(128, 67),
    select=("last", 68),
    warmup_steps=(500, 71),
    weight_decay=(1e-4, 73),
) | _of(
    "third_party/run_squad.py",
    clip=(1.0, 611),
    precision=("fp32", 660),
    max_question=(64, 583),
    n_best=(20, 623),
    max_answer=(30, 629),
)
_SQUAD = _of("scripts/train_qa.sh", train=("squad_v1", 46)) | _QA
_XTREME_TATOEBA = _of(
    "scripts/run_tatoeba.sh", score_length=(512, 26), layer=(14, 41), similarity=("cosine", 63)
) | _of("third_party/evaluate_retrieval.py", pooling=("mean", 331))

_XTREME_ALL: dict[str, Recipe] = {
    "xnli": _CLASSIFY
    | _of(
        "scripts/train_xnli.sh",
        epochs=(5, 26),
        max_length=(128, 27),
        batch=(32, "40-41"),
        learning_rate=(3e-5, 42),
        evaluate_every=(100, 67),
        select=("best", 71),
    )
    | _of("scripts/download_data.sh", train=("mnli", 25))
    | _of("third_party/run_classify.py", validation=("xnli", 256)),
    "paws_x": _CLASSIFY
    | _of(
        "scripts/train_pawsx.sh",
        train=("paws_x", 58),
        learning_rate=(2e-5, 25),
        epochs=(5, 26),
        max_length=(128, 27),
        batch=(32, "40-41"),
        evaluate_every=(200, 62),
        select=("best", 73),
    )
    | _of("third_party/run_classify.py", validation=("paws_x", 256)),
    "udpos": _TAG
    | _of(
        "scripts/train_udpos.sh",
        train=("udpos", 47),
        epochs=(10, 25),
        max_length=(128, 26),
        learning_rate=(2e-5, 27),
        batch=(32, "40-41"),
        evaluate_every=(500, 60),
        select=("best", 72),
    )
    | _of("third_party/run_tag.py", validation=("udpos", 196)),
    "wikiann": _TAG
    | _of(
        "scripts/train_panx.sh",
        train=("wikiann", 68),
        epochs=(10, 25),
        max_length=(128, 26),
        learning_rate=(2e-5, 27),
        batch=(32, "40-41"),
        evaluate_every=(1000, 61),
        patience=(None, 71),
        select=("best", 73),
    )
    | _of("third_party/run_tag.py", validation=("wikiann", 196)),
    "xquad": _SQUAD,
    "mlqa": _SQUAD,
    "tydiqa": _of("scripts/train_qa.sh", train=("tydiqa", 50)) | _QA,
    "bucc": _of(
        "scripts/run_bucc2018.sh",
        score_length=(512, 26),
        layer=(20, 75),
        pooling=("cls", 66),
        similarity=("margin", 74),
    ),
    "tatoeba": _XTREME_TATOEBA,
    "xcopa": _of(
        "scripts/train_xcopa.sh",
        before=("siqa", 56),
        train=("copa", 78),
        epochs=(5, 30),
        max_length=(128, 45),
        learning_rate=(3e-5, 46),
        batch=(32, "47-48"),
    )
    | _of("third_party/run_xcopa.py", select=("last", 379))
    | {
        name: Said(value, "transformers 4.9.2, TrainingArguments")
        for name, value in {
            **{"warmup": 0.0, "weight_decay": 0.0},
            **{"clip": 1.0, "precision": "fp32"},
        }.items()
    },
    "mewsli_x": _of(
        "scripts/train_mewslix.sh",
        train=("mewsli_x", 65),
        max_length=(64, 27),
        epochs=(2, 28),
        learning_rate=(1e-5, 42),
        batch=(32, "29,44"),
        negatives=(8, 44),
        warmup=(0.0, 75),
        weight_decay=(0.0, 77),
        select=("last", 85),
    )
    | _of("third_party/run_retrieval_el.py", clip=(1.0, 471), precision=("fp32", 507))
    | _of(
        "scripts/run_eval_mewslix.sh",
        score_length=(64, 27),
        pooling=("cls", 60),
        similarity=("cosine", 63),
    ),
    "lareqa": _of(
        "scripts/train_lareqa.sh",
        max_query=(96, 28),
        max_length=(256, 29),
        epochs=(3, 30),
        learning_rate=(2e-5, 31),
        batch=(16, "33-34"),
        negatives=(4, 33),
        train=("squad_retrieval", 55),
        warmup=(0.0, 67),
        weight_decay=(0.0, 69),
    )
    | _of("third_party/run_retrieval_qa.py", clip=(1.0, 497), precision=("fp32", 533))
    | _of(
        "scripts/run_eval_lareqa.sh",
        stop=(10_000, "24-25"),
        select=("last", "24-25"),
        score_length=(256, 33),
        pooling=("cls", 60),
        similarity=("cosine", 67),
    ),
}

# nyu-mll/jiant
_PLACE = "jiant/scripts/benchmarks/xtreme"
_WRITER = f"{_PLACE}/xtreme_runconfig_writer.py"
_JIANT = (
    _of(
        f"{_PLACE}/subscripts/e_run_models.sh",
        learning_rate=(1e-5, 15),
        evaluate_every=(1000, 16),
        patience=(30, 17),
    )
    | _of(_WRITER, warmup=(0.1, 44), evaluate_rows=(500, 48))
    | _of("jiant/shared/model_setup.py", weight_decay=(0.01, 85))
    | _of("jiant/proj/main/runscript.py", clip=(1.0, 48), precision=("fp32", 53))
    | _of("jiant/proj/main/metarunner.py", select=("best", "184-199"))
)
_JIANT_SPANS = _of(
    "jiant/tasks/lib/templates/squad_style/core.py",
    stride=(128, 374),
    max_question=(64, 375),
    n_best=(20, 371),
    max_answer=(30, 372),
)
_JIANT_RETRIEVAL = _of(_WRITER, layer=(14, "56,123"), pooling=("mean", 123))


def _jiant(task: str, row: int, epochs: int, line: int, batch: int, length: tuple[int, int]) -> Any:
    """A target of jiant: its training task (writer, `row`), budget (d, `line`) and length (c)."""
    return (
        _JIANT
        | _of(_WRITER, train=(task, row), validation=(task, "69-74"))
        | _of(f"{_PLACE}/subscripts/d_write_configs.sh", epochs=(epochs, line), batch=(batch, line))
        | _of(f"{_PLACE}/subscripts/c_tokenize_and_cache.sh", max_length=length)
    )


_X_STILTS: dict[str, Recipe] = {
    "xnli": _jiant("mnli", 23, 2, 15, 32, (256, 165)),
    "paws_x": _jiant("paws_x", 24, 5, 23, 32, (256, 27)),
    "udpos": _jiant("udpos", 25, 10, 31, 32, (256, 47)),
    "wikiann": _jiant("wikiann", 26, 10, 39, 32, (256, 77)),
    "xquad": _jiant("squad_v1", 27, 2, 47, 16, (384, 173)) | _JIANT_SPANS,
    "mlqa": _jiant("squad_v1", 28, 2, 55, 16, (384, 173)) | _JIANT_SPANS,
    "tydiqa": _jiant("tydiqa", 29, 2, 63, 16, (384, 121)) | _JIANT_SPANS,
    "bucc": _JIANT_RETRIEVAL
    | _of("jiant/tasks/lib/bucc2018.py", similarity=("margin", "144-210"))
    | _of(f"{_PLACE}/subscripts/c_tokenize_and_cache.sh", score_length=(512, 142)),
    "tatoeba": _JIANT_RETRIEVAL
    | _of("jiant/tasks/lib/tatoeba.py", similarity=("cosine", "135-146"))
    | _of(f"{_PLACE}/subscripts/c_tokenize_and_cache.sh", score_length=(512, 154)),
}

_ONLY_XTREME_R = ("xcopa", "mewsli_x", "lareqa")
_ONLY_XTREME = ("paws_x", "bucc")

# protocol -> target -> its recipe
RECIPES: dict[str, dict[str, Recipe]] = {
    "xtreme": {name: one for name, one in _XTREME_ALL.items() if name not in _ONLY_XTREME_R},
    "xtreme-r": {name: one for name, one in _XTREME_ALL.items() if name not in _ONLY_XTREME},
    "x-stilts": _X_STILTS,
}


def _recalled(batch: int, epochs: int) -> Recipe:
    """The training on an intermediate task, as far as it is remembered."""
    values = {"epochs": epochs, "batch": batch, "learning_rate": 1e-5}
    return {name: Said(value, RECALLED) for name, value in values.items()}


# protocol -> intermediate task, trained on alone -> its recipe
INTERMEDIATE: dict[str, dict[str, Recipe]] = {
    "x-stilts": {
        "anli_plus": _recalled(24, 2),
        "mnli": _recalled(24, 2),
        "qqp": _recalled(24, 3),
        "squad_v2": _recalled(8, 3),
        "squad_v1": _recalled(8, 3),
        "hellaswag": _recalled(24, 7),
        "ccg": _recalled(24, 15),
        "cosmos_qa": _recalled(4, 15),
        "commonsense_qa": _recalled(4, 10),
    }
}
