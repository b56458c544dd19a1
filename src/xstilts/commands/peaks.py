"""How much memory each phase takes at its most: predicted, and measured where it ran.

`xstilts plan` prints it. The prediction is that of training/memory.py for the largest training of
a phase, with sequences as long as the study allows; on a CPU it is of a process as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from xstilts.core import files, flow, memory, passes, paths
from xstilts.core.machine import Machine, load_machine
from xstilts.core.params import Params, Target, Training
from xstilts.model import published
from xstilts.records import provenance
from xstilts.training.memory import Layout, Micro, Shape, needed, scoring

PROCESS = 0.65e9  # of a process that has imported torch, transformers, DeepSpeed and MLflow
SEQUENCES = {"multiple_choice": 4, "ranking": 2}  # of an example; usual ones
GB = 1e9


class Peaks:
    """Memory of a study's phases on this machine.

    Args:
        device: `cpu` or `cuda`; None: what `auto` means here.
    """

    def __init__(
        self, loaded: Params, machine: Machine | None = None, device: str | None = None
    ) -> None:
        self.loaded, self.machine = loaded, machine or load_machine()
        self.device = device or _device(self.machine)

    @cached_property
    def shape(self) -> Shape | None:
        """The encoder: as its config.json says once it is here; None: nothing is known of it."""
        folder, spec = paths.pretrained(self.loaded.study), self.loaded.pretrain
        if (folder / "config.json").exists() and (folder / "record.json").exists():
            weights = files.read_json(folder / "record.json")["metrics"]["parameters"]
            return Shape.of_config(files.read_json(folder / "config.json"), int(weights))
        if spec.architecture:
            return Shape.of_architecture(spec.architecture)
        known = published.by_hub(spec.model or "")
        return Shape.of_published(known) if known else None

    def predicted(self, word: str, recompute: bool = False) -> float:
        """Bytes of a phase on the device of a process; 0 where nothing is known or done."""
        shape = self.shape
        if shape is None:
            return 0.0
        most = max((self._training(shape, *one, recompute) for one in self._of(word)), default=0.0)
        if word == "transfer":
            most = max(most, *(self._scoring(shape, one) for one in self.loaded.targets.values()))
        return most + (0.0 if self.device == "cuda" or not most else PROCESS)

    def _of(self, word: str) -> Iterator[tuple[Training, str, int]]:
        """Trainings of a phase, each with a kind and the longest sequence of it."""
        if word == "pretrain" and (own := self.loaded.pretrain.training):
            yield own, "mlm", own.max_length
        if word == "intermediate":
            for run in self.loaded.intermediate.values():
                yield from ((run.training, part.kind, part.max_length) for part in run.parts)
        if word == "transfer":
            for target in self.loaded.targets.values():
                ways = [target, *map(target.fine_tuned, target.variants)]
                trainings = [one.training for way in ways for one in way.before]
                for training in [*(way.training for way in ways), *trainings]:
                    if training is not None:
                        yield training, target.kind, training.max_length

    def _training(
        self, shape: Shape, training: Training, kind: str, longest: int, recompute: bool
    ) -> float:
        heads = [(longest, SEQUENCES.get(kind, 1), kind == "mlm")]
        micro = Micro.largest(training, self.machine, self.device, heads)
        layout = Layout.of(self.machine, training, self.device)
        return needed(shape, training, micro, layout, recompute)

    def _scoring(self, shape: Shape, target: Target) -> float:
        tokens = max(target.max_length, passes.scored(self.machine, target.max_length, self.device))
        return scoring(shape, tokens, target.max_length, self.device == "cuda")

    def measured(self, word: str) -> float:
        """The most that a finished run of a phase took, on this sort of device; 0: none tells."""
        kind = "gpu" if self.device == "cuda" else "process"
        found = (_told(path) for path in sorted(self._provenance(word).glob("*.json")))
        return float(max((told.get(kind, 0) for told in found), default=0))

    def _provenance(self, word: str) -> Path:
        return paths.provenance(self.loaded.study, word, "x").parent

    def line(self) -> str:
        """What a person is told."""
        if self.shape is None:
            return f"The shape of {self.loaded.pretrain.model} is not known, so its memory is not."
        always = self.machine.activation_checkpointing is True
        parts = []
        for word in flow.TRAINED:
            if not (most := self.predicted(word, always)):
                continue
            measured = self.measured(word)
            told = f"measured {measured / GB:.1f} GB" if measured else "not measured yet"
            parts.append(f"{word} {most / GB:.1f} GB ({self._twice(word, most)}{told})")
        where = "GPU" if self.device == "cuda" else "process, on the CPU"
        return f"Predicted peak memory of a {where}: {', '.join(parts)}.{self._here()}"

    def _twice(self, word: str, most: float) -> str:
        """What activation checkpointing would come to, where machine.yaml leaves it to need."""
        if self.machine.activation_checkpointing != "auto":
            return ""
        twice = self.predicted(word, True)
        worth = twice < 0.9 * most
        return f"{twice / GB:.1f} with activation checkpointing; " if worth else ""

    def _here(self) -> str:
        free = 0 if self.device == "cuda" else memory.available() // self.machine.processes
        return f" Free here: {free / GB:.1f} GB." if free else ""


def _told(path: Path) -> dict[str, Any]:
    """What a provenance file says of memory; nothing where it is old or broken."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("peak_bytes")
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _device(machine: Machine) -> str:
    """What `auto` means, without torch."""
    if machine.device == "auto":
        return "cuda" if provenance.hardware()["gpus"] else "cpu"
    return machine.device
