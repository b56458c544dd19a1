"""How often intervals hold the truth and noise is called an effect, by simulation: 10 minutes.

    python bench/calibration.py            # the whole table, on all CPUs
    python bench/calibration.py --repeats 50

Studies are made up, of `none` and 12 or 40 settings on test sets of 500 or 2,000 examples. Whether
a run answers an example depends on the example (SD 15 points), on what the setting makes of that
example (SD 10), on the run's seed (SD 0 to 20, equal in all settings or scattered as an inverse
chi-square with 8 degrees of freedom), and on chance. Half of the settings gain nothing, the others
5 points. From a study's answers on it is the kit's own code: `samples.measure`, `Sample.contrast`.
"1 seed": four settings have three, the others one and borrow. Means over 5 languages: a run's luck
is half its own in each language and half one in all; examples are translations, or others.
Languages like these: gains differ from language to language by 5 points. Slopes: over four sizes.

Exits with 1 where a bar is missed by more than three standard errors: with equal variances the 95 %
interval of no effect holds 0 in 93 to 97 of 100, p < .05 comes up in at most 6.5, p < .001 in at
most 0.5; with unequal ones at least 91, at most 8.5.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from threadpoolctl import threadpool_limits

from xstilts.results.inference import Floats
from xstilts.results.samples import Sample, average, measure
from xstilts.results.scores import Group, Run
from xstilts.results.summary import slope

NONE = Group("none", "none", "none", 0)
SEEDS, SPREADS = (1, 2, 3, 5, 10), (0, 1, 2, 5, 10, 20)
GAIN = 5.0
LANGUAGES = 5


@dataclass(frozen=True)
class Case:
    """One kind of study; `asked` is what is asked of it."""

    asked: str  # gain | translations | other examples | languages like these | slope
    settings: int
    examples: int
    seeds: int
    spread: float
    equal: bool


@dataclass(frozen=True)
class Found:
    """Of a hundred answers, and the standard errors of the first three."""

    held: float  # no effect, and the interval holds 0
    below_05: float  # no effect, and p < .05
    below_001: float
    power: float  # an effect, and p < .05
    errors: tuple[float, ...]


def cases() -> Iterator[Case]:
    """Gains in all sizes; the other questions with 12 settings of 500 examples."""
    for equal, settings, examples, seeds, spread in product(
        (True, False), (12, 40), (500, 2000), SEEDS, SPREADS
    ):
        yield Case("gain", settings, examples, seeds, spread, equal)
    for asked in ("translations", "other examples", "languages like these", "slope"):
        for seeds, spread in product(SEEDS, (0, 2, 20)):
            yield Case(asked, 12, 500, seeds, spread, True)


def runs_of(case: Case) -> tuple[list[Run], Floats]:
    """The runs, and whether each is of a setting that gains."""
    sizes = (1000, 3000, 10_000, 30_000)
    groups = [NONE]
    for number in range(case.settings):
        task, size = (number // 4, sizes[number % 4]) if case.asked == "slope" else (number, 1000)
        groups.append(Group("single", f"task{task}", "en", size))
    runs = []
    for number, group in enumerate(groups):
        few = case.seeds == 1 and number < 4
        runs += [Run(f"{group.label}-s{s}", group, s) for s in range(3 if few else case.seeds)]
    gains = set(groups[1 + gaining(case) :])
    return runs, np.array([run.group in gains for run in runs], dtype=float)


def gaining(case: Case) -> int:
    """The first setting that gains: half of them do, or the last of three series of sizes."""
    return 8 if case.asked == "slope" else case.settings // 2


def luck(case: Case, runs: list[Run], random: np.random.Generator) -> Floats:
    """Points by which each run is better than its setting: shape (runs, 1)."""
    names = list(dict.fromkeys(run.group for run in runs))
    scatter = np.ones(len(names)) if case.equal else np.sqrt(8 / random.chisquare(8, len(names)))
    spread = case.spread * np.array([scatter[names.index(run.group)] for run in runs])
    return (spread * random.normal(size=len(runs)))[:, None]


def answers(
    case: Case, runs: list[Run], level: Floats, random: np.random.Generator, easy: Floats | None
) -> Floats:
    """Which examples each run answers; `level` is its score, shape (runs, 1)."""
    names = list(dict.fromkeys(run.group for run in runs))
    rows = [names.index(run.group) for run in runs]
    if easy is None:
        easy = random.normal(scale=15, size=case.examples)
    own = random.normal(scale=10, size=(len(names), case.examples))[rows]
    return (100 * random.random(own.shape) < level + easy + own).astype(float)


def study(case: Case, random: np.random.Generator) -> Sample:
    """One made-up study."""
    runs, gains = runs_of(case)
    if case.asked == "slope":  # a tenfold size gains 5 points
        sizes = np.array([max(1000, run.group.size) for run in runs])
        level = 50 + GAIN * gains[:, None] * np.log10(sizes / 5000)[:, None]
    else:
        level = 50 + GAIN * gains[:, None]
    if case.asked in ("gain", "slope"):
        num = answers(case, runs, level + luck(case, runs, random), random, None)
        return measure(runs, num, np.ones_like(num))
    return average(languages(case, runs, level, random))


def languages(
    case: Case, runs: list[Run], level: Floats, random: np.random.Generator
) -> dict[str, Sample]:
    """Five languages, whose runs share half of their luck."""
    easy = random.normal(scale=15, size=case.examples)
    shared = luck(case, runs, random)
    names = list(dict.fromkeys(run.group for run in runs))
    rows = [names.index(run.group) for run in runs]
    together = case.asked != "other examples"
    place = np.arange(case.examples) if together else None
    found = {}
    for number in range(LANGUAGES):
        own = level + np.sqrt(0.5) * (shared + luck(case, runs, random))
        if case.asked == "languages like these":
            own = own + random.normal(scale=5, size=len(names))[rows][:, None]
        num = answers(case, runs, own, random, easy if together else None)
        found[f"l{number}"] = measure(
            runs, num, np.ones_like(num), places=place, columns=case.examples
        )
    return found


def contrasts(case: Case, sample: Sample) -> list[tuple[dict[Group, float], bool]]:
    """What is asked, and whether there is an effect."""
    groups = [group for group in sample.settings if group != NONE]
    if case.asked == "slope":
        return [
            (slope(groups[start : start + 4]), start >= gaining(case))
            for start in range(0, len(groups), 4)
        ]
    first = 3 if case.seeds == 1 else 0  # the settings that borrow
    return [
        ({group: 1.0, NONE: -1.0}, place >= gaining(case))
        for place, group in enumerate(groups)
        if place >= first
    ]


def simulate(case: Case, repeats: int) -> Found:
    """Many studies of one kind."""
    random = np.random.default_rng(list(repr(case).encode()))
    like = case.asked == "languages like these"
    none, told = [], []
    with threadpool_limits(1):  # there are as many processes as CPUs
        for _ in range(repeats):
            sample = study(case, random)
            asked = [
                (sample.contrast_languages(w) if like else sample.contrast(w), effect)
                for w, effect in contrasts(case, sample)
            ]
            p = np.array([one.p for one, _ in asked if one is not None], dtype=float)
            held = np.array([one.low <= 0 <= one.high for one, _ in asked if one is not None])
            effect = np.array([effect for _, effect in asked])
            noise = (held[~effect], p[~effect] < 0.05, p[~effect] < 0.001)
            none.append([100 * answer.mean() for answer in noise])
            told.append(100 * (p[effect] < 0.05).mean())
    # One study is one draw: its settings are all compared with the same `none`.
    errors = np.std(none, axis=0, ddof=1) / np.sqrt(repeats)
    held_mean, often, surely = np.mean(none, axis=0).tolist()
    return Found(held_mean, often, surely, float(np.mean(told)), tuple(errors.tolist()))


def judge(case: Case, found: Found) -> list[str]:
    """The bars that are missed."""
    least, most, often = (93, 97, 6.5) if case.equal else (91, 100, 8.5)
    off = [
        (max(least - found.held, found.held - most), f"holds {found.held:.1f}"),
        (found.below_05 - often, f"p < .05 in {found.below_05:.1f}"),
        (found.below_001 - 0.5, f"p < .001 in {found.below_001:.2f}"),
    ]
    # A share that was 0 or 100 in every study shows no error of its own.
    errors = [max(error, 0.1) for error in found.errors]
    return [text for (by, text), error in zip(off, errors, strict=True) if by > 3 * error]


def main() -> int:
    """Print a line for each question, number of seeds and kind of study; all spreads in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=400, help="studies of each kind")
    repeats = parser.parse_args().repeats
    todo = list(cases())
    broken = []
    print("held by the 95 % interval / p < .05 / p < .001 / power (gain of 5), of a hundred")
    with ProcessPoolExecutor() as pool:
        line, text = None, ""
        for case, found in zip(todo, pool.map(simulate, todo, [repeats] * len(todo)), strict=True):
            key = asdict(case) | {"spread": None}
            if key != line:
                print(text, flush=True)
                kind = "equal" if case.equal else "unequal"
                text = f"{case.asked}, {case.settings} settings, {kind}, n {case.examples}"
                text += f", {case.seeds} {'seed, borrowed' if case.seeds == 1 else 'seeds'}:"
                line = key
            text += f"  [{case.spread:g}] {found.held:.1f}/{found.below_05:.1f}"
            text += f"/{found.below_001:.2f}/{found.power:.0f}"
            broken += [f"{case}: {bar}" for bar in judge(case, found)]
        print(text)
    print("\n".join(broken) or "all bars hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
