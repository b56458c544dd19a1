"""Where a training keeps what it needs to go on: a folder named by all that decides its result."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts import determinism, files, paths, record
from xstilts.machine import Machine

PACKAGES = ("torch", "transformers", "tokenizers", "deepspeed", "peft")


def folder(stage: str, spec: Any, inputs: list[Path], machine: Machine) -> Path:
    """`.state/<stage>-<hash>`: code, params, input bytes, versions, workers, all that decides bits.

    DeepSpeed's state belongs to one number of workers and one ZeRO stage, so those are in too;
    it is deleted when its stage succeeds, and can be deleted at any time.
    """
    name = files.sha256_json(
        {
            "code": record.code_sha(stage),
            "spec": spec,
            "inputs": {str(path): files.sha256_file(path) for path in inputs},
            "versions": {package: metadata.version(package) for package in PACKAGES},
            "workers": int(os.environ.get("WORLD_SIZE", "1")),
            "zero": machine.zero,
            "micro_batch": machine.micro_batch,
            "bits": determinism.asked(machine),
        }
    )
    return paths.STATE / f"{stage}-{name[:24]}"
