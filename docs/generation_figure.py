"""The figure of generation.md: `python docs/generation_figure.py`, where generation-demo has run.

Share of answers in the right language, and F1, over the learning rate of full fine-tuning; adapters
and soft prompts beside it. Of the mean over languages that were not trained in: the mean over
seeds, and by bars the lowest and the highest seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from xstilts.core import paths
from xstilts.core.design import load
from xstilts.core.files import read_parquet
from xstilts.core.params import Target
from xstilts.results.scores import Row

STUDY, TARGET = "generation-demo", "world_facts"
LINES = {  # label -> value, whether of the language that was trained in, marker, line
    "right language, other languages": ("right_language", False, "o", "-"),
    "F1, other languages": ("f1", False, "s", "-"),
    "F1, language of the training": ("f1", True, "s", ":"),
}


def seeds(rows: list[Row], metric: str, source: bool, target: Target) -> dict[str, list[float]]:
    """Variant -> of each seed the mean over languages (0-100)."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        own = row["language"] == target.source_language
        if row["target"] == TARGET and row["metric"] == metric and own == source:
            by_seed = found.setdefault(row["variant"], {})
            by_seed.setdefault(row["seed"], []).append(row["value"])
    return {name: [fmean(one) for one in by_seed.values()] for name, by_seed in found.items()}


def draw(axes: Axes, places: Sequence[float], found: Sequence[list[float]], **style: Any) -> None:
    """Means, with bars from the lowest seed to the highest."""
    means = [fmean(one) for one in found]
    low = [mean - min(one) for mean, one in zip(means, found, strict=True)]
    high = [max(one) - mean for mean, one in zip(means, found, strict=True)]
    axes.errorbar(places, means, yerr=[low, high], capsize=2, elinewidth=0.8, **style)


def main() -> None:
    """Draw it."""
    target = load(STUDY).targets[TARGET]
    assert target.training is not None
    rates = {"": target.training.learning_rate} | {
        name: one.training.learning_rate
        for name, one in target.variants.items()
        if name.startswith("lr-")
    }
    others = [name for name in target.variants if name not in rates]
    order = sorted(rates, key=rates.__getitem__)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7, 3), sharey=True, width_ratios=(3, 1), layout="constrained"
    )
    rows = read_parquet(paths.aggregated(STUDY) / "scores.parquet").to_pylist()
    for number, (label, (metric, source, marker, line)) in enumerate(LINES.items()):
        found = seeds(rows, metric, source, target)
        style = {"marker": marker, "color": f"C{number}"}
        of_rates = [found[name] for name in order]
        draw(left, [rates[name] for name in order], of_rates, ls=line, label=label, **style)
        beside = [place + 0.15 * (number - 1) for place in range(len(others))]
        draw(right, beside, [found[n] for n in others], ls="none", **style)
    left.set(
        xscale="log", xlabel="learning rate, all weights trained", ylabel="0-100", ylim=(-3, 103)
    )
    right.set(xlabel="at a rate of their own", xlim=(-0.5, len(others) - 0.5))
    right.set_xticks(range(len(others)), others)
    left.legend(frameon=False, fontsize=8)
    figure.savefig(Path(__file__).with_name("generation.png"), dpi=150)


if __name__ == "__main__":
    main()
