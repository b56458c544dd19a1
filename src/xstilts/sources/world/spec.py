"""What a study may say of the control world under `data.world`: its seed, and how many rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xstilts.core.strict import Seed, Strict

Count = Annotated[int, Field(gt=0)]
Code = Literal["qaa", "qab", "qac", "qad", "qae"]  # the languages of words.py


class Splits(Strict):
    """Rows of each split of a task, in each language that has it."""

    train: Count = 4000
    validation: Count = 96
    test: Count = 480


class New(Splits):
    """Rows about nouns that no training row is about: ten a noun of the core, three a new one."""

    train: Count = 480
    test: Count = 576


class Facts(Splits):
    """Questions about facts: one of each noun."""

    train: Count = 64
    validation: Count = 64
    test: Count = 32


class Bitext(Strict):
    """Translations into the source language; each has a noun of its own."""

    test: Annotated[int, Field(gt=0, le=240)] = 240


class World(Strict):
    """The whole world; what is left out has its default."""

    seed: Seed = 1
    text: Count = 204_800
    parallel: bool = True  # whether the text says things in two languages at once
    train_languages: list[Code] = Field(["qaa"])  # those with training rows
    classes: Splits = Splits()
    tags: Splits = Splits()
    new_classes: New = New()
    new_tags: New = New()
    qa: Splits = Splits()
    bitext: Bitext = Bitext()
    facts_text: Count = 4000  # of the data set world/facts, as is all of `facts`
    facts: Facts = Facts()
