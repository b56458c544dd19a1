"""What a study file says: the schema of `studies/<name>.yaml`, as a person writes it.

`xstilts study use NAME` reads one and `compiler.compile_study` turns it into params.yaml.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from xstilts import paths
from xstilts.errors import UserError
from xstilts.params import Aggregate, Architecture, Corpus, Strict, load_yaml, parse
from xstilts.tasks.base import Split

T = TypeVar("T")


def _once(values: list[T]) -> list[T]:
    """Refuse a value that occurs twice: two cells of the design would be one run."""
    for number, value in enumerate(values):
        if value in values[:number]:
            raise ValueError(f"{value!r} occurs twice")
    return values


Languages = Annotated[list[str], Field(min_length=1), AfterValidator(_once)]
Seeds = Annotated[list[int], Field(min_length=1), AfterValidator(_once)]
Rows = Annotated[int, Field(gt=0)] | Literal["all"]
Sizes = Annotated[list[Rows], Field(min_length=1), AfterValidator(_once)]


class Data(Strict):
    """Where raw data comes from."""

    source: str = Field(pattern=r"^(hub|world|mirror:.+)$")
    world: dict[str, Any] | None = None


class Scratch(Strict):
    """Phase i from scratch: a small XLM-R on the study's own text."""

    corpora: list[Corpus]
    architecture: Architecture
    training: dict[str, Any]
    seed: int = 1


class Hub(Strict):
    """Phase i imported: a published checkpoint at a pinned revision."""

    model: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")


class PretrainChoice(Strict):
    """One of the two ways through phase i."""

    scratch: Scratch | None = None
    hub: Hub | None = None


class Grid(Strict):
    """Sizes x seeds of one intermediate task in one or more languages."""

    task: str
    languages: Languages
    sizes: Sizes
    seeds: Seeds
    method: Literal["single", "shuffled"] = "single"
    training: dict[str, Any] = Field(default_factory=dict)


class StudyTarget(Strict):
    """One target task: fine-tuned in the source language, scored in every language."""

    languages: list[str] | Literal["all"] = "all"
    source_language: str
    protocol: str
    split: Split | None = None
    train_limit: int | None = Field(None, gt=0)
    training: dict[str, Any] | None = None
    layer: int = -1
    batch: int = 64
    max_length: int | None = Field(None, gt=3)  # retrieval; None: 128, or what the model takes


class Study(Strict):
    """A study file, as a person writes it."""

    study: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str
    data: Data
    pretrain: PretrainChoice
    training: dict[str, Any]  # defaults that every training of the study starts from
    baseline_seeds: Seeds
    intermediate: list[Grid]
    targets: dict[str, StudyTarget] = Field(min_length=1)
    aggregate: Aggregate = Field(default_factory=lambda: Aggregate.model_validate({}))

    @model_validator(mode="after")
    def layers_exist(self) -> Study:
        """A target that reads a layer which a model from scratch lacks would fail after hours."""
        layers = self.pretrain.scratch.architecture.layers if self.pretrain.scratch else None
        for name, target in self.targets.items():
            if layers is not None and not -layers - 1 <= target.layer <= layers:
                raise ValueError(f"targets.{name}.layer: {target.layer} is not in 0..{layers}")
        return self


def read_study(name: str) -> Study:
    """Load and check `studies/<name>.yaml`.

    Raises:
        UserError: no such study, an unknown key, or a study named unlike its file.
    """
    path = paths.study_file(name)
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in paths.STUDIES.glob("*.yaml"))) or "none"
        raise UserError(f"there is no study {name!r} ({path} is missing). Mend: use one of {known}")
    study = parse(Study, load_yaml(path, "mend the file"), path, "mend the file")
    if study.study != name:
        raise UserError(f"{path}: `study: {study.study}`. Mend: name it {name}, as its file")
    return study
