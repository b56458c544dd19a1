"""The flow, one file a step: read, call functions, write. Stages know no MLflow and no SLURM."""

from __future__ import annotations

# In the order of the flow. One word per stage: dvc.yaml, `stages/<word>.py`, the CLI verb, the
# section of params.yaml, the MLflow tag and the output folder all use it.
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
