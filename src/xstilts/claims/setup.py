"""Facts of a study's set-up, out of its compiled design: encoder, intermediate tasks, phases.

A fact that does not hold contradicts no claim: the study is then another one, and does not ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xstilts.claims.entries import ANY_ENCODER, Setup
from xstilts.core.params import Params
from xstilts.model.published import ENCODERS


@dataclass(frozen=True)
class Found:
    """The facts that were asked for: in words, what is missing of them, and as they were read."""

    text: str
    missing: list[str]
    facts: dict[str, Any]


def look(params: Params, wanted: Setup) -> Found:
    """Compare a study's design with what a claim says of the set-up."""
    texts: list[str] = []
    missing: list[str] = []
    facts: dict[str, Any] = {}
    if wanted.encoder:
        facts["encoder"] = own = params.pretrain.model if params.pretrain else None
        hub = own if wanted.encoder == ANY_ENCODER else ENCODERS[wanted.encoder].hub
        texts.append(f"starts from {own}")
        missing += [] if own and own == hub else [f"{hub or 'a published encoder'} at its start"]
    if wanted.tasks:
        facts["tasks"] = own_tasks = _single_tasks(params, wanted.language or "")
        texts.append(f"{len(own_tasks)} intermediate tasks ({wanted.language})")
        missing += [f"{name} ({wanted.language})" for name in wanted.tasks if name not in own_tasks]
    for phase in wanted.phases:
        trained = {
            "intermediate": len(params.intermediate),
            "transfer": sum(target.training is not None for target in params.targets.values()),
        }[phase]
        facts[phase] = trained
        texts.append(f"{trained} trained {_things(phase, trained)}")
        missing += [] if trained else [f"the phase {phase}"]
    return Found("; ".join(texts), missing, facts)


def _single_tasks(params: Params, language: str) -> list[str]:
    """Intermediate tasks that are trained on alone in a language, each once."""
    runs = params.intermediate.values()
    own = [run for run in runs if run.method == "single" and run.language == language]
    return sorted({run.task for run in own})


def _things(phase: str, count: int) -> str:
    word = {"intermediate": "intermediate run", "transfer": "target"}[phase]
    return word + ("" if count == 1 else "s")
