"""What stages import, imported: only the server that `forked` starts imports this.

With a GPU at hand nothing is: importing DeepSpeed asks for it, and a fork of a process that has
done so cannot use it.
"""

import gc
import importlib
import os
from pathlib import Path

from xstilts.core import determinism, flow, machine

GPU = ("nvidia0", "dxg", "kfd")  # NVIDIA's device, the one of WSL, AMD's
LATE = ("deepspeed", "mlflow.store.tracking.sqlalchemy_store", "xstilts.records.tracking")

if not any((Path("/dev") / name).exists() for name in GPU):
    gc.disable()  # as the command line does: imports make no garbage
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else it warns that it found nothing better
    determinism.prepare(machine.load_machine())  # before numpy and torch
    for _name in (*(f"xstilts.stages.{word}" for word in flow.WORDS), *LATE):
        importlib.import_module(_name)
    _code = importlib.import_module("xstilts.records.code")
    for _name in flow.WORDS:
        _code.identity(_name)  # of what has just been imported, which is what the forks run
    gc.freeze()
