"""What a study will cost: rows, GPU hours and disk, before anything runs. `xstilts plan` prints it.

Arithmetic only: a forward pass takes 2 floating-point operations a token and weight, a backward
pass 4 more (Kaplan et al. 2020, section 2.1); the table of the vocabulary is looked up and counts
not, nor do heads. Rows are counted where they are prepared, published or usual elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xstilts import tasks
from xstilts.commands import graph
from xstilts.core import files, flow, paths
from xstilts.core.params import Params, Part, Subset, Target, Training
from xstilts.kinds.spec import KINDS
from xstilts.model import published
from xstilts.records import provenance
from xstilts.tasks.kinship import TRANSLATED

FLOPS = 1.1e14  # sustained: an A100 at 35 % of its 3.12e14 in bf16
CORE_FLOPS = 6.5e10  # of a CPU's core: NLI with 12 layers x 384 on two of them (bench/README.md)
FORWARD, BOTH = 2, 6  # operations a token and weight
# Usual rows of a language, where none are prepared: the mean over the published evaluation sets.
EVALUATED = {
    "xnli": 5_010, "paws_x": 2_000, "xcopa": 500, "udpos": 2_500, "udpos_2_7": 2_500,
    "wikiann": 6_500, "xquad": 1_190, "mlqa": 6_500, "tydiqa": 560, "bucc": 660_000,
    "tatoeba": 890, "mewsli_x": 1_360, "lareqa": 1_190,
}  # fmt: skip
POOLS = {"mewsli_x": 1_000_000, "lareqa": 13_014}  # candidates of all languages together
UNKNOWN_ROWS = 1_000  # of an evaluation set about which nothing is known
ROW_BYTES = 500  # of a row of text, raw or prepared
PREDICTION_BYTES = 150  # of a prediction with its reference
EXAMPLE_BYTES = 1.5  # of what an example adds to a score, compressed
SCORE_BYTES = 2_000  # of a cell's score rows and its part of the run's record
WEIGHT_BYTES = 4  # weights are kept in fp32
STATE_COPIES = 4  # weights, gradients and two moments: what a running training keeps


@dataclass(frozen=True)
class Rate:
    """Floating-point operations a second and process, and how that is known."""

    flops: float
    known: str


class Estimate:
    """Costs of a compiled study.

    Args:
        loaded: the study.
        flops: sustained operations a second of one GPU; None: measured where runs of the stage are
            finished, else `FLOPS`.
    """

    def __init__(self, loaded: Params, flops: float | None = None) -> None:
        self.loaded = loaded
        self.given = flops
        self.prepared = {Path(spec.out): key for key, spec in loaded.prepare.items()}
        self.subsets = {
            f"{paths.subsampled(loaded.study, key)}/{subset.out}.parquet": subset
            for key, spec in loaded.subsample.items()
            for subset in spec.subsets
        }
        self._rates: dict[str, Rate] = {}
        self._ways: dict[str, float] = {}  # of phase iii -> operations a weight
        self._statistics: dict[str, dict[str, dict[str, dict[str, int]]]] = {}

    @cached_property
    def size(self) -> tuple[int, int] | None:
        """Weights of the encoder: (all, those that are multiplied); None: not known."""
        spec = self.loaded.pretrain
        if spec.architecture:
            shape = spec.architecture
            layer = 4 * shape.hidden**2 + 2 * shape.hidden * shape.feed_forward
            looked_up = (shape.vocabulary + shape.max_positions) * shape.hidden
            return layer * shape.layers + looked_up, layer * shape.layers
        known = published.by_hub(spec.model or "")
        return (known.parameters, known.parameters - known.embeddings) if known else None

    def counted(self, file: str) -> int | None:
        """Rows of a prepared file: as the statistics say, else as published; None: not known."""
        path = Path(file)
        key = self.prepared[path.parent]
        language, split = path.name.split(".")[:2]
        if key not in self._statistics:
            found = paths.statistics(self.loaded.study, key)
            self._statistics[key] = files.read_json(found)["splits"] if found.exists() else {}
        rows = self._statistics[key].get(split, {}).get(language, {}).get("rows")
        if rows is None and split == "train":
            rows = tasks.load(self.loaded.prepare[key].task).train_rows.get(language)
        return rows

    def subset_rows(self, subset: Subset) -> int | None:
        """Rows of a subset; None: all of a file whose rows are not known."""
        whole = _sum([self.counted(file) for file in subset.rows])
        if subset.size == "all":
            return whole
        return min(subset.size, whole or subset.size)

    def part_rows(self, run: str) -> dict[str, int | None]:
        """Training rows of each part of a run of phase ii."""
        parts = self.loaded.intermediate[run].parts
        return {part.task: self.subset_rows(self.subsets[part.rows]) for part in parts}

    def run_rows(self, run: str) -> int | None:
        """Training rows of a run of phase ii; None: not known."""
        return _sum(list(self.part_rows(run).values()))

    def scored(self, target: Target, languages: Sequence[str]) -> int:
        """Rows of some languages that are scored."""
        folder, total = Path(target.rows), 0
        for language in languages:
            rows = self.counted(str(paths.rows(folder, language, target.split)))
            rows = rows or EVALUATED.get(target.task, UNKNOWN_ROWS)
            total += min(rows, target.score_limit or rows)
        return total

    def independent(self, target: Target, languages: Sequence[str]) -> int:
        """Examples of some languages that are scored; translations of one are one."""
        if target.task in TRANSLATED:
            return max(self.scored(target, [language]) for language in languages)
        return self.scored(target, languages)

    def evaluated(self, target: Target) -> int:
        """Rows that are read to score, of all languages; the pool of a ranking too."""
        total = self.scored(target, target.languages)
        return total + (POOLS.get(target.task, 0) if target.candidates else 0)

    def operations(self, word: str, key: str) -> float:
        """Floating-point operations of one run of a stage; 0 where nothing is trained or scored."""
        if self.size is None:
            return 0.0
        weights = self.size[1]
        if word == "intermediate":
            return BOTH * weights * self._mixed(key)
        if word == "pretrain":
            spec = self.loaded.pretrain
            return BOTH * weights * _tokens("mlm", spec.training, 0) if spec.training else 0.0
        if word == "transfer":
            return self._through(key) * weights
        return 0.0

    def _through(self, run: str) -> float:
        """Operations a weight for one checkpoint through the targets of a run of phase iii."""
        way = self.loaded.transfer[run].way
        if way not in self._ways:
            targets = self.loaded.targets_of(run).values()
            self._ways[way] = sum(self._target(target) for target in targets)
        return self._ways[way]

    def _target(self, target: Target) -> float:
        """Operations a weight for one target."""
        done = FORWARD * self.evaluated(target) * _length(target.kind, target.max_length)
        if target.training and target.train_rows:
            rows = self.counted(target.train_rows) or UNKNOWN_ROWS
            rows = min(rows, target.train_limit or rows)
            done += BOTH * _tokens(target.kind, target.training, rows)
        for one in target.before:
            rows = self.counted(one.rows) or UNKNOWN_ROWS
            done += BOTH * _tokens(target.kind, one.training, rows)
        return done

    def _mixed(self, run: str) -> float:
        """Tokens that a run of phase ii trains on: each part's share of the updates."""
        spec, rows = self.loaded.intermediate[run], self.part_rows(run)
        if spec.mixing is None:
            part = spec.parts[0]
            return _tokens(part.kind, spec.training, rows[part.task] or 0, part)
        cap, heat = spec.mixing.cap, spec.mixing.temperature
        own = {
            part.task: min(rows[part.task] or 0, cap or rows[part.task] or 0)
            for part in spec.parts
            if part.share is None
        }
        fixed = sum(part.share or 0.0 for part in spec.parts)
        examples = sum(own.values()) * (spec.training.epochs or 0) / (1 - fixed)
        if spec.training.steps:
            examples = spec.training.steps * spec.training.batch
        examples = min(examples, (spec.training.stop or math.inf) * spec.training.batch)
        weight = {task: count ** (1 / heat) for task, count in own.items()}
        whole = sum(weight.values()) or 1.0
        tried = max(1, len(spec.training.sweep))
        shares = {
            part.task: part.share or (1 - fixed) * weight.get(part.task, 0.0) / whole
            for part in spec.parts
        }
        lengths = {part.task: _length(part.kind, part.max_length) for part in spec.parts}
        return tried * examples * sum(shares[task] * lengths[task] for task in shares)

    def rate(self, word: str) -> Rate:
        """How fast a stage goes: as given, else as measured in this study, else as assumed."""
        if word not in self._rates:
            given = Rate(self.given or 0.0, "as given by --flops")
            self._rates[word] = given if self.given else self._measured(word)
        return self._rates[word]

    def _measured(self, word: str) -> Rate:
        """What the finished runs of a stage show; without any, the assumption."""
        seconds = operations = 0.0
        runs = 0
        for path in sorted(Path("provenance", self.loaded.study, word).glob("*.json")):
            found = files.read_json(path)
            if path.stem in getattr(self.loaded, word, {}) or path.stem == self.loaded.study:
                workers = provenance.workers(found.get("machine") or {})
                seconds += found.get("seconds", 0.0) * workers
                operations += self.operations(word, path.stem)
                runs += 1
        if seconds and operations:
            return Rate(operations / seconds, f"measured in {runs} finished run{'s' * (runs > 1)}")
        return Rate(FLOPS, "assumed: an A100 at 35 % of its bf16 peak")

    def hours(self, word: str, keys: list[str]) -> float:
        """Hours of one process (a GPU) for some runs of a stage."""
        return sum(self.operations(word, key) for key in keys) / self.rate(word).flops / 3600

    def core_hours(self) -> float:
        """Hours of one core of a CPU for the whole study, as assumed by `CORE_FLOPS`."""
        todo = (self.operations(w, key) for w in flow.TRAINED for key in graph.keys(self.loaded, w))
        return sum(todo) / CORE_FLOPS / 3600

    @cached_property
    def _files(self) -> dict[str, str]:
        """Every prepared file of the study -> its task."""
        return {
            str(paths.rows(Path(spec.out), language, split)): spec.task
            for spec in self.loaded.prepare.values()
            for split, languages in spec.splits.items()
            for language in languages
        }

    def uncounted(self) -> list[str]:
        """Tasks with training rows of which nobody knows how many they are."""
        found = {
            task
            for file, task in self._files.items()
            if file.endswith(".train.parquet") and self.counted(file) is None
        }
        return sorted(found)

    def predicted(self) -> int:
        """Examples that all runs are scored on."""
        evaluated = {name: self.evaluated(one) for name, one in self.loaded.targets.items()}
        runs = self.loaded.transfer
        return sum(evaluated[name] for run in runs for name in self.loaded.targets_of(run))

    def scores(self) -> float:
        """Bytes of results/transfer."""
        return EXAMPLE_BYTES * self.predicted() + SCORE_BYTES * graph.cells(self.loaded)

    def disk(self) -> dict[str, float]:
        """Bytes at the end, by what they are."""
        loaded, weights = self.loaded, self.size[0] if self.size else 0
        rows = sum(self.counted(file) or UNKNOWN_ROWS for file in self._files)
        chosen = sum(self.subset_rows(subset) or 0 for subset in self.subsets.values())
        done = [name for run in loaded.transfer for name in loaded.targets_of(run)]
        outputs = {
            "encoders": float(WEIGHT_BYTES * weights * (len(loaded.intermediate) + 1)),
            "scores": self.scores(),
            "predictions": float(PREDICTION_BYTES * self.predicted()),
            "data": float(ROW_BYTES * (2 * rows + chosen)),
        }
        if kept := sum(loaded.targets[name].keep for name in done):
            outputs["kept models"] = float(WEIGHT_BYTES * weights * kept)
        copies = {} if graph.linked() else {"their copies in DVC's cache": sum(outputs.values())}
        if kept:
            copies["their copies in the MLflow store"] = outputs["kept models"]
        running = {"one running training": float(STATE_COPIES * WEIGHT_BYTES * weights)}
        return outputs | copies | running


def _sum(counts: list[int | None]) -> int | None:
    """The sum of counts; None where one is not known."""
    return None if None in counts else sum(count or 0 for count in counts)


def _length(kind: str, longest: int) -> float:
    """Mean tokens of an example: the usual ones, cut where a single text is cut."""
    usual = KINDS[kind].tokens
    return float(min(usual, longest) if KINDS[kind].sequences == "one" else usual)


def _tokens(kind: str, training: Training, rows: int, part: Part | None = None) -> float:
    """Tokens of one training, all rates of a sweep included."""
    examples = training.steps * training.batch if training.steps else (training.epochs or 0) * rows
    examples = min(examples, (training.stop or math.inf) * training.batch)
    longest = part.max_length if part else training.max_length
    return max(1, len(training.sweep)) * examples * _length(kind, longest)
