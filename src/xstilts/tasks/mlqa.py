"""MLQA: questions with context and answer in the same one of seven languages.

The hub's data set is a script; the archive that it names, with its hash, is read instead.
"""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

ARCHIVE = {
    "https://dl.fbaipublicfiles.com/MLQA/MLQA_V1.zip": (
        "246e8089933d13007fe80684d5c5c0713d6834cf8b3b4a0ec7c66f0a0d2baac8"
    )
}
INSIDE = "-context-{language}-question-{language}.json"

TASK = Task(
    name="mlqa",
    title="MLQA",
    description="SQuAD's task on Wikipedia passages that exist in several languages.",
    kind="span",
    dataset="facebook/mlqa",
    revision=None,
    licence="cc-by-sa-3.0",
    reference="https://aclanthology.org/2020.acl-main.653",
    languages=("ar", "de", "en", "es", "hi", "vi", "zh"),
    train_languages=(),
    config="mlqa.{language}.{language}",
    splits={"validation": "validation", "test": "test"},
    urls={"validation": ARCHIVE, "test": ARCHIVE},
    members={
        "validation": (f"MLQA_V1/dev/dev{INSIDE}",),
        "test": (f"MLQA_V1/test/test{INSIDE}",),
    },
    parse="squad_json",
    convert=squad,
    metric="mlqa_f1",
    evaluation="test",
    train_task="squad_v1",
    protocols=("xtreme", "xtreme-r", "x-stilts"),
)
