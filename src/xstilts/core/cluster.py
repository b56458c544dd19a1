"""Typed view of machine.yaml's `cluster`: what a job of `xstilts submit` asks its scheduler for."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from xstilts.core import flow
from xstilts.core.strict import Strict

RECORD = "record"  # the last job of a submission, which writes dvc.lock


class Asked(Strict):
    """What one job asks for."""

    partition: str | None = None  # not given: the site's default, as for all that is None
    account: str | None = None
    qos: str | None = None
    gpus: int = Field(0, ge=0)  # a node, of a job whose stage trains; others ask for none
    cpus: int | None = Field(None, gt=0)  # a node; not given: processes x threads of this file
    memory_gb: float | None = Field(None, gt=0)  # a node
    hours: float = Field(4, ge=0.1)  # of a job: after them it is ended, and goes on later
    cells_per_job: int = Field(1, gt=0)  # one after another, where one is too short
    jobs_at_once: int | None = Field(None, gt=0)  # of one array
    options: list[str] = Field(default_factory=list)  # further ones, as `--constraint=a100`


class Override(Asked):
    """The same for one stage, where it differs: only what is given counts."""


class Cluster(Asked):
    """The section `cluster` of machine.yaml."""

    array_limit: int = Field(1000, gt=0)  # jobs of an array (SLURM's MaxArraySize, less one)
    restarts: int = Field(100, ge=0)  # of one job that ran out of time or was preempted
    container: str | None = None  # what stands before `xstilts`: `apptainer exec --nv kit.sif`
    stages: dict[str, Override] = Field(default_factory=dict)

    @model_validator(mode="after")
    def stages_exist(self) -> Cluster:
        """A stage that is misspelt would run with what it must not have."""
        known = (*flow.WORDS, RECORD)
        for word in self.stages:
            if word not in known:
                raise ValueError(f"`stages` has no {word!r}: it knows {', '.join(known)}")
        return self

    def asked(self, word: str) -> Asked:
        """What a job of one stage asks for."""
        common: dict[str, Any] = {name: getattr(self, name) for name in Asked.model_fields}
        if word not in flow.TRAINED:
            common["gpus"] = 0
        if word in self.stages:
            given = self.stages[word]
            common |= {name: getattr(given, name) for name in given.model_fields_set}
        return Asked(**common)
