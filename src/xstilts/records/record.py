"""What decides and describes a result, as `record.json` beside it; equal work, equal bytes.

So it names no code: what an edit leaves as it was has the bytes that it had, and what follows it
does not run again. The code is told in provenance, and once in the score rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xstilts.core import files
from xstilts.core.params import Params
from xstilts.core.progress import Record
from xstilts.core.strict import Strict


def make(
    params: Params,
    stage: str,
    key: str,
    spec: Strict | dict[str, Any],
    inputs: list[Path],
    metrics: dict[str, float],
    curves: dict[str, list[list[float]]] | None = None,
    artifacts: tuple[str, ...] = (),
) -> Record:
    """A record; nothing in it differs between two equal runs (no times, hosts, commits, code).

    Args:
        inputs: the files read; their sha256 goes in.
        artifacts: files of the output folder that are worth a look, relative to it.
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
    }
