"""Metrics by name: what a prediction is worth, per example and over a whole test set.

Each is our own small implementation of a published scorer and equals it to 1e-6 (see the modules
for the sources). `METRICS[task.metric].score(predictions, references, language)` gives values of
0-100; `per_example` gives what the main value is made of, for intervals and paired tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from xstilts.metrics import accuracy, generation, mining, qa, ranking, tagging

Score = Callable[[list[Any], list[Any], str], dict[str, float]]
PerExample = Callable[[list[Any], list[Any], str], list[tuple[float, float]]]


@dataclass(frozen=True)
class Metric:
    """A metric: two functions of (predictions, references, language), and which value counts.

    `score` returns {value name: 0-100}, among them `main`. `per_example` returns one (num, den)
    per example, in order, with score[main] == 100 * sum(num) / sum(den), and 0 where the
    denominators sum to 0. Both raise ValueError for no examples or lists of unequal length.
    `selects` names the values whose mean chooses among models on validation rows: of questions F1
    and exact match, as jiant's major metric.
    """

    name: str
    main: str
    score: Score
    per_example: PerExample
    also_selects: tuple[str, ...] = ()  # beside the main value

    @property
    def selects(self) -> tuple[str, ...]:
        """Values whose mean chooses among models on validation rows."""
        return (self.main, *self.also_selects)


def _qa_metric(name: str, normalise: qa.Normalise) -> Metric:
    score = partial(qa.score, normalise=normalise)
    example = partial(qa.per_example, normalise=normalise)
    return Metric(name, "f1", score, example, also_selects=("exact_match",))


def _answer_metric(name: str, normalise: qa.Normalise) -> Metric:
    score = partial(generation.answers, normalise=normalise)
    example = partial(qa.per_example, normalise=normalise)
    return Metric(name, "f1", score, example, also_selects=("exact_match",))


def _tag_metric(name: str, parse: tagging.Parse) -> Metric:
    score = partial(tagging.score, parse=parse)
    return Metric(name, "f1", score, partial(tagging.per_example, parse=parse))


METRICS: dict[str, Metric] = {
    # int, int: class or choice; XNLI, PAWS-X, XCOPA
    "accuracy": Metric("accuracy", "accuracy", accuracy.score, accuracy.per_example),
    # str | None, list[str]: the answer and its accepted forms; XQuAD, TyDiQA-GoldP
    "squad_f1": _qa_metric("squad_f1", qa.squad_normalise),
    "mlqa_f1": _qa_metric("mlqa_f1", qa.mlqa_normalise),
    # the same of a text that was generated, and whether it is in the right language
    "answer_f1": _answer_metric("answer_f1", qa.squad_normalise),
    "answer_f1_mlqa": _answer_metric("answer_f1_mlqa", qa.mlqa_normalise),
    # str, list[str]: a text and its references; XL-Sum
    "rouge": Metric("rouge", "rouge_l", generation.rouge, generation.rouge_per_example),
    # list[str], list[str]: the tags of one sentence; PAN-X and UDPOS
    "entity_f1": _tag_metric("entity_f1", tagging.seqeval_0_0_12),
    "entity_f1_seqeval_1_2_2": _tag_metric("entity_f1_seqeval_1_2_2", tagging.seqeval_1_2_2),
    # list[str], list[str]: the tags of one sentence; CCG
    "tag_accuracy": Metric(
        "tag_accuracy", "token_accuracy", tagging.score_tokens, tagging.tokens_per_example
    ),
    # int, int: row number of the nearest neighbour (evaluation.search.match); Tatoeba
    "retrieval_accuracy": Metric(
        "retrieval_accuracy", "accuracy", accuracy.score, accuracy.per_example
    ),
    # list[str], list[str]: ids of the English sentences that translate a foreign one; BUCC
    "mining_f1": Metric("mining_f1", "f1", mining.score, mining.per_example),
    # list[str], list[str]: candidate ids, best first, and the relevant ones; LAReQA, Mewsli-X
    "map_at_20": Metric("map_at_20", "map_at_20", ranking.score, ranking.per_example),
}
