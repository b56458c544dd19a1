"""The machinery of each kind: modules that bring torch, so only training and scoring ask here."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xstilts.core.params import Part, Training

# In full, as records/code.py finds by these names what a stage runs.
MODULES = {
    "classification": "xstilts.kinds.classification",
    "multiple_choice": "xstilts.kinds.multiple_choice",
    "span": "xstilts.kinds.span",
    "tagging": "xstilts.kinds.tagging",
    "retrieval": "xstilts.kinds.retrieval",
    "mining": "xstilts.kinds.mining",
    "ranking": "xstilts.kinds.ranking",
    "generation": "xstilts.kinds.generation",
    "mlm": "xstilts.kinds.mlm",
}


def get(name: str) -> Any:
    """The module of a kind."""
    return import_module(MODULES[name])


def lengths(kind: Any, spec: Part | Training) -> tuple[int, ...]:
    """What `encode` of a kind is told: tokens of a sequence, and from one window to the next."""
    if hasattr(kind, "lengths"):
        own: tuple[int, ...] = kind.lengths(spec)
        return own
    return spec.max_length, spec.stride


def unit(kind: Any, training: Training) -> int:
    """How many features of a kind belong together in a drawn one."""
    return int(kind.unit(training)) if hasattr(kind, "unit") else 1
