"""Whether a training takes as much memory as `xstilts plan` says: predicted against measured peaks.

    python bench/memory.py               trainings of many shapes on the CPU, one after another
    python bench/memory.py wide deep     those whose names begin so

Two updates each, in processes of their own; XLM-R Large has a script of its own (bench/large.py).
Exit code 1 where a prediction is beyond 0.7 to 1.4 of what was measured. Kept results:
bench/README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import training_peak

# Most of the weights are a vocabulary's; most of the memory is activations.
WIDE = {"vocabulary": 120_000, "layers": 2, "hidden": 512, "heads": 8, "feed_forward": 2048}
DEEP = {"vocabulary": 1_000, "layers": 12, "hidden": 384, "heads": 6, "feed_forward": 1536}
SMALL, LARGE = {"batch": 8, "max_length": 16}, {"batch": 32, "max_length": 128}
TWICE = {"activation_checkpointing": True}
Case = dict[str, Any]
CASES: dict[str, Case] = {
    **{f"wide, ZeRO {zero}": {"machine": {"zero": zero}} for zero in range(4)},
    **{f"wide, ZeRO {z}, 2 processes": {"machine": {"zero": z, "processes": 2}} for z in range(4)},
    "wide, bf16": {"machine": {}, "training": {"precision": "bf16"}},
    "wide, frozen vocabulary": {"machine": {}, "training": {"freeze": "embeddings"}},
    "wide, mlm": {"machine": {}, "kind": "mlm", "training": {"batch": 16, "max_length": 64}},
    "deep": {"machine": {}, "shape": DEEP, "training": LARGE},
    "deep, checkpointed": {"machine": TWICE, "shape": DEEP, "training": LARGE},
    "deep, 4 micro-batches": {"machine": {"micro_batch": 8}, "shape": DEEP, "training": LARGE},
    "deep, 512 tokens": {
        "machine": {},
        "shape": DEEP,
        "training": {"batch": 8, "max_length": 512},
    },
}


def case(name: str) -> Case:
    """All that is needed to run one."""
    told = CASES[name]
    return {
        **told,
        "shape": told.get("shape", WIDE),
        "training": {**SMALL, **told.get("training", {})},
    }


def main(names: list[str]) -> int:
    """Print a table; 1 where a prediction is not good."""
    print("| training | measured, GB | predicted, GB | ratio |\n|---|---|---|---|")
    bad = 0
    for name in CASES:
        if names and not name.startswith(tuple(names)):
            continue
        found = training_peak.apart(case(name))
        ratio = found["predicted"] / found["measured"]
        bad += not 0.7 <= ratio <= 1.4
        told = " | ".join(f"{found[one] / 1e9:.2f}" for one in ("measured", "predicted"))
        print(f"| {name} | {told} | {ratio:.2f} |", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
