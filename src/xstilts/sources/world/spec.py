"""What a study may say of the control world under `data.world`: its seed, and how many rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from xstilts.core.strict import Seed, Strict

Count = Annotated[int, Field(gt=0)]
Code = Literal["qaa", "qab", "qac", "qad", "qae"]  # the languages of languages.py


class Splits(Strict):
    """Rows of each split of a task, in each language that has it."""

    train: Count
    validation: Count = 500
    test: Count = 500


class Qa(Splits):
    """Questions on short contexts."""

    train: Count = 16000


class Reading(Splits):
    """Questions on longer contexts."""

    train: Count = 1500


class Paraphrase(Splits):
    """Pairs of sentences."""

    train: Count = 8000
    test: Count = 1000


class Pos(Splits):
    """Sentences with their parts of speech."""

    train: Count = 4000


class Bitext(Strict):
    """Translations into the source language."""

    test: Count = 500


class World(Strict):
    """The whole world; what is left out has its default."""

    seed: Seed = 1
    text: Count = 96000
    train_languages: list[Code] = Field(["qaa"])  # those with training rows
    qa: Qa = Qa()
    reading: Reading = Reading()
    paraphrase: Paraphrase = Paraphrase()
    pos: Pos = Pos()
    bitext: Bitext = Bitext()
