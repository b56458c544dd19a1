"""The flow, one file a step: read, call functions, write. Stages know no MLflow and no SLURM."""

from __future__ import annotations

# In the order of the flow. One word per stage: dvc.yaml, `stages/<word>.py`, the CLI verb, the
# section of params.yaml, the MLflow tag and the output folder all use it.
WORDS = (
    "fetch",
    "prepare",
    "subsample",
    "pretrain",
    "intermediate",
    "transfer",
    "aggregate",
    "report",
)
SINGLE = ("pretrain", "aggregate", "report")  # one run a study; their key is the study's name
TRAINED = ("pretrain", "intermediate", "transfer")  # these may run in several processes
