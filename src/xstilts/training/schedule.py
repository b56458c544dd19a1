"""A training's schedule: how many updates, which part of a mix each takes, at which rate.

Pure; used by training/loop.py. A part's share of the updates is ~ min(rows, cap) ** (1 /
temperature) (Raffel et al. 2020, section 3.5.2; `cap` is jiant's examples_cap), or is fixed
(`share`: masked language modelling beside tasks). "Rows" are features: a long document that is cut
into windows counts as often as it has windows, as in jiant. The order depends on the seed and the
step alone, never on the number of processes or on where a training was resumed. The learning rate
rises and falls linearly, as in jiant and google-research/xtreme, but from the first update on: by
transformers' `get_linear_schedule_with_warmup` that one has a rate of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xstilts.core.errors import UserError
from xstilts.core.params import Mixing, Training


@dataclass(frozen=True)
class Schedule:
    """At update `step` part `parts[step]` is trained, which has had `earlier[step]` before."""

    parts: NDArray[np.int64]  # [steps]
    earlier: NDArray[np.int64]  # [steps]

    def __len__(self) -> int:
        return len(self.parts)


def proportions(
    rows: Sequence[int], shares: Sequence[float | None], mixing: Mixing | None = None
) -> list[float]:
    """Each part's expected share of the updates; they sum to 1.

    Args:
        rows: features of each part.
        shares: fixed share of each part, or None.
        mixing: cap and temperature of the others; None: in proportion to their rows.

    Raises:
        UserError: the fixed shares leave nothing for the other parts.
    """
    fixed = sum(share for share in shares if share is not None)
    weights = [
        0.0 if share is not None else _weight(count, mixing)
        for count, share in zip(rows, shares, strict=True)
    ]
    if not any(weights):
        return [share / fixed for share in shares if share is not None]
    if fixed >= 1:
        raise UserError(
            f"the fixed shares of a mix come to {fixed:g} and leave its other parts nothing. "
            "Mend: give smaller shares"
        )
    rest = (1 - fixed) / sum(weights)
    return [
        weight * rest if share is None else share
        for weight, share in zip(weights, shares, strict=True)
    ]


def _weight(rows: int, mixing: Mixing | None) -> float:
    """min(rows, cap) ** (1 / temperature)."""
    if mixing is None:
        return float(rows)
    return float(min(rows, mixing.cap or rows) ** (1 / mixing.temperature))


def total_steps(
    training: Training,
    rows: Sequence[int],
    shares: Sequence[float | None] | None = None,
    mixing: Mixing | None = None,
) -> int:
    """Updates of a budget: `steps` as they are; `epochs` as jiant counts them in a mix.

    That is the sum over the parts without a fixed share of epochs x min(rows, cap) / batch, each
    rounded up; enlarged so that the fixed shares come on top of these updates.
    """
    if training.steps is not None:
        return training.steps
    assert training.epochs is not None
    shares = shares or [None] * len(rows)
    fixed = [share for share in shares if share is not None]
    counted = [n for n, share in zip(rows, shares, strict=True) if share is None]
    if not counted:
        counted, fixed = list(rows), []
    cap = mixing.cap if mixing else None
    steps = sum(
        math.ceil(training.epochs * min(count, cap or count) / training.batch) for count in counted
    )
    return max(1, math.ceil(steps / (1 - sum(fixed)) - 1e-9))


def draw(chances: Sequence[float], steps: int, seed: int) -> Schedule:
    """Draw a part for each update.

    The draw of step s is the s-th of one stream of raw numbers, so it is the same whatever `steps`
    is, on every machine and with every numpy.

    Args:
        chances: expected share of each part.
    """
    stream = np.random.PCG64(np.random.SeedSequence([seed, 3]))
    draws = stream.random_raw(steps) / 2.0**64
    limits = np.cumsum(chances)[:-1]
    parts = np.searchsorted(limits, draws, side="right").astype(np.int64)
    earlier = np.zeros(steps, dtype=np.int64)
    for part in range(len(chances)):
        own = parts == part
        earlier[own] = np.arange(own.sum())
    return Schedule(parts, earlier)


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Linear warm-up over `warmup` x steps or `warmup_steps`, then linear decay to 0 at `steps`.

    A training that is shorter than its `warmup_steps` ends while its rate still rises.
    """
    warm = training.warmup_steps
    if warm is None:
        warm = math.ceil((training.warmup or 0.0) * steps)
    if step < warm:
        return training.learning_rate * (step + 1) / warm
    return training.learning_rate * (steps - step) / max(1, steps - warm)
