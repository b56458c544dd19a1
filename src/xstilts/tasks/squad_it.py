"""SQuAD-it: the part of SQuAD 1.1 that could be machine-translated into Italian, then mended."""

from __future__ import annotations

from xstilts.tasks.base import Task
from xstilts.tasks.shapes import squad

# The branch may move: the hashes, which the hub's script names, say which bytes are meant.
ROOT = "https://raw.githubusercontent.com/crux82/squad-it/master"

TASK = Task(
    name="squad_it",
    title="SQuAD-it",
    description="SQuAD 1.1 by machine translation; pairs whose answer was lost are left out.",
    kind="span",
    dataset="crux82/squad-it",
    revision=None,
    licence="cc-by-sa-4.0",
    reference="https://doi.org/10.1007/978-3-030-03840-3_29",
    languages=("it",),
    train_languages=("it",),
    splits={},
    urls={
        "train": {
            f"{ROOT}/SQuAD_it-train.json.gz": (
                "75d4d2832961f7a0f76a43d7e919e56a880ccc55de434ec90ae82cd67bec5d25"
            ),
        },
        "validation": {  # published as its test set; made of SQuAD's development set
            f"{ROOT}/SQuAD_it-test.json.gz": (
                "25986c617cc7d58e82e916755b8a5684e5efae69835332858a6534a304cd293c"
            ),
        },
    },
    parse="squad_json",
    origin="machine",
    convert=squad,
    strict_answers=False,
    metric="squad_f1",
    train_rows={"it": 54_159},
    evaluation="validation",
)
