"""Where the kit's time goes on a CPU, by kernel: why `make bench` says what it says.

    python bench/profile_kit.py                                  an update of NLI, 4 x 256
    python bench/profile_kit.py --shape real --task tags
    python bench/profile_kit.py --what predict                   scoring

By torch's profiler, on one thread, over the rows of bench/speed.py. What the profiler itself takes
falls on kernels that are called often, as does Python; the clock is read without it.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from pathlib import Path

from race import Child, race
from speed import FULL, SMALL, TASKS

WARM, TIMES = 3, 8  # updates, or passes over what is scored, before and while it is measured
# What is told together: name -> how its kernels' names begin; the first that fits.
KINDS = {
    "products by oneDNN": ("mkldnn::",),
    "products by NumPy": ("aten::bmm", "aten::dot"),
    "calls of products: Python, small ones": ("aten::mm", "aten::addm", "aten::baddbmm"),
    "dropout": ("aten::bernoulli_", "aten::dropout", "aten::random_", "aten::div_"),
    "GELU": ("aten::gelu",),
    "AdamW, clipping": ("aten::_fused_adamw_", "aten::linalg", "Optimizer."),
    "copies, gathers": (
        *("aten::copy_", "aten::contiguous", "aten::clone", "aten::cat", "aten::index"),
        *("aten::_index", "aten::embedding", "aten::empty", "aten::zero_", "aten::fill_"),
    ),
    "norms, softmax": ("aten::native_layer_norm", "aten::_softmax", "aten::_log_softmax"),
    "sums and products by element": ("aten::add", "aten::mul", "aten::sum"),
}


def kind_of(kernel: str) -> str:
    """Which of `KINDS` a kernel belongs to."""
    return next((name for name, begun in KINDS.items() if kernel.startswith(begun)), "all else")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=[*FULL.shapes, *SMALL.shapes], default="small")
    parser.add_argument("--task", choices=list(TASKS), default="nli")
    parser.add_argument("--what", choices=["train", "predict"], default="train")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        with closing(Child("prepare", folder, asked.shape)) as maker:
            real = ["--real"] * maker.started["real"]
        with closing(Child("kit", folder, asked.shape, "--threads", "1", *real)) as child:
            order = {"what": "profile", "of": asked.what, "task": asked.task}
            racing = {"kit": (child, {**order, "warm": WARM, "times": TIMES})}
            found = race(racing, 0)[1]["kit"]
    shares: dict[str, float] = {}
    for kernel, seconds in found["kernels"].items():
        shares[kind_of(kernel)] = shares.get(kind_of(kernel), 0) + seconds
    whole = sum(shares.values())
    print(
        f"\n| {asked.what}, {asked.task}, {asked.shape}: {found['seconds'] * 1000:.0f} ms | share |"
    )
    print("|---|---|")
    for name, seconds in sorted(shares.items(), key=lambda one: -one[1]):
        if seconds:
            print(f"| {name} | {seconds / whole:.0%} |")


if __name__ == "__main__":
    main()
