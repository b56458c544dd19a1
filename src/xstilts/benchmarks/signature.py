"""What a score depends on besides the system that made it; two signatures are two measures.

As sacreBLEU's: each score of a task, our own or published, has one, and no table has scores of one
task under two. `own` reads a study's target, `published` an entry of references.yaml; `check` is
for the rows that are to be joined. Called by `aggregates`, `comparison` and the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from xstilts import tasks
from xstilts.benchmarks import protocols
from xstilts.benchmarks.protocols import Protocol, Retrieval
from xstilts.core.errors import UserError
from xstilts.core.params import Target
from xstilts.results.scores import SHOWN, ScoreRow

EVALUATION = ("validation", "test")
# Scorer and version -> what it is. Another version of one scorer gives other numbers.
SCORERS: dict[str, str] = {
    "accuracy": "share of right answers",
    "token-accuracy": "share of right tags",
    "seqeval-0.0.12": "entity F1 of seqeval 0.0.12",
    "seqeval-1.2.2": "entity F1 of seqeval 1.2.2",
    "squad-1.1": "SQuAD 1.1's script: one normaliser for all languages",
    "mlqa-1.0": "MLQA's script: a normaliser for each language",
    "squad-1.1/py3langid-0.4.0": "SQuAD 1.1's script on a generated answer; its language by"
    " py3langid 0.4.0",
    "mlqa-1.0/py3langid-0.4.0": "MLQA's script on a generated answer; its language by py3langid"
    " 0.4.0",
    "rouge-score-0.1.2/xl-sum/py3langid-0.4.0": "ROUGE-L of rouge-score 0.1.2 over words as"
    " XL-Sum's scorer has them, characters in scripts without spaces, no stemming; an output's"
    " language by py3langid 0.4.0",
    "cosine/mean": "nearest neighbour by cosine; a sentence is the mean over its tokens",
    "cosine/cls": "nearest neighbour by cosine; a sentence is its first token",
    "cosine/mean/squad_v1": "nearest neighbour by cosine; mean over tokens of an encoder that was"
    " fine-tuned on SQuAD 1.1",
    "margin/mean": "pairs above a ratio margin; a sentence is the mean over its tokens",
    "margin/cls": "pairs above a ratio margin; a sentence is its first token",
    "map@20": "mean average precision over the first 20",
    "map": "mean average precision over the whole ranking",
}
_OF_METRIC = {
    "accuracy": "accuracy",
    "tag_accuracy": "token-accuracy",
    "entity_f1": "seqeval-0.0.12",
    "entity_f1_seqeval_1_2_2": "seqeval-1.2.2",
    "squad_f1": "squad-1.1",
    "mlqa_f1": "mlqa-1.0",
    "map_at_20": "map@20",
    "answer_f1": "squad-1.1/py3langid-0.4.0",
    "answer_f1_mlqa": "mlqa-1.0/py3langid-0.4.0",
    "rouge": "rouge-score-0.1.2/xl-sum/py3langid-0.4.0",
}


@dataclass(frozen=True)
class Signature:
    """Of one task's score, over the languages of its benchmark.

    Attributes:
        benchmark: xtreme | xtreme-r, which have other languages and rows.
        rows: `test`, which is what the benchmark scores, whatever its source calls that split; or
            `validation`, of tasks that have both; and how many of a language at most, where not all
            are scored.
        scorer: one of `SCORERS`.
    """

    task: str
    benchmark: str
    rows: str
    scorer: str

    def unlike(self, other: Signature) -> str:
        """What differs, in words: `scorer margin/mean, not margin/cls`; "" if nothing."""
        return "; ".join(
            f"{field.name} {getattr(self, field.name)}, not {getattr(other, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )


def own(target: Target) -> Signature:
    """The signature of a study's scores on a target of a published benchmark.

    Raises:
        UserError: there is no such protocol.
    """
    protocol = protocols.get(target.protocol)
    states = Retrieval(target.layer, target.pooling, target.similarity)
    scored = rows(target.task, target.split)
    if target.score_limit is not None:
        scored = f"{scored} ({target.score_limit:,} of a language)"
    scorer = _scorer(target.metric, states)
    return Signature(target.task, protocol.benchmark, scored, scorer)


def published(protocol: Protocol, task: str, split: str, scorer: str | None = None) -> Signature:
    """The signature of a published score; `scorer`, where it is not the protocol's usual one."""
    states = protocol.published.get(task, protocol.retrieval.get(task))
    usual = _scorer(protocol.metrics[task], states)
    return Signature(task, protocol.benchmark, rows(task, split), scorer or usual)


def _scorer(metric: str, states: Retrieval | None) -> str:
    """How predictions become a score. The layer is left out: papers and scripts differ on theirs.

    (XTREME's BUCC is said to be of layer 14 and was run on 20; what it names is the pooling.)
    """
    if metric in _OF_METRIC:
        return _OF_METRIC[metric]
    assert states is not None, metric
    return f"{states.similarity}/{states.pooling}"


def rows(task: str, split: str) -> str:
    """`test` for what benchmarks score: XQuAD's only rows are called validation, TyDiQA's too.

    Raises:
        UserError: there is no such task.
    """
    known = tasks.load(task)
    splits = {one for one in EVALUATION if one in {*known.splits, *known.urls, *known.members}}
    return "test" if split == known.evaluation or len(splits) == 1 else split


def check(scores: Iterable[ScoreRow]) -> None:
    """See that the scores of a target, which are joined and set side by side, are of one kind.

    Raises:
        UserError: names the runs on a target that another protocol, other values of a metric or
            other rows set apart from the first run.
    """
    kinds: dict[tuple[str, str], dict[tuple[str, str, tuple[str, ...]], list[str]]] = {}
    values: dict[tuple[str, str, str, str, str], list[str]] = {}
    for row in scores:
        key = (row.target, row.language, row.run, row.protocol, row.data_sha)
        values.setdefault(key, []).append(row.metric)
    for (target, language, run, protocol, sha), metrics in values.items():
        found = kinds.setdefault((target, language), {})
        found.setdefault((protocol, sha, tuple(sorted(metrics))), []).append(run)
    for (target, language), found in kinds.items():
        if len(found) > 1:
            told = "; ".join(_told(kind, runs) for kind, runs in found.items())
            raise UserError(
                f"the scores of {target} in {language} are of {len(found)} kinds, which no table"
                f" may join: {told}. Mend: delete the results of the runs that are not scored as"
                " the study says, and `dvc repro` makes them anew"
            )


def _told(kind: tuple[str, str, tuple[str, ...]], runs: list[str]) -> str:
    protocol, sha, metrics = kind
    more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    names = ", ".join(runs[:SHOWN]) + more
    return f"protocol {protocol}, {'+'.join(metrics)}, rows {sha[:8]} in {names}"


def of_study(protocol: Protocol, targets: Mapping[str, Target]) -> dict[str, Signature]:
    """Task -> signature of a study's own scores, for the tasks that it scores by the protocol."""
    return {
        name: own(target)
        for name, target in targets.items()
        if target.protocol == protocol.name and name in protocol.languages
    }


def mixed(signatures: Iterable[Signature]) -> str:
    """Why no mean may join tasks: some on test rows, some on validation rows; "" if one may."""
    found: dict[str, list[str]] = {}
    for one in signatures:
        found.setdefault(one.rows, []).append(one.task)
    if len(found) < 2:
        return ""
    return "; ".join(f"{' '.join(names)} on {rows} rows" for rows, names in found.items())
