"""Scores of anyone's predictions in the official file formats, with a signature to cite them by.

Run by `xstilts score --task mlqa --language zh --predictions FILE --references FILE`.

Formats are those that evaluate.py of google-research/xtreme (commit 838c13b) reads, and for LAReQA,
whose script writes no predictions, JSON as Mewsli-X has it: {question id: [candidate ids, best
first]} against {question id: [relevant ids]}. What is not the format is a UserError that names file
and line; what the official code passes over in silence (ids without a prediction, ids too many) is
passed over too, and said in `Pairs.notes`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from xstilts import __version__
from xstilts.benchmarks import formats_lines, formats_objects, protocols
from xstilts.benchmarks.formats import Pairs, fault
from xstilts.core.errors import UserError
from xstilts.metrics import METRICS

# What the benchmarks call a task, where we call it otherwise.
ALIASES = {
    "pawsx": "paws_x",
    "paws-x": "paws_x",
    "panx": "wikiann",
    "wikiann-ner": "wikiann",
    "pos": "udpos",
    "ner": "wikiann",
    "bucc2018": "bucc",
    "mewslix": "mewsli_x",
    "mewsli-x": "mewsli_x",
}
# Version -> what follows the name of a tagging metric.
SEQEVAL = {"0.0.12": "", "1.2.2": "_seqeval_1_2_2"}
SCORER = "xtreme@838c13b"  # whose numbers all metrics give
READERS: dict[str, Callable[[str, Path, Path], Pairs]] = {
    "xnli": formats_lines.labels,
    "paws_x": formats_lines.labels,
    "xcopa": formats_objects.choices,
    "udpos": formats_lines.tags,
    "wikiann": formats_lines.tags,
    "xquad": formats_objects.answers,
    "mlqa": formats_objects.answers,
    "tydiqa": formats_objects.answers,
    "bucc": formats_lines.pairs,
    "tatoeba": formats_lines.rows,
    "mewsli_x": formats_objects.rankings,
    "lareqa": formats_objects.rankings,
}


@dataclass(frozen=True)
class Scored:
    """What a prediction file is worth.

    Attributes:
        score: 0-100, the mean of the protocol's `values`: what enters the task's mean.
        values: everything the metric gives, 0-100.
        n: rows, sentences, questions, queries or gold pairs.
        signature: how the score came about, to be printed beside it.
        notes: what the official code passes over in silence.
    """

    task: str
    language: str
    score: float
    values: dict[str, float]
    n: int
    signature: str
    notes: list[str]


def score(
    task: str,
    language: str,
    predictions: Path,
    references: Path,
    protocol: str = "xtreme",
    seqeval: str = "0.0.12",
) -> Scored:
    """Score one task's predictions in one language as the official scripts do.

    Raises:
        UserError: an unknown task, language, protocol or version, or files that do not fit.
    """
    rules = protocols.get(protocol)
    name = _task(task, rules)
    if language not in rules.languages[name]:
        known = ", ".join(rules.languages[name])
        wrong = f"{name} has no language {language!r} in protocol {protocol}"
        raise UserError(f"{wrong}. Mend: use one of {known}")
    metric = METRICS[_metric(rules.metrics[name], seqeval)]
    pairs = read(name, predictions, references)
    values = metric.score(pairs.predictions, pairs.references, language)
    parts = [name, f"lang:{language}", f"metric:{'+'.join(rules.values[name])}", f"n:{pairs.n}"]
    parts += [f"missing:{pairs.missing}"] if pairs.missing else []
    parts += _settings(metric.name, language, seqeval)
    parts += [f"protocol:{protocol}", f"scorer:{SCORER}", f"version:xstilts-{__version__}"]
    mean = fmean(values[value] for value in rules.values[name])
    return Scored(name, language, mean, values, pairs.n, "|".join(parts), pairs.notes)


def read(task: str, predictions: Path, references: Path) -> Pairs:
    """Both files of one task (our name) and language.

    Raises:
        UserError: a file is missing, is not in the task's format, or the two do not fit.
    """
    pairs = READERS[task](task, predictions, references)
    if not pairs.references:
        raise fault(references, "there are no rows", "give the file with the gold labels")
    return pairs


def _task(name: str, rules: protocols.Protocol) -> str:
    """Our name of a task that the protocol has."""
    plain = name.lower()
    plain = ALIASES.get(plain, plain)
    if plain not in rules.languages:
        known = ", ".join(rules.languages)
        raise UserError(f"protocol {rules.name} has no task {name!r}. Mend: use one of {known}")
    return plain


def _metric(name: str, seqeval: str) -> str:
    """The metric under a version of seqeval, which only tagging knows."""
    if seqeval not in SEQEVAL:
        raise UserError(f"seqeval {seqeval} is not known. Mend: use one of {', '.join(SEQEVAL)}")
    return name + SEQEVAL[seqeval] if name == "entity_f1" else name


def _settings(metric: str, language: str, seqeval: str) -> list[str]:
    """What else decides the score."""
    if metric.startswith("entity_f1"):
        return [f"seqeval:{seqeval}"]
    return {"squad_f1": ["normaliser:squad"], "mlqa_f1": [f"normaliser:mlqa-{language}"]}.get(
        metric, []
    )


def show_score(
    task: str,
    language: str,
    predictions: Path,
    references: Path,
    protocol: str = "xtreme",
    seqeval: str = "0.0.12",
    as_json: bool = False,
) -> None:
    """Print the values, n, the signature and what is to be said; see `score` for errors."""
    done = score(task, language, predictions, references, protocol, seqeval)
    if as_json:
        print(json.dumps(asdict(done), ensure_ascii=False, indent=2))
        return
    lines = {name: f"{value:.4f}" for name, value in done.values.items()}
    if len(protocols.get(protocol).values[done.task]) > 1:
        lines["score"] = f"{done.score:.4f}"
    lines |= {"n": str(done.n), "signature": done.signature}
    width = max(map(len, lines))
    for name, text in lines.items():
        print(f"{name:<{width}}  {text}")
    for note in done.notes:
        print(f"note: {note}")
