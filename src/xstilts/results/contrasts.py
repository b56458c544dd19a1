"""Any comparison of settings after the fact: what `contrasts.parquet` keeps of a study's samples.

The summary has each setting's gain over `none`. A claim may compare any two settings, or the means
of several: for that the file holds, for each target's zero-shot mean and for `all`, the mean scores
and how far they may be off together (inference.Spread). Written by the stage `aggregate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from xstilts.results.inference import Estimate, Floats, Part, Spread
from xstilts.results.samples import CONFIDENCE
from xstilts.results.scores import ZERO_SHOT, Row, group_order
from xstilts.results.summary import TargetResult, tidy

_COLUMNS = (
    ("study", pa.string(), "study file without its suffix"),
    ("target", pa.string(), "target task, or all"),
    ("group", pa.string(), "a setting: the run id without its seed"),
    ("mean", pa.float64(), "its zero-shot mean over seeds, 0-100"),
    ("seeds_variance", pa.float64(), "of that mean, by its seeds, points squared; or null"),
    ("seeds_df", pa.float64(), "degrees of freedom of it; or null"),
    ("examples", pa.list_(pa.float64()), "covariance with each setting up to itself, by examples"),
    ("n", pa.int64(), "examples in all languages"),
    ("fewest", pa.int64(), "examples of the language that has the fewest"),
)
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"description": text}) for name, kind, text in _COLUMNS]
)


def table_rows(study: str, results: Sequence[TargetResult]) -> list[Row]:
    """Rows of `SCHEMA`, a setting each, in the order of the summary."""
    rows = []
    for result in results:
        sample = result.cells.get(ZERO_SHOT)
        if sample is None:
            continue
        places = {group: place for place, group in enumerate(sample.settings)}
        ordered = sorted(places, key=group_order)
        order = [places[group] for group in ordered]
        examples = sample.spread.examples[np.ix_(order, order)]
        for place, group in enumerate(ordered):
            seeds = sample.spread.seeds[places[group]] if sample.spread.seeds else None
            rows.append(
                {
                    "study": study,
                    "target": result.target.name,
                    "group": group.label,
                    "mean": tidy(sample.value({group: 1.0})),
                    "seeds_variance": None if seeds is None else tidy(seeds.variance),
                    "seeds_df": None if seeds is None else tidy(seeds.df),
                    "examples": [tidy(one) for one in examples[place, : place + 1]],
                    "n": sample.n,
                    "fewest": sample.fewest,
                }
            )
    return rows


@dataclass(frozen=True)
class Contrasts:
    """The settings of one target: `estimate({"squad_v1-en-1000": 1.0, "none": -1.0})`."""

    places: Mapping[str, int]
    means: Sequence[float]
    spread: Spread

    @staticmethod
    def of(rows: Sequence[Row], target: str) -> Contrasts | None:
        """From the rows of `contrasts.parquet`; None where the target has none."""
        own = [row for row in rows if row["target"] == target]
        if not own:
            return None
        examples = np.zeros((len(own), len(own)))
        for place, row in enumerate(own):
            examples[place, : place + 1] = examples[: place + 1, place] = row["examples"]
        seeds = None
        if own[0]["seeds_df"] is not None:
            seeds = [Part(row["seeds_variance"], row["seeds_df"]) for row in own]
        places = {row["group"]: place for place, row in enumerate(own)}
        means = [row["mean"] for row in own]
        return Contrasts(places, means, Spread(examples, seeds, own[0]["n"], own[0]["fewest"]))

    def estimate(self, weights: Mapping[str, float], confidence: float = CONFIDENCE) -> Estimate:
        """A contrast of settings by name, for these languages.

        Raises:
            KeyError: a setting is not in the study.
        """
        value, parts = self.measure(weights)
        return self.spread.estimate(value, self._weights(weights), [parts], confidence)

    def measure(self, weights: Mapping[str, float]) -> tuple[float, list[Part]]:
        """The value of a contrast, and what its variance is made of.

        Raises:
            KeyError: a setting is not in the study.
        """
        w = self._weights(weights)
        return float(w @ np.array(self.means)), self.spread.parts(w)

    def _weights(self, weights: Mapping[str, float]) -> Floats:
        found = np.zeros(len(self.places))
        for group, weight in weights.items():
            found[self.places[group]] += weight
        return found
