"""What equal bits on every CPU cost: updates by the kit's kernels against torch's own on MKL.

    python bench/products.py 10         so many rounds; prints a table

Each round runs each way in a process of its own, in turn; 4 micro-batches of 16 an update, plain
torch. The least time counts, which other programs disturb least. Kept results: bench/README.md.
"""

from __future__ import annotations

import subprocess
import sys
import time

SIZES = {"2 x 128": (2, 128, 4, 2000), "12 x 384 (e5-small)": (12, 384, 12, 20000)}
LENGTHS = (48, 40, 36, 28)


def measure(way: str, threads: int, size: str, updates: int) -> None:
    """Print the least milliseconds of an update, on the wall and of this process's CPU time."""
    from xstilts.core import determinism
    from xstilts.core.machine import Machine

    if way == "kit":
        determinism.prepare(Machine(threads=threads))
    import numpy as np
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel

    torch.set_num_threads(threads)
    if way == "kit":
        determinism.apply(Machine(threads=threads))
    layers, hidden, heads, vocabulary = SIZES[size]
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        max_position_embeddings=130,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = XLMRobertaModel(config, add_pooling_layer=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    rng, spent = np.random.default_rng(0), []
    for _ in range(updates):
        wall, cpu = time.perf_counter(), time.process_time()
        for length in LENGTHS:
            ids = torch.from_numpy(rng.integers(5, vocabulary, (16, length)))
            model(input_ids=ids).last_hidden_state[:, 0].square().mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        spent.append((time.perf_counter() - wall, time.process_time() - cpu))
    print(*(1000 * min(kind) for kind in zip(*spent[1:], strict=True)))


def main(rounds: int) -> None:
    """Let the ways take turns; print the least times and their ratios."""
    print("| encoder | threads | MKL, ms | kit, ms | ratio | ratio of CPU time |")
    print("|---|---|---|---|---|---|", flush=True)
    for size in SIZES:
        for threads in (1, 2):
            best: dict[str, list[float]] = {}
            for _ in range(rounds):
                for way in ("mkl", "kit"):
                    call = [sys.executable, __file__, way, str(threads), size]
                    said = subprocess.run(
                        call, capture_output=True, text=True, check=True
                    ).stdout.split()
                    times = [float(one) for one in said]
                    best[way] = [
                        min(pair) for pair in zip(times, best.get(way, times), strict=True)
                    ]
            (mkl, mkl_cpu), (kit, kit_cpu) = best["mkl"], best["kit"]
            ratios = f"{kit / mkl:.2f} | {kit_cpu / mkl_cpu:.2f}"
            print(f"| {size} | {threads} | {mkl:.0f} | {kit:.0f} | {ratios} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1], int(sys.argv[2]), sys.argv[3], 20 if "128" in sys.argv[3] else 4)
    else:
        main(int(sys.argv[1]))
