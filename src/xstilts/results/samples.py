"""All runs of a study on one target: in one language, in a mean over languages, over targets.

A `Sample` holds the score of every run and how far scores move with the examples. Samples are added
up with weights (`combine`) to samples: `zero-shot` and `mean` of a target, `all` over targets, the
languages of one family. Every question is then a contrast of settings in a sample:
`sample.contrast({setting: 1.0, none: -1.0})`. How intervals come about: `inference.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xstilts.results import inference
from xstilts.results.inference import Estimate, Floats, Part, Prior, Spread
from xstilts.results.scores import BEST, Group, Run

CONFIDENCE = 0.95
RunKey = tuple[Group, int]  # a setting and a seed
Weights = Mapping[Group, float]  # a contrast


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores of all runs, 0-100, in one language or added up over several.

    Translations of one example are one draw: the pulls of languages that share examples are kept,
    to be added up before they are squared. All other examples are in `covariance`.
    """

    runs: Sequence[RunKey]
    scores: Floats  # (runs,)
    covariance: Floats  # (runs, runs), points squared
    n: int  # examples, in all languages
    fewest: int  # examples of the language that has the fewest
    collapsed: Sequence[int]  # of each run: languages in which it predicts one class
    expected: Sequence[float | None]  # of each run: what follows from the control world
    pulls: Floats | None = None  # (runs, shared examples of the target), points
    languages: Sequence[tuple[str, float, Sample]] = ()  # language, weight: what this is made of

    @cached_property
    def rows(self) -> dict[RunKey, int]:
        """The row of each run."""
        return {run: row for row, run in enumerate(self.runs)}

    @cached_property
    def settings(self) -> dict[Group, list[int]]:
        """The rows of each setting."""
        found: dict[Group, list[int]] = {}
        for row, (group, _) in enumerate(self.runs):
            found.setdefault(group, []).append(row)
        return found

    @cached_property
    def baseline(self) -> Group | None:
        """The setting that gains are counted from; None where the study has none."""
        return next((group for group in self.settings if group.baseline), None)

    @cached_property
    def _places(self) -> dict[Group, int]:
        """The place of each setting among them all."""
        return {group: place for place, group in enumerate(self.settings)}

    @cached_property
    def prior(self) -> Prior | None:
        """What all settings say of one's variance; `best` is one of them and not one more."""
        rows = [rows for group, rows in self.settings.items() if group != BEST]
        variances = np.array([_variance(self.scores[mine]) for mine in rows])
        return inference.prior(variances, np.array([len(mine) - 1.0 for mine in rows]))

    @cached_property
    def _all_examples(self) -> Floats:
        """Covariance of the runs by all their examples."""
        if self.pulls is None:
            return self.covariance
        return np.asarray(self.covariance + inference.example_covariance(self.pulls))

    @cached_property
    def _own_noise(self) -> dict[Group, float]:
        """What of a setting's mean is its runs' own noise; one run borrows that of the others."""
        covariance = self._all_examples
        known = {
            group: inference.own_noise(covariance[np.ix_(rows, rows)])
            for group, rows in self.settings.items()
            if len(rows) > 1
        }
        a_run = [noise * len(self.settings[group]) for group, noise in known.items()]
        borrowed = sum(a_run) / len(a_run) if a_run else 0.0
        return {group: known.get(group, borrowed) for group in self.settings}

    def value(self, weights: Weights) -> float:
        """A contrast of the settings' means over seeds."""
        return sum(w * float(self.scores[self.settings[g]].mean()) for g, w in weights.items())

    @cached_property
    def spread(self) -> Spread:
        """How far the settings' means may be off, in the order of `settings`."""
        share = np.zeros((len(self.settings), len(self.runs)))
        for row, runs in enumerate(self.settings.values()):
            share[row, runs] = 1.0 / len(runs)
        examples = share @ self._all_examples @ share.T
        seeds = None
        if self.prior is not None:
            examples -= np.diag(list(self._own_noise.values()))
            seeds = [self._seeds(self.prior, rows) for rows in self.settings.values()]
        return Spread(examples, seeds, self.n, self.fewest)

    def _seeds(self, prior: Prior, rows: Sequence[int]) -> Part:
        variance, df = prior.moderate(_variance(self.scores[rows]), len(rows) - 1)
        return Part(variance / len(rows), df)

    def _weights(self, weights: Weights) -> Floats:
        found = np.zeros(len(self.settings))
        for group, weight in weights.items():
            found[self._places[group]] = weight
        return found

    def parts(self, weights: Weights) -> list[Part]:
        """What the contrast's variance is made of."""
        return self.spread.parts(self._weights(weights))

    def estimate(
        self, weights: Weights, ways: Sequence[Sequence[Part]], confidence: float
    ) -> Estimate:
        """The contrast by the most cautious of several views of what its variance is made of."""
        return self.spread.estimate(self.value(weights), self._weights(weights), ways, confidence)

    def contrast(self, weights: Weights, confidence: float = CONFIDENCE) -> Estimate:
        """The contrast with its interval and test: these languages, other seeds and examples.

        There is no test where no setting has two seeds.
        """
        return self.estimate(weights, [self.parts(weights)], confidence)

    def contrast_languages(
        self, weights: Weights, confidence: float = CONFIDENCE
    ) -> Estimate | None:
        """As `contrast`, of languages like these: they are drawn, too. None from one language.

        What languages have in common stays. What each has of its own, be it chance or not, shows
        in how their parts c(l) of the contrast c scatter about their weights w(l):
        K/(K-1) sum (c(l) - w(l) c)^2, with K - 1 degrees of freedom. The interval is never narrower
        than that of these languages.
        """
        parts, value = self._by_language, self.value(weights)
        if len(parts) < 2:
            return None
        fixed = self.parts(weights)
        whole = inference.total(fixed)
        apart = sum(inference.total(sample.parts(weights)).variance for _, sample in parts)
        common = max(0.0, (whole.variance - apart) / (1.0 - sum(w**2 for w, _ in parts)))
        off = [sample.value(weights) - weight * value for weight, sample in parts]
        freedom = len(parts) - 1.0
        scatter = len(parts) / freedom * float(np.square(off).sum())
        drawn = [Part(common, whole.df), Part(scatter, freedom)]
        return self.estimate(weights, [fixed, drawn], confidence)

    @cached_property
    def _by_language(self) -> list[tuple[float, Sample]]:
        """Each language's share of the whole, 1 in all, and its part of the whole as a sample."""
        found: dict[str, list[tuple[float, Sample]]] = {}
        for name, weight, sample in self.languages:
            found.setdefault(name, []).append((weight, sample))
        whole = sum(weight for _, weight, _ in self.languages)
        return [
            (
                sum(weight for weight, _ in mine) / whole,
                combine([sample.closed() for _, sample in mine], [weight for weight, _ in mine]),
            )
            for mine in found.values()
        ]

    def named(self, alias: Group, group: Group) -> Sample:
        """With one setting's runs a second time, under another name."""
        rows = self.settings[group]
        order = [*range(len(self.runs)), *rows]
        again = [(alias, self.runs[row][1]) for row in rows]
        return replace(self._taken(order), runs=[*self.runs, *again])

    def _taken(self, order: Sequence[int]) -> Sample:
        """These rows alone, in this order; without its languages."""
        rows = list(order)
        return Sample(
            [self.runs[row] for row in rows],
            self.scores[rows],
            self.covariance[np.ix_(rows, rows)],
            self.n,
            self.fewest,
            [self.collapsed[row] for row in rows],
            [self.expected[row] for row in rows],
            None if self.pulls is None else self.pulls[rows],
        )

    def without(self, runs: Collection[RunKey]) -> Sample:
        """The other runs, in each language, too."""
        kept = [row for row, run in enumerate(self.runs) if run not in runs]
        parts = [(name, weight, one.without(runs)) for name, weight, one in self.languages]
        return replace(self._taken(kept), languages=parts)

    def closed(self) -> Sample:
        """To be added to samples of other targets, whose examples are others."""
        return replace(self, covariance=self._all_examples, pulls=None)


def _variance(scores: Floats) -> float:
    return float(scores.var(ddof=1)) if len(scores) > 1 else 0.0


def measure(
    runs: Sequence[Run],
    num: Floats,
    den: Floats,
    collapsed: Sequence[bool] = (),
    expected: Sequence[float | None] = (),
    places: NDArray[np.int64] | None = None,
    columns: int = 0,
) -> Sample:
    """The sample of one language.

    Args:
        runs: what was scored.
        num: shape (runs, examples): 100 sum(num) / sum(den) is the score.
        den: same shape.
        collapsed: of each run, whether all its predictions are of one class.
        expected: of each run, the score that follows from the control world.
        places: of each example among those that languages of the target share; None for a language
            that shares none.
        columns: how many examples languages of the target share.
    """
    pulled = inference.pulls(num, den)
    shared = None
    if places is not None:
        shared = np.zeros((len(runs), columns))
        shared[:, places] = pulled
    return Sample(
        [(run.group, run.seed) for run in runs],
        np.array([inference.score(*row) for row in zip(num, den, strict=True)]),
        inference.example_covariance(pulled[:, :0] if shared is not None else pulled),
        num.shape[1],
        num.shape[1],
        [int(flag) for flag in collapsed] or [0] * len(runs),
        list(expected) or [None] * len(runs),
        shared,
    )


def combine(samples: Sequence[Sample], weights: Sequence[float]) -> Sample:
    """The weighted sum, for the runs that all samples have; all of one target, or closed.

    A run's seed is one in all samples: it scatters the run's sum.
    """
    runs, taken = samples[0].runs, list(samples)
    if any(sample.runs != runs for sample in samples):
        runs = [run for run in runs if all(run in sample.rows for sample in samples)]
        taken = [sample._taken([sample.rows[run] for run in runs]) for sample in samples]
    weighted = list(zip(taken, weights, strict=True))
    shared = [weight * sample.pulls for sample, weight in weighted if sample.pulls is not None]
    return Sample(
        runs,
        np.sum([weight * sample.scores for sample, weight in weighted], axis=0),
        np.sum([weight**2 * sample.covariance for sample, weight in weighted], axis=0),
        sum(sample.n for sample in taken),
        min(sample.fewest for sample in taken),
        np.sum([sample.collapsed for sample in taken], axis=0).tolist(),
        [_sum(weighted, row) for row in range(len(runs))],
        np.sum(shared, axis=0) if shared else None,
        [
            (name, weight * share, leaf)
            for sample, weight in zip(samples, weights, strict=True)
            for name, share, leaf in sample.languages
        ],
    )


def _sum(weighted: Sequence[tuple[Sample, float]], row: int) -> float | None:
    """What is expected of a run in the sum; None where it is not known in all."""
    values = [(sample.expected[row], weight) for sample, weight in weighted]
    known = [value * weight for value, weight in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def average(languages: Mapping[str, Sample]) -> Sample:
    """The plain mean of single languages."""
    weight = 1.0 / len(languages)
    whole = combine(list(languages.values()), [weight] * len(languages))
    return replace(whole, languages=[(name, weight, one) for name, one in languages.items()])
