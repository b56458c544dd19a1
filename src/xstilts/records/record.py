"""What decides and describes a result, as `record.json` beside it; equal work, equal bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts.core import files
from xstilts.core.params import Params
from xstilts.core.progress import Record
from xstilts.core.strict import Strict
from xstilts.records.code import code_sha


def make(
    params: Params,
    stage: str,
    key: str,
    spec: Strict | dict[str, Any],
    inputs: list[Path],
    metrics: dict[str, float],
    curves: dict[str, list[list[float]]] | None = None,
    artifacts: tuple[str, ...] = (),
    extra_code: tuple[Path, ...] = (),
) -> Record:
    """A record; nothing in it differs between two equal runs (no times, hosts, commits).

    Args:
        inputs: the files read; their sha256 goes in.
        artifacts: files of the output folder that are worth a look, relative to it.
        extra_code: code files that the import graph cannot see (a task's own file).
    """
    return {
        "stage": stage,
        "key": key,
        "study": params.study,
        "params": spec.model_dump() if isinstance(spec, Strict) else spec,
        "inputs": {str(path): files.sha256_file(path) for path in sorted(set(inputs))},
        "metrics": metrics,
        "curves": curves or {},
        "artifacts": list(artifacts),
        "code": code_sha(stage, extra_code),
    }
