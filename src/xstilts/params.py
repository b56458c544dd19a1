"""Typed view of params.yaml and machine.yaml: an unknown or missing key is one clear error.

params.yaml is science: compiled from a study file, tracked by DVC, a section per stage word.
machine.yaml is hardware: optional, untracked, and it never decides a result.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xstilts import paths
from xstilts.errors import UserError

Size = int | Literal["all"]
M = TypeVar("M", bound="Strict")


class Strict(BaseModel):
    """A model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Training(Strict):
    """How one model is trained. Global batch and precision are science; GPUs are not."""

    epochs: float | None = Field(None, gt=0)  # exactly one of epochs and steps: the budget
    steps: int | None = Field(None, gt=0)
    batch: int = Field(gt=0)  # examples per update over all processes
    learning_rate: float = Field(gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)  # part of all steps, linear; then linear decay to 0
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)  # global gradient norm
    dropout: float = Field(0.1, ge=0, lt=1)
    mask: float = Field(0.15, gt=0, lt=1)  # part of the tokens to be predicted (mlm)
    max_length: int = Field(128, gt=3)  # tokens, special ones included
    stride: int = Field(128, gt=0)  # tokens shared by two windows of a long document (span)
    precision: Literal["fp32", "bf16"] = "fp32"
    select: Literal["last", "best"] = "last"  # best: on source-language validation rows only
    evaluate_every: int = Field(1000, gt=0)  # steps between two evaluations (select: best)
    evaluate_rows: int = Field(500, gt=0)
    patience: int = Field(30, gt=0)  # evaluations without gain before stopping

    @model_validator(mode="after")
    def one_budget(self) -> Training:
        """Epochs or steps, not both and not neither."""
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give exactly one of `epochs` and `steps`")
        return self


class Fetch(Strict):
    """A pinned data set and where it comes from."""

    source: str  # hub | mirror:<dir> | world
    dataset: str
    revision: str | None
    configs: dict[str, list[str]] = Field(default_factory=dict)  # hub config -> the hub's splits
    urls: dict[str, str] = Field(default_factory=dict)  # url -> sha256
    world: dict[str, Any] | None = None


class Prepare(Strict):
    """A task's raw rows on their way to the schema of its kind."""

    task: str
    role: Literal["targets", "training", "pretraining"]
    fetched: str
    out: str
    splits: dict[str, list[str]]  # split -> languages


class Subsample(Strict):
    """Nested seeded subsets of one task's training rows in one language."""

    task: str
    language: str
    seed: int
    rows: str
    sizes: list[Size]


class Architecture(Strict):
    """A small XLM-R, trained from scratch."""

    vocabulary: int = Field(gt=10)
    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    heads: int = Field(gt=0)
    feed_forward: int = Field(gt=0)
    max_positions: int = Field(512, gt=8)
    initializer_range: float = Field(0.02, gt=0)

    @model_validator(mode="after")
    def heads_divide(self) -> Architecture:
        """Each head sees an equal part of the hidden units."""
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} cannot be divided by {self.heads} heads")
        return self


class Corpus(Strict):
    """Prepared rows whose text is pretraining text."""

    task: str
    split: Literal["train", "validation", "test"]
    languages: list[str]
    rows: str = ""  # the prepared folder, and the task's kind; both filled by the compiler
    kind: str = ""
    limit: int | None = Field(None, gt=0)  # rows per language


class Pretrain(Strict):
    """Phase i: a pinned checkpoint, or a small model from scratch."""

    source: str
    reads: str  # what DVC watches: the prepared text, or the code that imports a checkpoint
    model: str | None = None  # hub id
    revision: str | None = None
    architecture: Architecture | None = None
    corpora: list[Corpus] = Field(default_factory=list)
    training: Training | None = None
    seed: int = 1


class Intermediate(Strict):
    """Phase ii: one intermediate task, one language, one size, one seed."""

    method: Literal["single", "shuffled"]
    task: str
    kind: str
    labels: list[str]
    language: str
    size: Size
    seed: int
    rows: str  # the subset
    validation: str | None  # source-language rows for `select: best`
    watch: str  # what DVC watches for them: these rows, or where there are none the tokenizer
    metric: str
    checkpoint: str
    training: Training


class Target(Strict):
    """Phase iii: what a checkpoint is fine-tuned on and scored in."""

    task: str
    kind: str
    labels: list[str]
    metric: str
    chance: float
    protocol: str
    rows: str  # prepared folder of the evaluation rows
    split: str
    languages: list[str]
    source_language: str
    train_rows: str | None  # parquet; None: scored without fine-tuning
    train_limit: int | None
    validation: str | None
    training: Training | None
    layer: int = -1  # retrieval: index into hidden_states, 0 = embeddings
    batch: int = 64  # examples per forward pass when scoring
    max_length: int = 128


class Transfer(Strict):
    """One checkpoint through all targets."""

    method: Literal["none", "single", "shuffled"]
    task: str
    source_language: str
    size: Size
    seed: int
    checkpoint: str
    targets: list[str]


class Aggregate(Strict):
    """How intervals are made."""

    resamples: int = Field(1000, gt=0)
    seed: int = 1
    confidence: float = Field(0.95, gt=0.5, lt=1)


class Report(Strict):
    """What the page says at its head."""

    title: str
    description: str
    source: str


class Params(Strict):
    """The whole of params.yaml."""

    study: str
    fetch: dict[str, Fetch]
    prepare: dict[str, Prepare]
    subsample: dict[str, Subsample]
    pretrain: Pretrain
    intermediate: dict[str, Intermediate]
    transfer: dict[str, Transfer]
    targets: dict[str, Target]
    aggregate: Aggregate
    report: Report


class Machine(Strict):
    """Hardware: what may differ from place to place without changing what is computed."""

    processes: int = Field(1, gt=0)  # data-parallel workers, one per GPU
    zero: Literal[0, 1, 2, 3] = 1  # DeepSpeed ZeRO stage
    micro_batch: int = Field(32, gt=0)  # examples per forward pass and process
    threads: int = Field(2, gt=0)  # per process, on the CPU; fixed, as it decides the last bits
    save_seconds: float = Field(60, gt=0)  # between two resumable states
    device: Literal["auto", "cpu", "cuda"] = "auto"


def describe(error: ValidationError) -> str:
    """Say where a pydantic error is and what it is, in one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "top level"
    problem = {"extra_forbidden": "unknown key", "missing": "key is missing"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    more = len(error.errors()) - 1
    return f"{place}: {problem}" + (f" (and {more} more)" if more else "")


def parse(model: type[M], value: Any, source: Path | str, mend: str) -> M:
    """Validate a value.

    Raises:
        UserError: a key is unknown, missing or of the wrong type.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError(f"{source}: {describe(error)}. Mend: {mend}") from error


class _Loader(yaml.CSafeLoader):
    """Refuses a key that occurs twice, of which YAML readers keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                wrong = f"the key {key.value!r} occurs twice"
                raise yaml.constructor.ConstructorError(problem=wrong, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, mend: str) -> Any:
    """Read a YAML file; a missing or broken one is a UserError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. Mend: {mend}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no valid YAML ({reason}). Mend: {mend}") from error


def load() -> Params:
    """params.yaml of the working folder, typed."""
    mend = "compile it with `xstilts study use NAME`"
    return parse(Params, load_yaml(paths.PARAMS, mend), paths.PARAMS, mend)


def load_machine() -> Machine:
    """machine.yaml of the working folder, or what fits this machine."""
    if not paths.MACHINE.exists():
        given = {"processes": os.environ.get("XSTILTS_PROCESSES", "1")}
        return parse(Machine, given, "XSTILTS_PROCESSES", "set it to a whole number above 0")
    mend = "see machine.example.yaml for the keys"
    return parse(Machine, load_yaml(paths.MACHINE, mend) or {}, paths.MACHINE, mend)
