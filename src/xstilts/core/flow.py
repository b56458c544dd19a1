"""The words of the flow: one a stage, in its order.

The word is the stage in dvc.yaml, `stages/<word>.py`, the verb of the command line, the section of
params.yaml, the MLflow tag and the output folder.
"""

from __future__ import annotations

WORDS = (
    "fetch",
    "prepare",
    "check",
    "subsample",
    "pretrain",
    "intermediate",
    "transfer",
    "aggregate",
    "report",
)
# One run a study; their key is the study's name.
SINGLE = ("check", "pretrain", "aggregate", "report")
TRAINED = ("pretrain", "intermediate", "transfer")  # these may run in several processes


def trains(word: str, source: str) -> bool:
    """Whether a stage runs in all processes, on all nodes: an import of a checkpoint is one copy.

    Args:
        source: of the study's `pretrain`.
    """
    return word in TRAINED and not (word == "pretrain" and source != "scratch")
