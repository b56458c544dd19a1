"""What a study's params are, a class a section: an unknown or missing key is one clear error.

They are science: compiled from a study file, a section per stage word, read and written by
design.py. What belongs to the hardware is in machine.yaml (machine.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from xstilts.core.strict import Seed, Strict

Size = int | Literal["all"]
Method = Literal["single", "shuffled", "multi", "mlm"]


class Adapter(Strict):
    """Low-rank adapters (LoRA, by peft) trained while the encoder itself stays as it is."""

    rank: int = Field(8, gt=0)
    alpha: int = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    modules: list[str] = Field(default_factory=lambda: ["query", "value"], min_length=1)


class Output(Strict):
    """What a decoder may answer, and how the answer is sought."""

    length: int = Field(default=64, gt=1)  # tokens at most, the one that ends it included
    beams: int = Field(default=1, gt=0)  # 1: greedy search


class Training(Strict):
    """How one model is trained. Global batch and precision are science; GPUs are not."""

    epochs: float | None = Field(None, gt=0)  # exactly one of epochs and steps: the budget
    steps: int | None = Field(None, gt=0)
    batch: int = Field(gt=0)  # examples per update over all processes
    learning_rate: float = Field(gt=0)
    sweep: list[float] = Field(default_factory=list)  # rates to try; validation rows choose
    # Linear warm-up, then linear decay to 0: a part of all steps (0.1), or a number of steps.
    warmup: float | None = Field(None, ge=0, lt=1)
    warmup_steps: int | None = Field(None, ge=0, exclude_if=lambda steps: steps is None)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0)  # global gradient norm
    dropout: float = Field(0.1, ge=0, lt=1)
    mask: float = Field(0.15, gt=0, lt=1)  # part of the tokens to be predicted (mlm)
    max_length: int = Field(128, gt=3)  # tokens, special ones included
    stride: int = Field(128, gt=0)  # tokens from one window of a document to the next (span)
    negatives: int = Field(4, gt=1)  # queries that share their candidates (ranking)
    precision: Literal["fp32", "bf16"] = "fp32"
    layers: Literal["last", "attention"] = "last"  # what the head reads: arXiv 2205.08497
    adapter: Adapter | None = None  # None: all weights are trained
    freeze: Literal["embeddings"] | None = None  # the vocabulary's vectors stay as they were
    # Soft prompts (arXiv 2104.08691, by peft): so many vectors are trained, and nothing else.
    prompt: int | None = Field(None, gt=0, exclude_if=lambda prompt: prompt is None)
    output: Output = Field(Output(), exclude_if=lambda output: output == Output())  # generation
    # The training ends after so many updates, while its schedule is that of the whole budget.
    stop: int | None = Field(None, gt=0, exclude_if=lambda stop: stop is None)
    select: Literal["last", "best"] = "last"  # best: on source-language validation rows only
    evaluate_every: int = Field(1000, gt=0)  # steps between two evaluations (select: best)
    evaluate_rows: Annotated[int, Field(gt=0)] | Literal["all"] = 500
    patience: int | None = Field(30, gt=0)  # evaluations without gain before stopping; null: none

    @model_validator(mode="before")
    @classmethod
    def usual_warmup(cls, given: Any) -> Any:
        """A tenth of all steps, where neither form of warm-up is given."""
        if isinstance(given, dict) and not {"warmup", "warmup_steps"} & {
            name for name, value in given.items() if value is not None
        }:
            return {**given, "warmup": 0.1}
        return given

    @model_validator(mode="after")
    def one_budget(self) -> Training:
        """Epochs or steps, not both and not neither."""
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give exactly one of `epochs` and `steps`")
        return self

    @model_validator(mode="after")
    def stop_within(self) -> Training:
        """To stop after the end would be a slip; of epochs the loop can tell."""
        if self.stop is not None and self.steps is not None and self.stop > self.steps:
            raise ValueError(f"`stop: {self.stop}` is more than `steps: {self.steps}`")
        return self

    @model_validator(mode="after")
    def one_warmup(self) -> Training:
        """A part of all steps or a number of steps, not both."""
        if self.warmup is not None and self.warmup_steps is not None:
            raise ValueError("give one of `warmup` (a part of all steps) and `warmup_steps`")
        return self

    @model_validator(mode="after")
    def one_small_method(self) -> Training:
        """Adapters and soft prompts both leave the model as it is, each in a way of its own."""
        if self.prompt is not None and self.adapter is not None:
            raise ValueError("give one of `adapter` and `prompt`")
        return self

    @property
    def validated(self) -> bool:
        """Whether validation rows decide anything."""
        return self.select == "best" or bool(self.sweep)


class Fetch(Strict):
    """A pinned data set and where it comes from."""

    source: str  # hub | mirror:<dir> | world | folder (a licensed set in the user's own `place`)
    dataset: str
    revision: str | None
    configs: dict[str, list[str]] = Field(default_factory=dict)  # hub config -> the hub's splits
    urls: dict[str, str | None] = Field(default_factory=dict)  # url -> sha256; None: not pinned
    place: str | None = None  # source folder: "$XSTILTS_CCG"
    world: dict[str, Any] | None = None


class Prepare(Strict):
    """A task's raw rows on their way to the schema of its kind."""

    task: str
    role: Literal["targets", "training", "pretraining"]
    fetched: str
    out: str
    splits: dict[str, list[str]]  # split -> languages


class Check(Strict):
    """The leak check: no training row may be an evaluation row, unless the study says why."""

    allow: dict[str, str]  # "<training task> > <target>" -> why it is allowed
    training: dict[str, list[str]]  # task -> prepared files that something is trained on
    selection: dict[str, list[str]]  # task -> prepared files that choose a model or a rate
    evaluation: dict[str, list[str]]  # target -> prepared files that are scored


class Subset(Strict):
    """One file of rows: a head of the seeded order of one or more prepared files, joined."""

    out: str  # file name without its suffix
    task: str
    rows: list[str]  # prepared files, in order
    size: Size
    smoothing: float | None = Field(None, gt=0, le=1)  # shares ~ rows^smoothing of the files


class Subsample(Strict):
    """Seeded, nested subsets; `copies` are validation rows that travel with them."""

    seed: Seed
    reads: str  # what DVC watches: the prepared file, or where there are several their folder
    subsets: list[Subset] = Field(min_length=1)
    # file name -> prepared files, the rows of several in turn
    copies: dict[str, list[str]] = Field(default_factory=dict)


class Architecture(Strict):
    """A small XLM-R or mT5, trained from scratch."""

    # mt5: an encoder-decoder, with as many layers on either side
    family: Literal["xlm-roberta", "mt5"] = Field(
        "xlm-roberta", exclude_if=lambda family: family == "xlm-roberta"
    )
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


class Texts(Strict):
    """Prepared rows of a kind, of whose texts the pieces of the vocabulary are kept."""

    kind: str
    rows: list[str]


class Pretrain(Strict):
    """Phase i: a pinned checkpoint, or a small model from scratch."""

    source: str
    reads: str  # what DVC watches: the prepared text, or the code that imports a checkpoint
    model: str | None = None  # hub id
    revision: str | None = None
    architecture: Architecture | None = None
    corpora: list[Corpus] = Field(default_factory=list)
    training: Training | None = None
    seed: Seed = 1
    # all that the study reads, where only what it uses of the vocabulary is kept
    texts: list[Texts] = Field(default_factory=list, exclude_if=lambda texts: not texts)


class Part(Strict):
    """What a model learns from one task: rows, the head for them, and their share of updates."""

    task: str
    kind: str  # of the head and loss; mlm reads any kind's rows as text
    rows_kind: str  # of the rows on disk
    labels: list[str]
    metric: str
    language: str  # of the validation rows
    rows: str  # parquet
    validation: str | None = None  # parquet; for `select: best` and sweeps
    # of a task that joins others: how many have `evaluate_rows` validation rows each in that file
    validation_sets: int = Field(default=1, gt=0, exclude_if=lambda sets: sets == 1)
    max_length: int = Field(gt=3)
    stride: int = Field(gt=0)
    teaches: bool = False  # of the control world: whether its labels are what is asked for
    share: float | None = Field(None, gt=0, lt=1)  # fixed share of the updates (mlm)
    output: Output = Field(Output(), exclude_if=lambda output: output == Output())  # generation


class Mixing(Strict):
    """Updates per task ~ min(rows, cap) ** (1 / temperature): Raffel et al. 2020, section 3.5.2."""

    cap: int | None = Field(131_072, gt=0)  # 2^17, as recalled of Phang et al. 2020
    temperature: float = Field(1.0, ge=1)


class Intermediate(Strict):
    """Phase ii: one task or a mix, one language, one size, one seed."""

    method: Method
    variant: str = ""  # what is unlike the study's own training: steps, adapter ...
    task: str  # a task, or the name of a mix
    language: str
    size: Size  # rows of the task; in a mix of each task, at most
    seed: Seed
    rows: str  # what DVC watches: the subset, or the mix's folder
    watch: str  # what DVC watches for validation: these rows, or where there are none the tokenizer
    parts: list[Part] = Field(min_length=1)
    mixing: Mixing | None = None
    checkpoint: str
    training: Training


class Before(Strict):
    """A training that precedes a target's own under the same head: Social IQa before COPA."""

    task: str
    rows: str
    validation: str | None
    training: Training


class Variant(Strict):
    """Another way to fine-tune a target: of the base model, a setting of its own beside `none`."""

    training: Training
    before: list[Before] = Field(default_factory=list)
    validation: str | None = None
    more_rows: list[str] = Field(default_factory=list, exclude_if=lambda rows: not rows)


class Expected(Strict):
    """How the right score is counted in the control world (sources/world/expected.py)."""

    asks: Literal["class", "translation"]
    seed: Seed
    parallel: bool


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
    before: list[Before] = Field(default_factory=list)
    train_rows: str | None  # parquet; None: scored without fine-tuning
    train_limit: int | None
    # parquet of more source languages, whose rows join those; of each, `train_limit` at most
    more_rows: list[str] = Field(default_factory=list, exclude_if=lambda rows: not rows)
    # Rows of a language that are scored, drawn from all of its split; None: all.
    score_limit: int | None = Field(None, exclude_if=lambda limit: limit is None)
    validation: str | None  # source-language rows, for selection of any sort
    training: Training | None
    layer: int = -1  # retrieval: index into hidden_states, 0 = embeddings
    pooling: Literal["mean", "cls"] = "mean"  # retrieval
    similarity: Literal["cosine", "margin"] = "cosine"  # retrieval of translations
    candidates: list[str] = Field(default_factory=list)  # ranking: languages of the pool
    max_length: int = 128
    expected: Expected | None = None
    keep: bool = Field(False, exclude_if=lambda keep: not keep)  # the fine-tuned model, as a result
    variants: dict[str, Variant] = Field(default_factory=dict, exclude_if=lambda one: not one)

    def fine_tuned(self, variant: str = "") -> Target:
        """The target with one way to train it: its own, or that of a variant."""
        changed: dict[str, Any] = {"variants": {}}
        if variant:
            way = self.variants[variant]
            changed |= {name: getattr(way, name) for name in Variant.model_fields}
        return self.model_copy(update=changed)


class Transfer(Strict):
    """One checkpoint through all targets."""

    method: Literal["none"] | Method
    variant: str = ""  # of `none`: how targets are fine-tuned; else that of the run of phase ii
    task: str
    source_language: str
    size: Size
    seed: Seed
    checkpoint: str

    @property
    def way(self) -> str:
        """The variant in which targets are fine-tuned; "" for their own training."""
        return self.variant if self.method == "none" else ""


class Aggregate(Strict):
    """How intervals are made, and what is chosen."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    best_per_target: bool = False  # a row `best`: per target the setting best on validation rows


class Report(Strict):
    """What the page says at its head."""

    title: str
    description: str
    source: str


class SeenSet(Strict):
    """A set that the study says its checkpoint was trained on before."""

    set: str
    source: str = "the study's file"
    splits: list[str] = Field(default_factory=list)  # of the set; none: not said
    languages: list[str] = Field(default_factory=list)


class Params(Strict):
    """A study's params; for one run of a stage, those that it reads, and the others not set."""

    study: str
    left_out: dict[str, str] = Field(default_factory=dict)  # what cannot run -> why and the mend
    fetch: dict[str, Fetch] = Field(default_factory=dict)
    prepare: dict[str, Prepare] = Field(default_factory=dict)
    check: Check = Field(default=None)  # type: ignore[assignment]  # unset where it is not read
    subsample: dict[str, Subsample] = Field(default_factory=dict)
    pretrain: Pretrain = Field(default=None)  # type: ignore[assignment]
    intermediate: dict[str, Intermediate] = Field(default_factory=dict)
    transfer: dict[str, Transfer] = Field(default_factory=dict)
    targets: dict[str, Target] = Field(default_factory=dict)
    aggregate: Aggregate = Field(default=None)  # type: ignore[assignment]
    report: Report = Field(default=None)  # type: ignore[assignment]
    # beside what is known of a named encoder; None: the study does not say
    seen: list[SeenSet] | None = Field(default=None, exclude_if=lambda seen: seen is None)

    def targets_of(self, run: str) -> dict[str, Target]:
        """What a run of `transfer` is scored on, each as it is fine-tuned there.

        All targets; of a variant of `none` those that have it, so that no target is done twice.
        """
        way = self.transfer[run].way
        return {
            name: target.fine_tuned(way)
            for name, target in self.targets.items()
            if not way or way in target.variants
        }
