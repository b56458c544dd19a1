"""What a study file says: the schema of `studies/<name>.yaml`, as a person writes it.

`xstilts study use NAME` reads one, and `compiler.compile_study` makes a study's params of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.core.params import (
    Aggregate,
    Architecture,
    Corpus,
    Method,
    Mixing,
    SeenSet,
    Training,
)
from xstilts.core.strict import Seed, Strict, parse
from xstilts.model import published
from xstilts.sources.world.spec import World
from xstilts.tasks import NAMES
from xstilts.tasks.base import Split
from xstilts.tasks.kinship import OTHERS

T = TypeVar("T")
MUL = "mul"  # the language of what is in many


def _once(values: list[T]) -> list[T]:
    """Refuse a value that occurs twice: two cells of the design would be one run."""
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value!r} occurs twice")
    return values


Languages = Annotated[list[str], Field(min_length=1), AfterValidator(_once)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_once)]
Rows = Annotated[int, Field(gt=0)] | Literal["all"]
Sizes = Annotated[list[Rows], Field(min_length=1), AfterValidator(_once)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Rates = Annotated[list[Rate], AfterValidator(_once)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # fit for a part of a run's id
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class StudyTraining(Training):
    """A training as a study asks for it: at rates that a model can be trained at.

    Stages read a plain `Training`, which is part of the code that they run.
    """

    learning_rate: Rate
    sweep: Rates = Field(default_factory=list)


class Data(Strict):
    """Where raw data comes from."""

    source: str = Field(pattern=r"^(hub|world|mirror:.+)$")
    world: World | None = None


class Scratch(Strict):
    """Phase i from scratch: a small XLM-R on the study's own text."""

    corpora: list[Corpus] = Field(min_length=1)
    architecture: Architecture
    training: dict[str, Any]
    seed: Seed = 1


class Hub(Strict):
    """Phase i imported: a published checkpoint; without a revision, as pins.yaml pins it."""

    model: str
    revision: Commit | None = None


class PretrainChoice(Strict):
    """One of the three ways through phase i."""

    scratch: Scratch | None = None
    hub: Hub | None = None
    encoder: str | None = None  # a name of model/published.py: mbert, xlmr-base ...
    vocabulary: Literal["whole", "used"] = "whole"  # of a checkpoint: the pieces that are kept
    # Sets that the checkpoint was trained on, beside those of a named encoder; []: none at all.
    seen: list[SeenSet] | None = None

    @field_validator("seen", mode="before")
    @classmethod
    def named(cls, value: Any) -> Any:
        """A set that is only a name: `mnli` for `{set: mnli}`."""
        if not isinstance(value, list):
            return value
        return [{"set": one} if isinstance(one, str) else one for one in value]

    @field_validator("seen")
    @classmethod
    def known(cls, value: list[SeenSet] | None) -> list[SeenSet] | None:
        """A misspelt set would warn of nothing."""
        for one in value or ():
            if one.set not in NAMES and one.set not in OTHERS:
                others = ", ".join(OTHERS)
                raise ValueError(f"unknown set {one.set!r}: take the name of a task, or {others}")
            if unknown := set(one.splits).difference(get_args(Split)):
                known = ", ".join(get_args(Split))
                raise ValueError(
                    f"unknown split {min(unknown)!r} of {one.set}: take some of {known}"
                )
        return value

    @model_validator(mode="after")
    def one_way(self) -> PretrainChoice:
        """Exactly one of them; an encoder is one that is known."""
        given = [one for one in (self.scratch, self.hub, self.encoder) if one is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of `scratch`, `hub` and `encoder`")
        if self.scratch and self.seen is not None:
            raise ValueError("a model from scratch has seen what this study says: leave `seen` out")
        if self.encoder is not None and self.encoder not in published.ENCODERS:
            known = ", ".join(published.ENCODERS)
            raise ValueError(f"unknown encoder {self.encoder!r}: take one of {known}, or `hub`")
        return self

    @property
    def published(self) -> published.Encoder | None:
        """What is known of the checkpoint, where it is one of model/published.py."""
        if self.encoder is not None:
            return published.ENCODERS[self.encoder]
        return published.by_hub(self.hub.model) if self.hub else None

    @property
    def family(self) -> str | None:
        """Of an encoder-decoder its family, of an encoder ""; None: not known yet."""
        if self.scratch:
            family = self.scratch.architecture.family
            return family if family == "mt5" else ""
        return self.published.family if self.published else None

    @property
    def layers(self) -> int | None:
        """Layers of the encoder; None: not known before it is there."""
        if self.scratch:
            return self.scratch.architecture.layers
        return self.published.layers if self.published else None

    @property
    def positions(self) -> int | None:
        """Tokens that the encoder takes at most; None: not known before it is there."""
        if self.scratch:
            return self.scratch.architecture.max_positions
        return self.published.positions if self.published else None


class Member(Strict):
    """A task of a mix; what is given here differs from the mix's own."""

    task: str
    rows: Rows | None = None  # of this task, whatever the mix's size; None: the mix's size
    max_length: int | None = Field(None, gt=3)
    stride: int | None = Field(None, gt=0)


class Text(Strict):
    """Rows of a task as text: one file a language."""

    task: str
    split: Split = "train"
    languages: Languages


class Mlm(Strict):
    """Masked language modelling that goes on during phase ii."""

    corpora: list[Text] = Field(min_length=1)
    rows: Rows
    share: float | None = Field(None, gt=0, lt=1)  # of the updates; none where there is no task
    smoothing: float = Field(0.3, gt=0, le=1)  # a language's share of the rows ~ its rows^this
    max_length: int | None = Field(None, gt=3)


class Grid(Strict):
    """Sizes x seeds of one intermediate task, or of a mix, in one or more languages."""

    task: str | None = None
    tasks: list[Member] | None = Field(None, min_length=2)
    name: Word | None = None  # of a mix: nine
    languages: Languages = Field(default_factory=lambda: [MUL])
    sizes: Sizes | None = None  # in a mix: rows of each task, at most
    seeds: Seeds
    method: Literal["single", "shuffled"] = "single"
    variant: Word | Literal[""] = ""  # names a training unlike the study's own: steps, adapter
    rates: Rates = Field(default_factory=list)  # each a setting, beside the training's own rate
    mixing: Mixing | None = None
    mlm: Mlm | None = None
    training: dict[str, Any] = Field(default_factory=dict)

    @field_validator("tasks", mode="before")
    @classmethod
    def named(cls, value: Any) -> Any:
        """A member that is only a name: `mnli` for `{task: mnli}`."""
        if not isinstance(value, list):
            return value
        return [{"task": one} if isinstance(one, str) else one for one in value]

    @model_validator(mode="after")
    def whole(self) -> Grid:
        """What belongs together is there, and nothing that would be ignored."""
        members = [member.task for member in self.tasks or []]
        alone = self.mlm is not None and not self.task and not members
        wrong = {
            "give one of `task`, `tasks` and (for text alone) `mlm`": (
                bool(self.task) + bool(members) + alone != 1
            ),
            "a mix of `tasks` needs a `name`": bool(members) and self.name is None,
            "`name` is that of a mix: leave it out": bool(self.name) and not members,
            f"a task occurs twice in {members}": len(set(members)) < len(members),
            "`method: shuffled` is for a single task": self.method == "shuffled"
            and (bool(members) or self.mlm is not None),
            "`mixing` is for several `tasks`": self.mixing is not None and not members,
            "give `sizes`": self.sizes is None and not alone,
            "text alone takes its size from `mlm.rows`: leave `sizes` out": alone
            and self.sizes is not None,
            "give `languages`": not alone and "languages" not in self.model_fields_set,
            "give `mlm.share`, the part of the updates": self.mlm is not None
            and not alone
            and self.mlm.share is None,
            "text alone has every update: leave `mlm.share` out": alone
            and self.mlm is not None
            and self.mlm.share is not None,
        }
        for what, holds in wrong.items():
            if holds:
                raise ValueError(what)
        return self

    @property
    def design(self) -> Method:
        """The method of these runs."""
        if self.mlm is not None:
            return "mlm"
        return "multi" if self.tasks else self.method

    @property
    def members(self) -> list[Member]:
        """The tasks; none where there is text alone."""
        alone = [Member.model_validate({"task": self.task})] if self.task else []
        return self.tasks or alone

    @property
    def title(self) -> str:
        """What begins a run's id: the task, the mix's name, or mlm."""
        return self.task or self.name or "mlm"


class StudyTarget(Strict):
    """One target task: fine-tuned in the source language, scored in every language."""

    languages: list[str] | Literal["all"] = "all"
    source_language: str
    protocol: str
    split: Split | None = None
    train_limit: int | None = Field(None, gt=0)
    score_limit: int | None = Field(None, gt=0)  # rows of a language that are scored; None: all
    training: dict[str, Any] | None = None
    # The task whose validation rows in the source language choose; None: that of the training rows.
    validation: str | None = None
    before: dict[str, dict[str, Any]] = Field(default_factory=dict)  # task -> its own training
    # Other ways to train it, of the base model alone; each is a setting beside `none`.
    variants: dict[Word, dict[str, Any]] = Field(default_factory=dict)  # name -> of the training
    rates: Rates = Field(default_factory=list)  # beside the training's own rate: lr-1e-05
    # Other settings beside `none`: name -> languages whose training rows join the source's.
    sources: dict[Word, Languages] = Field(default_factory=dict)
    # Of retrieval; where not given, as the protocol says, or plain: last layer, mean, cosine.
    layer: int | None = None
    pooling: Literal["mean", "cls"] | None = None
    similarity: Literal["cosine", "margin"] | None = None
    max_length: int | None = Field(None, gt=3)  # retrieval; None: 128, or what the model takes


class Study(Strict):
    """A study file, as a person writes it."""

    study: str = Field(pattern=r"^[a-z][a-z0-9_]*(-[a-z0-9_]+)*$")
    title: str
    description: str
    data: Data
    pretrain: PretrainChoice
    training: dict[str, Any]  # defaults that every training of the study starts from
    baseline_seeds: Seeds
    intermediate: list[Grid]
    targets: dict[str, StudyTarget] = Field(min_length=1)
    keep_models: Annotated[list[str], AfterValidator(_once)] = Field(
        default_factory=list
    )  # targets
    allow_overlap: dict[str, str] = Field(default_factory=dict)  # "train_task > target" -> why
    aggregate: Aggregate = Field(default_factory=lambda: Aggregate.model_validate({}))

    @model_validator(mode="after")
    def layers_exist(self) -> Study:
        """A target that reads a layer which the model lacks would fail after hours."""
        layers = self.pretrain.layers
        for name, target in self.targets.items():
            given = target.layer
            if layers is not None and given is not None and not -layers - 1 <= given <= layers:
                raise ValueError(f"targets.{name}.layer: {given} is not in 0..{layers}")
        return self


def rate_name(rate: float) -> str:
    """The variant that a learning rate is: 0.0001 -> lr-1e-04, 2.5e-5 -> lr-25e-06; exact."""
    _, digits, exponent = Decimal(repr(rate)).normalize().as_tuple()
    return f"lr-{''.join(map(str, digits))}e{exponent:+03d}"


def read_study(name: str, settings: dict[str, Any] | None = None) -> Study:
    """Load and check `studies/<name>.yaml`.

    Args:
        settings: what is set otherwise than in the file; mappings are merged, all else replaces.

    Raises:
        UserError: no such study, an unknown key, or a study named unlike its file.
    """
    path = paths.study_file(name)
    content = design.merged(design.study_content(name), settings or {})
    source = f"{path} with the settings of {paths.PARAMS}" if settings else path
    study = parse(Study, content, source, "mend the file")
    if study.study != name:
        raise UserError(f"{path}: `study: {study.study}`. Mend: name it {name}, as its file")
    return study
