"""Protocols are whole: every task has languages, metric, values, training; groups are of its tasks.

Run: python -m pytest tests/benchmarks/test_protocols.py
"""

import subprocess
import sys

import pytest

from xstilts import tasks
from xstilts.benchmarks import protocols, score_files
from xstilts.benchmarks.protocols import PROTOCOLS, Protocol
from xstilts.core.errors import UserError
from xstilts.metrics import METRICS
from xstilts.tasks.languages import LANGUAGES

# What each metric gives for one example: (prediction, reference).
EXAMPLE = {"entity_f1": (["NOUN"], ["NOUN"]), "accuracy": (1, 1), "retrieval_accuracy": (1, 1)}
QA_EXAMPLE = ("moon", ["moon"])
every = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            "xtreme",
            {
                **{"xnli": 15, "paws_x": 7, "udpos": 33, "wikiann": 40, "xquad": 11, "mlqa": 7},
                **{"tydiqa": 9, "bucc": 4, "tatoeba": 36},
            },
        ),
        (
            "xtreme-r",
            {
                **{"xnli": 15, "xcopa": 11, "udpos": 38, "wikiann": 48, "xquad": 12, "mlqa": 7},
                **{"tydiqa": 9, "tatoeba": 41, "mewsli_x": 11, "lareqa": 11},
            },
        ),
    ],
)
def test_languages_are_as_many_as_published(name: str, counts: dict[str, int]) -> None:
    """A task's score is the mean over its list: one language more or less is another score."""
    found = {task: len(codes) for task, codes in PROTOCOLS[name].languages.items()}
    assert found == counts


def test_xtreme_r_covers_fifty_languages_and_xtreme_forty() -> None:
    """As their papers say in their first sentence."""
    for name, count in (("xtreme", 40), ("xtreme-r", 50)):
        codes = {code for own in PROTOCOLS[name].languages.values() for code in own}
        assert len(codes) == count


def test_xtreme_r_only_adds_languages() -> None:
    """What both have, XTREME-R has in more languages; a list cut short would show here."""
    for task, codes in PROTOCOLS["xtreme"].languages.items():
        assert set(codes) <= set(PROTOCOLS["xtreme-r"].languages.get(task, codes))


@every
def test_languages_are_known_sorted_and_named_once(protocol: Protocol) -> None:
    """Reports look them up in the one table of languages."""
    for codes in protocol.languages.values():
        assert list(codes) == sorted(set(codes))
        assert set(codes) <= LANGUAGES.keys()


@every
def test_every_task_has_everything(protocol: Protocol) -> None:
    """A task without a metric or a reader would fail only when it is scored."""
    known = protocol.languages.keys()
    assert known <= set(tasks.NAMES)
    assert known <= score_files.READERS.keys()
    assert protocol.metrics.keys() == protocol.values.keys() == protocol.training.keys() == known
    for task in known:
        metric = METRICS[protocol.metrics[task]]
        prediction, gold = EXAMPLE.get(metric.name, (["a"], ["a"]))
        if metric.name.endswith(("squad_f1", "mlqa_f1")):
            prediction, gold = QA_EXAMPLE
        values = metric.score([prediction], [gold], "en")
        assert set(protocol.values[task]) <= values.keys()
        assert metric.main in protocol.values[task]


@every
def test_groups_are_of_tasks_and_leave_out_only_lareqa(protocol: Protocol) -> None:
    """LAReQA is in none of evaluate.py; any other task that is in none would be an oversight."""
    grouped = {task for members in protocol.groups.values() for task in members}
    assert protocol.languages.keys() - grouped <= {"lareqa"}
    assert grouped <= protocol.languages.keys()


@every
def test_trainings_are_tasks(protocol: Protocol) -> None:
    """What is trained on is a task of ours, or nothing: then states of the encoder are compared."""
    for task, training in protocol.training.items():
        names = [] if training == "none" else training.split(", then ")
        assert set(names) <= set(tasks.NAMES)
        if not names:
            assert protocol.retrieval[task].layer > 0
    assert protocol.retrieval.keys() <= protocol.languages.keys()
    for how in protocol.retrieval.values():
        assert -1 <= how.layer <= 24


def test_bucc_is_mined_by_margin_and_nothing_else_is() -> None:
    """Cosine alone gives other pairs."""
    for protocol in PROTOCOLS.values():
        margins = {task for task, how in protocol.retrieval.items() if how.similarity == "margin"}
        assert margins == {"bucc"} & protocol.languages.keys()


def test_published_seqeval_is_the_default() -> None:
    """UDPOS differs by 0.2 between the versions; the papers have 0.0.12."""
    for protocol in PROTOCOLS.values():
        assert protocol.metrics["udpos"] == protocol.metrics["wikiann"] == "entity_f1"
        assert any("0.0.12" in one.text for one in protocol.differences)


def test_an_unknown_protocol_is_named() -> None:
    """With those that exist."""
    with pytest.raises(UserError, match=r"no protocol 'glue'. Mend: use one of xtreme, xtreme-r"):
        protocols.get("glue")


def test_nothing_heavy_is_imported() -> None:
    """The study compiler and `xstilts score` read protocols; torch costs seconds."""
    code = (
        "import sys; from xstilts.benchmarks import protocols, score_files;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
