"""Templates of cluster/, filled in for an array."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts.commands.submit.ledger import Submission
from xstilts.core import files, flow
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine

FOLDER = Path("cluster")
GRACE = 60  # seconds before a job's end at which it is told


def written(
    template: str, submission: Submission, array: str, word: str, values: Mapping[str, Any]
) -> Path:
    """The script of an array, in its submission's folder.

    Args:
        values: what the engine knows: `command` and its own names of the template.

    Raises:
        UserError: the template is not there or cannot be filled in.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    path = submission.folder / f"{array}{Path(template).suffix}"
    machine = values["machine"]
    asked = resources(machine, word) | {"nodes": submission.nodes.get(array, 1)} | dict(values)
    try:
        source = (FOLDER / template).read_text(encoding="utf-8")
        environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
        text = environment.from_string(source).render(asked)
    except FileNotFoundError as error:
        raise UserError(
            f"{FOLDER / template} is missing. Mend: it belongs to the repository: `git checkout` it"
        ) from error
    except TemplateError as error:
        raise UserError(
            f"{FOLDER / template}: {error}. Mend: `git diff` it against the repository's"
        ) from error
    files.write_bytes(path, text.encode())
    return path


def resources(machine: Machine, word: str) -> dict[str, Any]:
    """What a template says of one stage's jobs."""
    asked = machine.cluster.asked(word)
    trained = word in flow.TRAINED
    threads = machine.processes * machine.threads if trained else machine.threads
    memory = asked.memory_gb
    return {
        **asked.model_dump(exclude={"memory_gb", "hours", "cells_per_job", "jobs_at_once"}),
        "cpus": asked.cpus or threads,
        "memory": memory and round(memory * 1024),
        "minutes": minutes(asked.hours),
        "grace": GRACE,
        "restarts": machine.cluster.restarts,
        "container": machine.cluster.container,
        "root": shlex.quote(str(Path.cwd())),
        "path": shlex.quote(str(Path(sys.executable).parent)),
    }


def nodes(machine: Machine, word: str, source: str) -> int:
    """How many nodes one stage's jobs need: all of machine.yaml where it trains.

    Args:
        source: of the study's `pretrain`.
    """
    return machine.nodes if flow.trains(word, source) else 1


def minutes(hours: float) -> int:
    """A time limit as schedulers take it."""
    return max(1, math.ceil(hours * 60))


def command(machine: Machine, *arguments: str) -> str:
    """`xstilts ...` as a job is to run it: in the container, if there is one."""
    return f"{machine.cluster.container or ''} xstilts {' '.join(arguments)}".strip()
