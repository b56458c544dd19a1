"""The protocols `xtreme`, `xtreme-r` and `x-stilts`: what is scored, how, and what it adds up to.

The one truth about official language lists, groups of tasks, and which values a task's score is the
mean of; tasks, scorers and aggregates read it. What the scripts train with is in recipes.py, where
they, their papers and this project part in differences.py. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xstilts.benchmarks.differences import DIFFERENCES, Difference
from xstilts.core.errors import UserError


@dataclass(frozen=True)
class Retrieval:
    """Which states are compared and how.

    Attributes:
        layer: index into the hidden states of the 24-layer XLM-R Large, 0 being the embeddings; -1
            the last, of an encoder that was trained for retrieval. Other depths scale it.
        pooling: mean over all tokens that are no padding (special ones too), or the first token.
        similarity: cosine, or its ratio margin over the 4 nearest neighbours of both sides.
    """

    layer: int
    pooling: Literal["mean", "cls"]
    similarity: Literal["cosine", "margin"] = "cosine"


@dataclass(frozen=True)
class Protocol:
    """One way to score a benchmark. Mappings are by task, in the benchmark's order.

    Attributes:
        source: the code that defines it.
        languages: the official list; a task's score is the mean over all of it, English too.
        groups: group -> its tasks; a group's score is the mean over its tasks, the overall score is
            the mean over all tasks of `languages`.
        values: the values of the metric whose mean is the task's score.
        metrics: name in metrics.METRICS; which also names the seqeval version of tagging.
        retrieval: tasks that are scored on states of the encoder.
        training: what the target is trained on, in English; "none" where the encoder is as it is.
        differences: what the published scripts, their papers, and we do otherwise.
        benchmark: whose rows and languages these are; scores of two benchmarks never share a table.
        published: retrieval that published numbers have where that is not `retrieval`.
    """

    name: str
    title: str
    source: str
    description: str
    languages: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    values: Mapping[str, tuple[str, ...]]
    metrics: Mapping[str, str]
    retrieval: Mapping[str, Retrieval]
    training: Mapping[str, str]
    differences: tuple[Difference, ...]
    benchmark: str
    published: Mapping[str, Retrieval]


XTREME_SCRIPTS = "google-research/xtreme@838c13b"


def _codes(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.split()))


_PANX = "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru"
_PANX += " sw ta te th tl tr ur vi yo zh"
_UDPOS = "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur"
_UDPOS += " vi yo zh"
_XQUAD = "ar de el en es hi ru th tr vi zh"
_TATOEBA = " ".join(code for code in _PANX.split() if code not in ("en", "ms", "my", "yo"))
_SHARED = {
    "xnli": _codes("ar bg de el en es fr hi ru sw th tr ur vi zh"),
    "mlqa": _codes("ar de en es hi vi zh"),
    "tydiqa": _codes("ar bn en fi id ko ru sw te"),
}
_XTREME = {
    "xnli": _SHARED["xnli"],
    "paws_x": _codes("de en es fr ja ko zh"),
    "udpos": _codes(_UDPOS),
    "wikiann": _codes(_PANX),
    "xquad": _codes(_XQUAD),
    "mlqa": _SHARED["mlqa"],
    "tydiqa": _SHARED["tydiqa"],
    "bucc": _codes("de fr ru zh"),
    "tatoeba": _codes(_TATOEBA),
}
_XTREME_R = {
    "xnli": _SHARED["xnli"],
    "xcopa": _codes("et ht id it qu sw ta th tr vi zh"),
    "udpos": _codes(_UDPOS + " lt pl ro uk wo"),
    "wikiann": _codes(_PANX + " az gu lt pa pl qu ro uk"),
    "xquad": _codes(_XQUAD + " ro"),
    "mlqa": _SHARED["mlqa"],
    "tydiqa": _SHARED["tydiqa"],
    "tatoeba": _codes(_TATOEBA + " az lt pl ro uk"),
    "mewsli_x": _codes("ar de en es fa ja pl ro ta tr uk"),
    "lareqa": _codes(_XQUAD),
}
_QA = ("f1", "exact_match")
_VALUES = {
    "xnli": ("accuracy",),
    "paws_x": ("accuracy",),
    "xcopa": ("accuracy",),
    "udpos": ("f1",),
    "wikiann": ("f1",),
    "xquad": _QA,
    "mlqa": _QA,
    "tydiqa": _QA,
    "bucc": ("f1",),
    "tatoeba": ("accuracy",),
    "mewsli_x": ("map_at_20",),
    "lareqa": ("map_at_20",),
}
_METRICS = {
    "xnli": "accuracy",
    "paws_x": "accuracy",
    "xcopa": "accuracy",
    "udpos": "entity_f1",
    "wikiann": "entity_f1",
    "xquad": "squad_f1",
    "mlqa": "mlqa_f1",
    "tydiqa": "squad_f1",
    "bucc": "mining_f1",
    "tatoeba": "retrieval_accuracy",
    "mewsli_x": "map_at_20",
    "lareqa": "map_at_20",
}
_TRAINING = {
    "xnli": "mnli",
    "paws_x": "paws_x",
    "xcopa": "siqa, then copa",
    "udpos": "udpos",
    "wikiann": "wikiann",
    "xquad": "squad_v1",
    "mlqa": "squad_v1",
    "tydiqa": "tydiqa",
    "bucc": "none",
    "tatoeba": "none",
    "mewsli_x": "mewsli_x",
    "lareqa": "squad_retrieval",
}
_XTREME_GROUPS = {
    "classification": ("xnli", "paws_x"),
    "structured": ("udpos", "wikiann"),
    "qa": ("xquad", "mlqa", "tydiqa"),
    "retrieval": ("bucc", "tatoeba"),
}
_MEAN_14 = Retrieval(14, "mean")


def _protocol(
    name: str,
    texts: tuple[str, str, str],
    languages: Mapping[str, tuple[str, ...]],
    groups: Mapping[str, tuple[str, ...]],
    retrieval: Mapping[str, Retrieval],
    benchmark: str,
    published: Mapping[str, Retrieval],
) -> Protocol:
    """A protocol over the tasks of `languages`; texts are title, source and description."""
    title, source, description = texts
    return Protocol(
        name=name,
        title=title,
        source=source,
        description=description,
        languages=languages,
        groups=groups,
        values={task: _VALUES[task] for task in languages},
        metrics={task: _METRICS[task] for task in languages},
        retrieval=retrieval,
        training={task: _TRAINING[task] for task in languages},
        differences=DIFFERENCES[name],
        benchmark=benchmark,
        published=published,
    )


PROTOCOLS: dict[str, Protocol] = {
    "xtreme": _protocol(
        "xtreme",
        (
            "XTREME",
            XTREME_SCRIPTS,
            "Nine tasks in 40 languages, trained in English, as the benchmark's scripts do it.",
        ),
        _XTREME,
        _XTREME_GROUPS,
        {"bucc": Retrieval(20, "cls", "margin"), "tatoeba": _MEAN_14},
        benchmark="xtreme",
        published={"bucc": Retrieval(20, "mean", "margin")},
    ),
    "xtreme-r": _protocol(
        "xtreme-r",
        (
            "XTREME-R",
            XTREME_SCRIPTS,
            "Ten tasks in 50 languages, trained in English, as the benchmark's scripts do it.",
        ),
        _XTREME_R,
        {
            "classification": ("xnli", "xcopa"),
            "structured": ("udpos", "wikiann"),
            "qa": ("xquad", "mlqa", "tydiqa"),
            "retrieval": ("tatoeba", "mewsli_x"),
            "multi_choice": ("xcopa",),
        },
        {
            "tatoeba": _MEAN_14,
            "mewsli_x": Retrieval(-1, "cls"),
            "lareqa": Retrieval(-1, "cls"),
        },
        benchmark="xtreme-r",
        published={},
    ),
    "x-stilts": _protocol(
        "x-stilts",
        (
            "X-STILTs",
            "nyu-mll/jiant@daa5a258",
            "XTREME as in Phang et al. 2020 (arXiv 2005.13013), whose code is in jiant.",
        ),
        _XTREME,
        _XTREME_GROUPS,
        {"bucc": Retrieval(14, "mean", "margin"), "tatoeba": _MEAN_14},
        benchmark="xtreme",
        published={},
    ),
}


def get(name: str) -> Protocol:
    """One protocol by its name.

    Raises:
        UserError: there is no such protocol.
    """
    if name not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise UserError(f"there is no protocol {name!r}. Mend: use one of {known}")
    return PROTOCOLS[name]
