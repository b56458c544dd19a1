"""What `claims.yaml` may say: a sentence, where it was read, and a check over a study's rows.

The vocabulary is closed and has no code in it, so a claim is added by writing an entry
(docs/claims.md). Read by the stage `report` and by `xstilts claims`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from xstilts.core.errors import UserError
from xstilts.core.strict import Strict, load_yaml, parse
from xstilts.model.published import ENCODERS
from xstilts.results.scores import ALL, ZERO_SHOT

FILE = Path("claims.yaml")
MEND = "mend the entry; docs/claims.md has the vocabulary"
ANY_ENCODER = "published"

Verdict = Literal["reproduced", "not reproduced", "undecided", "not run"]
Measure = Literal["score", "gain", "error", "slope", "in_language"]
Method = Literal["single", "shuffled", "multi", "mlm", "best", "none"]
Rule = Literal["each", "most", "any", "mean"]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Methods = Annotated[tuple[Method, ...], BeforeValidator(_listed), Field(min_length=1)]
Size = int | Literal["largest"]


class Settings(Strict):
    """Settings of a study by what they were trained on; a list names several.

    A task or language that is left open is whatever the study has.
    """

    method: Methods = ("single",)
    task: Names | None = None
    language: Names | None = None  # of the intermediate rows
    variant: Names = ("",)
    size: Size = "largest"  # rows; largest: of each task and language by itself


class Otherwise(Strict):
    """How a setting's partner differs from it; what is left open is the same in both."""

    method: Methods | None = None
    task: Names | None = None
    language: Names | None = None
    variant: Names | None = None
    size: Size | None = None

    @model_validator(mode="after")
    def differs(self) -> Otherwise:
        """A setting minus itself is 0 whatever was measured."""
        if not self.model_fields_set:
            raise ValueError("names nothing in which the two settings differ")
        return self


class Bounds(Strict):
    """Numbers of the study, and what the claim says of them: above, below, or between."""

    of: Settings
    minus: Otherwise | None = None  # then the number is the difference to these
    target: Names = (ALL,)  # targets; all: the mean over them
    language: str = ZERO_SHOT  # of the scored rows: a language, zero-shot or mean
    above: float | None = None
    below: float | None = None
    rule: Rule = "each"  # of several numbers: how many must agree, or their mean

    @model_validator(mode="after")
    def bounded(self) -> Bounds:
        """A check that no number could contradict is none."""
        if self.above is None and self.below is None:
            raise ValueError("neither `above` nor `below` is given, so any number would agree")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"no number is above {self.above:g} and below {self.below:g}")
        return self


class Setup(Strict):
    """How a study is set up; all that is given must be so."""

    encoder: str | None = None  # a name of model/published.py, or `published` for any
    tasks: Names | None = None  # single intermediate tasks that the study trains on ...
    language: str | None = None  # ... in this language
    phases: tuple[Literal["intermediate", "transfer"], ...] = ()

    @model_validator(mode="after")
    def known(self) -> Setup:
        """An encoder that is spelt wrong would never be found."""
        if self.encoder not in (None, ANY_ENCODER, *ENCODERS):
            known = ", ".join((ANY_ENCODER, *ENCODERS))
            raise ValueError(f"unknown encoder {self.encoder!r}, not one of {known}")
        if (self.tasks is None) != (self.language is None):
            raise ValueError("`tasks` and `language` go together")
        if not (self.encoder or self.tasks or self.phases):
            raise ValueError("says nothing of the set-up")
        return self


class Check(Strict):
    """Exactly one way to ask."""

    score: Bounds | None = None  # 0-100
    gain: Bounds | None = None  # points over no intermediate training
    error: Bounds | None = None  # points over the score that is expected (control world)
    slope: Bounds | None = None  # points per tenfold intermediate rows
    # share of outputs in the right language (generation)
    in_language: Bounds | None = Field(None, exclude_if=lambda bounds: bounds is None)
    setup: Setup | None = None
    outside: str | None = None  # why this project cannot ask it

    @model_validator(mode="after")
    def one(self) -> Check:
        """Two checks would need two verdicts."""
        if len(self.model_fields_set) != 1 or not any(self.model_dump().values()):
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}")
        bounds = self.slope
        if bounds is not None and (
            "size" in bounds.of.model_fields_set or (bounds.minus and bounds.minus.size)
        ):
            raise ValueError("a slope is over all sizes: leave `size` out")
        return self

    @property
    def measured(self) -> tuple[Measure, Bounds] | None:
        """What is measured and its bounds; None for a check of another sort."""
        names: tuple[Measure, ...] = ("score", "gain", "error", "slope", "in_language")
        return next(((name, one) for name in names if (one := getattr(self, name))), None)


class Claim(Strict):
    """One claim, where it was read, and how it is asked."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")  # MLflow's filters take no hyphen without quotes
    text: str = Field(min_length=10)
    status: Literal["verified", "recalled", "own"]  # own: said by whoever wrote the entry
    source: str = Field(min_length=3)
    where: str = ""  # section or table
    url: str | None = Field(None, pattern=r"^https://")
    note: str = ""
    published: float | None = None  # the number that the check measures, as published
    studies: tuple[str, ...] = ()  # that it is asked of; none: of any
    targets: tuple[str, ...] = ()  # whose mean `all` has to be
    expect: Verdict | None = None  # where the answer is known: in the control world
    check: Check

    @model_validator(mode="after")
    def sensible(self) -> Claim:
        """What was read somewhere is linked; a published number needs one of ours beside it."""
        if self.url is None and self.status != "own":
            raise ValueError("`url` is missing, which only a claim of one's own may lack")
        if self.published is not None and self.check.measured is None:
            raise ValueError("`published` has no measured number to stand beside")
        return self


def load(path: Path = FILE) -> list[Claim]:
    """All claims, in the order of the file.

    Raises:
        UserError: the file is missing or no list; an unknown, missing or wrong key; an id twice.
            The message names the entry and the field.
    """
    content = load_yaml(path, "it belongs to the repository: `git checkout` it")
    if not isinstance(content, list):
        raise UserError(f"{path} is no list of claims. Mend: begin each with `- id: ...`")
    claims = [_claim(value, path, number) for number, value in enumerate(content, 1)]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise UserError(f"{path}: the id {claim.id} occurs twice. Mend: rename one of them")
        seen.add(claim.id)
    return claims


def _claim(value: object, path: Path, number: int) -> Claim:
    name = f" ({value['id']})" if isinstance(value, dict) and "id" in value else ""
    return parse(Claim, value, f"{path}, entry {number}{name}", MEND)


def asked_of(claims: list[Claim], study: str) -> list[Claim]:
    """The claims that a study is asked: those that name it, or no study at all."""
    return [claim for claim in claims if not claim.studies or study in claim.studies]
