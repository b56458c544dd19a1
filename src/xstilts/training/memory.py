"""Memory of a training at its most, predicted from an encoder's numbers alone: `needed`, in bytes.

Arithmetic, without torch: `xstilts plan` prints it, training/fit.py compares it with what is free.
Weights, gradients and moments are counted as in Rajbhandari et al. 2020 (ZeRO, section 3), by what
else DeepSpeed 0.19 holds, and by what torch keeps of each layer; bench/README.md compares the sum
with measured peaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xstilts.core import passes
from xstilts.core.machine import Machine
from xstilts.core.params import Architecture, Training
from xstilts.model.published import Encoder

FLOAT = 4  # bytes
BUCKET = 500_000_000  # elements that DeepSpeed sends at once, at most
LIVE = 1_000_000_000  # weights that stage 3 of ZeRO leaves whole for the next use, at most
USABLE = 0.9  # of what is free: memory is given in blocks, and a prediction may be short
# Layers' activations that a backward pass works on, beside those that are kept; on a CPU also what
# the C library does not give back at once, which blocks of less than 32 MB are.
WORKING, WORKING_CPU = 2, 4


@dataclass(frozen=True)
class Kept:
    """What torch keeps of a layer for its backward pass: numbers a token.

    Attributes:
        hidden, feed_forward: times the hidden units, and those of the feed-forward part.
        scores: times heads and tokens of a sequence, where scores of attention are kept.
        positions: times heads and relative positions.
    """

    hidden: int = 10
    feed_forward: int = 2
    scores: int = 3
    positions: int = 0


KEPT = {"modernbert": Kept(11, 5), "deberta-v2": Kept(scores=2, positions=8)}  # others as XLM-R
EAGER = ("deberta-v2", "mt5", "mbart", "m2m_100")  # keep scores on a GPU, too


@dataclass(frozen=True)
class Shape:
    """An encoder's numbers."""

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    vocabulary: int
    weights: int  # all of them
    family: str = "xlm-roberta"
    positions: int = 0  # buckets of relative ones

    @staticmethod
    def of_config(config: Mapping[str, Any], weights: int) -> Shape:
        """Of what a checkpoint's config.json says; layers of a decoder count as an encoder's."""
        config = {**config, **_as_bert(config)}
        return Shape(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            feed_forward=config["intermediate_size"],
            heads=config["num_attention_heads"],
            vocabulary=config["vocab_size"],
            weights=weights,
            family=config["model_type"],
            positions=max(0, config.get("position_buckets", 0)),
        )

    @staticmethod
    def of_architecture(shape: Architecture) -> Shape:
        """Of an XLM-R or mT5 that is trained from scratch, its language head beside it."""
        wide, inner, decodes = shape.hidden, shape.feed_forward, shape.family == "mt5"
        layer = 4 * wide**2 + 2 * wide * inner + 9 * wide + inner
        rest = (shape.vocabulary + shape.max_positions + wide) * wide + shape.vocabulary
        own = Shape(
            layers=shape.layers,
            hidden=wide,
            feed_forward=inner,
            heads=shape.heads,
            vocabulary=shape.vocabulary,
            weights=layer * shape.layers + rest,
        )
        if not decodes:
            return own
        # attention to the source, and a head of its own
        second = (layer + 4 * wide**2) * shape.layers + shape.vocabulary * wide
        weights = own.weights + second
        return replace(own, layers=2 * shape.layers, weights=weights, family="mt5")

    @staticmethod
    def of_published(encoder: Encoder) -> Shape:
        """Of an encoder that is not here yet: heads as wide as BERT's, and layers as XLM-R's."""
        layer = (encoder.parameters - encoder.embeddings) / encoder.layers
        return Shape(
            layers=encoder.layers,
            hidden=encoder.hidden,
            feed_forward=round((layer / encoder.hidden - 4 * encoder.hidden) / 2),
            heads=encoder.hidden // 64,
            vocabulary=encoder.embeddings // encoder.hidden,
            weights=encoder.parameters,
        )

    def trained(self, training: Training) -> int:
        """Weights that a training changes."""
        if training.adapter:
            low_rank = training.adapter.rank * len(training.adapter.modules)
            return 2 * low_rank * self.hidden * self.layers
        frozen = self.vocabulary * self.hidden if training.freeze == "embeddings" else 0
        return self.weights - frozen

    def looked_up(self, training: Training) -> int:
        """Weights of the word embedding, where they are trained."""
        return self.hidden * self.vocabulary * (training.adapter is None and not training.freeze)

    def largest(self, training: Training) -> int:
        """Numbers of the largest tensor that is trained."""
        return max(self.hidden * self.feed_forward, self.looked_up(training))


@dataclass(frozen=True)
class Micro:
    """The largest micro-batch of a training."""

    tokens: int  # pads included, where there are any
    longest: int  # tokens of a sequence
    predicted: int = 0  # tokens for which a score of each piece is computed (mlm)
    several: bool = False  # whether an update has more of them, whose gradients are added
    abreast: int = 1  # by threads of a CPU, as in training/lanes.py

    @staticmethod
    def largest(
        training: Training, machine: Machine, device: str, heads: Sequence[tuple[int, int, bool]]
    ) -> Micro:
        """Of a training on `cpu` or `cuda`.

        Args:
            heads: of each the most tokens of a sequence, the sequences of an example, and whether
                pieces are predicted.
        """
        share = max(1, training.batch // machine.workers)
        examples = min(share, passes.examples(machine, training.max_length, device))
        tokens = [(examples * longest * count, spoken) for longest, count, spoken in heads]
        predicted = training.mask * max((own for own, spoken in tokens if spoken), default=0)
        plain = Layout.of(machine, training, device).plain
        return Micro(
            tokens=max(own for own, _ in tokens),
            longest=max(longest for longest, _, _ in heads),
            predicted=math.ceil(predicted),
            several=examples < share,
            abreast=min(machine.threads, -(-share // examples)) if plain else 1,
        )


@dataclass(frozen=True)
class Layout:
    """How a training lies on the hardware."""

    stage: int  # of ZeRO
    processes: int = 1  # on all nodes
    half: bool = False  # bf16
    gpu: bool = False
    offload: str = "none"

    @staticmethod
    def of(machine: Machine, training: Training, device: str) -> Layout:
        """On `cpu` or `cuda`, as machine.yaml says."""
        return Layout(
            stage=machine.stage_of(training.precision),
            processes=machine.workers,
            half=training.precision == "bf16",
            gpu=device == "cuda",
            offload=machine.offload,
        )

    @property
    def alone(self) -> bool:
        """One process that shares nothing: gradients lie whole in the weights' `grad`."""
        return self.processes == 1 and self.stage == 0

    @property
    def plain(self) -> bool:
        """Alone and on a CPU, where training/lanes.py and training/rows.py may be."""
        return self.alone and not self.gpu

    @property
    def size(self) -> int:
        """Bytes of a number in the forward pass."""
        return FLOAT // 2 if self.half else FLOAT


def _as_bert(config: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of an encoder-decoder under the names that encoders have for them."""
    if "d_model" not in config:
        return {}
    t5 = "num_decoder_layers" in config
    names = ("num_layers", "num_decoder_layers") if t5 else ("encoder_layers", "decoder_layers")
    inner, heads = ("d_ff", "num_heads") if t5 else ("encoder_ffn_dim", "encoder_attention_heads")
    return {
        "num_hidden_layers": sum(config[name] for name in names),
        "hidden_size": config["d_model"],
        "intermediate_size": config[inner],
        "num_attention_heads": config[heads],
    }


def needed(
    shape: Shape, training: Training, micro: Micro, layout: Layout, recompute: bool = False
) -> float:
    """Bytes that a training takes at its most on the device of a process, which is there already.

    Args:
        recompute: whether layers are computed again in the backward pass.
    """
    trained, largest = shape.trained(training), FLOAT * shape.largest(training)
    gradients, resident = layout.size * trained, _resident(shape, trained, layout)
    abreast = 1 if recompute else micro.abreast
    if layout.plain and not micro.predicted:
        gradients -= layout.size * shape.looked_up(training)  # training/rows.py
    backward = abreast * activations(shape, training, micro, layout, recompute)
    backward += gradients * (abreast if abreast > 1 else micro.several)
    if layout.stage == 0:
        sent = FLOAT * min(trained, BUCKET) * (layout.processes > 1)  # copied into one buffer
        update = float(gradients + sent)
    else:
        own = 0.0 if layout.gpu and layout.offload != "none" else FLOAT * trained / layout.processes
        update = gradients + own + largest  # those that a process is to apply, in float32
    if layout.gpu:
        return resident + max(update, backward)
    written = FLOAT * trained  # a copy of what was learnt, on its way to a file
    read = 2 * FLOAT * shape.weights  # a checkpoint's file is mapped beside the model
    return max(resident + max(update, backward, written), read)


def fits(
    shape: Shape,
    training: Training,
    micro: Micro,
    layout: Layout,
    free: float,
    recompute: bool = False,
) -> bool:
    """Whether so many free bytes will do."""
    return needed(shape, training, micro, layout, recompute) <= USABLE * free


def _resident(shape: Shape, trained: int, layout: Layout) -> float:
    """What stays from update to update: weights, their float32 copy, and the two moments."""
    own = trained / (layout.processes if layout.stage else 1)
    weights = float(layout.size * shape.weights)
    moments = (2 + (layout.stage > 0)) * FLOAT * own
    if layout.stage == 3:
        whole = layout.size * (min(shape.weights, LIVE) + min(trained, BUCKET))
        away = layout.gpu and layout.offload == "parameters"
        weights = whole + (0.0 if away else weights / layout.processes)
    return weights + (0.0 if layout.gpu and layout.offload != "none" else moments)


def activations(
    shape: Shape, training: Training, micro: Micro, layout: Layout, recompute: bool = False
) -> float:
    """Bytes that a forward pass leaves for the backward pass, and those that it works on."""
    kept, size = KEPT.get(shape.family, Kept()), layout.size
    scores = 0 if layout.gpu and shape.family not in EAGER else kept.scores * micro.longest
    numbers = kept.hidden * shape.hidden + kept.feed_forward * shape.feed_forward
    numbers += shape.heads * (scores + kept.positions * shape.positions)
    layers = 1 if recompute else shape.layers
    inputs = shape.hidden * (shape.layers if recompute else 0)
    fused = 3 * shape.hidden * shape.layers if training.layers == "attention" else 0
    working = WORKING if layout.gpu else WORKING_CPU
    token = (layers + working) * numbers + inputs + fused
    # Scores of pieces, their logarithms, and the gradients of both, in float32.
    pieces = 4 * FLOAT * micro.predicted * shape.vocabulary
    return float(micro.tokens * token * size + pieces)


def scoring(shape: Shape, tokens: int, longest: int, gpu: bool) -> float:
    """Bytes that predictions take at their most: float32 weights, and a layer at work."""
    scores = 0 if gpu and shape.family not in EAGER else 3 * shape.heads * longest
    layer = 6 * shape.hidden + 2 * shape.feed_forward + scores
    return float(FLOAT * (shape.weights * (1 if gpu else 2) + tokens * layer))
