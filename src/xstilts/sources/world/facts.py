"""The closed world: who does what to which thing. Facts know no language.

`draw_facts(rng, count)` draws facts that cannot be confused with each other.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from xstilts.sources.world.languages import CONCEPTS

FIELDS = ("name", "verb", "thing")
QUALITY_SHARE = 0.15  # share of the things that come with a quality
SAME_VERB_SHARE = 0.5  # share of fact groups in which all facts have one verb


@dataclass(frozen=True)
class Fact:
    """A person does something to a thing, which may have a quality (None: it has none)."""

    name: int
    verb: int
    thing: int
    quality: int | None = None


def draw_facts(rng: random.Random, count: int) -> tuple[Fact, ...]:
    """Draw `count` facts with different persons and different things.

    In half of the groups all facts have one verb, so that a reader must match more than the verb.
    """
    names = rng.sample(range(CONCEPTS["name"]), count)
    things = rng.sample(range(CONCEPTS["thing"]), count)
    verb = rng.randrange(CONCEPTS["verb"]) if rng.random() < SAME_VERB_SHARE else None
    facts = []
    for name, thing in zip(names, things, strict=True):
        own_verb = rng.randrange(CONCEPTS["verb"]) if verb is None else verb
        has_quality = rng.random() < QUALITY_SHARE
        quality = rng.randrange(CONCEPTS["quality"]) if has_quality else None
        facts.append(Fact(name, own_verb, thing, quality))
    return tuple(facts)


def swap_things(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The same words with another meaning: the first two facts exchange their things."""
    first, second, *rest = facts
    return (
        replace(first, thing=second.thing, quality=second.quality),
        replace(second, thing=first.thing, quality=first.quality),
        *rest,
    )


def change_one(
    rng: random.Random, facts: tuple[Fact, ...], about: int, fields: tuple[str, ...]
) -> tuple[Fact, ...]:
    """Fact number `about` gets, in one of `fields`, a person, verb or thing new to the facts."""
    field = rng.choice(fields)
    used = {getattr(fact, field) for fact in facts}
    fresh = rng.choice([number for number in range(CONCEPTS[field]) if number not in used])
    changed = list(facts)
    changed[about] = replace(facts[about], **{field: fresh})
    return tuple(changed)
