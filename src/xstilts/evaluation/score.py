"""From predictions to score rows. Pure; used by evaluation.target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params, Target
from xstilts.evaluation.predictors import Predicted
from xstilts.kinds.base import Row
from xstilts.kinds.spec import KINDS
from xstilts.metrics import METRICS
from xstilts.results.scores import ScoreRow, collapsed


def score_rows(
    common: dict[str, Any],
    target: Target,
    language: str,
    predicted: Predicted,
    taught: Sequence[str] = (),
) -> list[ScoreRow]:
    """One row for each value of the target's metric in one language.

    Args:
        taught: words of the control world from which the right score follows.

    Raises:
        UserError: nothing that could be found is there, so that any score would mean nothing.
    """
    measure, path = METRICS[target.metric], paths.rows(Path(target.rows), language, target.split)
    if not any(gold is not None and gold != [] for gold in predicted.gold):
        raise UserError(f"{path} has no gold at all. Mend: see its source, or drop {language}")
    expected = _expected(target, language, predicted.rows, taught)
    return [
        ScoreRow(
            **common,
            target=target.task,
            language=language,
            metric=name,
            main=name == measure.main,
            value=value,
            expected=expected if name == measure.main else None,
            n=len(predicted.gold),
            chance=target.chance,
            collapsed=collapsed(answers(target.kind, predicted.found)),
            protocol=target.protocol,
            data_sha=files.sha256_file(path),
        )
        for name, value in measure.score(predicted.found, predicted.gold, language).items()
    ]


def _expected(
    target: Target, language: str, rows: list[Row], taught: Sequence[str]
) -> float | None:
    """The score that follows by construction, in the control world."""
    if target.expected is None:
        return None
    from xstilts.sources.world.expected import expected

    texts = [KINDS[target.kind].texts(row)[0] for row in rows]
    return expected(target.expected, language, texts, taught)


def answers(kind: str, found: list[Any]) -> list[Any]:
    """One answer an example, by which predictions are told apart: of several the first, or None.

    So a ranker collapses that puts one candidate before all others for every query, and a miner
    that finds no pair.
    """
    return [next(iter(one), None) for one in found] if KINDS[kind].by_id else found


def prediction_rows(target: Target, language: str, predicted: Predicted) -> list[Row]:
    """One row an example: what was predicted, and its part of the main value."""
    parts = METRICS[target.metric].per_example(predicted.found, predicted.gold, language)
    each = zip(predicted.rows, predicted.found, parts, strict=True)
    return [
        {
            "target": target.task,
            "language": language,
            "id": row["id"],
            "prediction": json.dumps(prediction, ensure_ascii=False),
            "num": num,
            "den": den,
        }
        for row, prediction, (num, den) in each
    ]


def headline(rows: list[ScoreRow], params: Params) -> dict[str, float]:
    """For the tracker: each cell's main value, and means over the languages not trained on."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(row.target for row in rows):
        cells = {row.language: row.value for row in rows if row.target == name and row.main}
        source = params.targets[name].source_language
        others = [value for language, value in cells.items() if language != source]
        found[f"{name}.zero_shot"] = sum(others) / len(others) if others else cells[source]
        found |= {f"{name}.{language}": value for language, value in cells.items()}
    means = [value for name, value in found.items() if name.endswith(".zero_shot")]
    return {"average.zero_shot": sum(means) / len(means), **found}
