"""The figure of generation.md: `python docs/generation_figure.py`, where generation-demo has run.

Share of answers in the right language, and F1, over the learning rate of full fine-tuning; adapters
and soft prompts beside it. Means over seeds of the mean over languages that were not trained in.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt

from xstilts.core import paths
from xstilts.core.design import load
from xstilts.core.files import read_parquet
from xstilts.core.params import Target

STUDY, TARGET = "generation-demo", "world_facts"
LINES = {  # label -> value, whether of the language that was trained in
    "right language, other languages": ("right_language", False),
    "F1, other languages": ("f1", False),
    "F1, language of the training": ("f1", True),
}
STYLES = ("o-", "s-", "s:")


def means(metric: str, source: bool, target: Target) -> dict[str, float]:
    """Variant -> mean over runs and languages (0-100)."""
    rows = read_parquet(paths.aggregated(STUDY) / "scores.parquet").to_pylist()
    found: dict[str, list[float]] = {}
    for row in rows:
        own = row["language"] == target.source_language
        if row["target"] == TARGET and row["metric"] == metric and own == source:
            found.setdefault(row["variant"], []).append(row["value"])
    return {variant: fmean(values) for variant, values in found.items()}


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
    for (label, (metric, source)), style in zip(LINES.items(), STYLES, strict=True):
        found = means(metric, source, target)
        drawn = left.plot([rates[n] for n in order], [found[n] for n in order], style, label=label)
        right.plot(others, [found[n] for n in others], style[0], color=drawn[0].get_color())
    left.set(
        xscale="log", xlabel="learning rate, all weights trained", ylabel="0-100", ylim=(-3, 103)
    )
    right.set(xlabel="at a rate of their own", xlim=(-0.5, len(others) - 0.5))
    left.legend(frameon=False, fontsize=8)
    figure.savefig(Path(__file__).with_name("generation.png"), dpi=150)


if __name__ == "__main__":
    main()
