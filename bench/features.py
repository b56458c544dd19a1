"""What it saves to tokenise a study's text once: real rows, encoded against read from the store.

    XSTILTS_MIRROR=<dir> python bench/features.py 3         so many rounds; prints a table

The mirror holds XNLI, XQuAD and TyDiQA, and XLM-R's tokenizer in
models/intfloat/multilingual-e5-small. In each round each set is encoded and then read, in turn; the
least CPU seconds of this process count, threads of the tokenizer among them. Reading is all of it:
the hash of the rows, the mapping, the hash of the file, and a look at each feature. Kept results:
bench/README.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from xstilts import tasks
from xstilts.kinds import modules
from xstilts.kinds.store import NOT_KEPT, Store
from xstilts.model import tokenizer
from xstilts.rows.read import read_split

MIRROR = Path(os.environ["XSTILTS_MIRROR"])
SETS = {
    ("xnli", "test", 128, 0): ["de", "en", "es", "sw", "ur", "zh"],
    ("xquad", "validation", 384, 128): ["en", "th", "zh"],
    ("tydiqa", "train", 384, 128): ["en"],
}


def all_of(store: Store, rows: list[list[Any]], *how: Any) -> int:
    """How many features the languages have, each looked at."""
    encode, *rest = how
    return sum(1 for some in rows for _ in store(encode, some, *rest))


def seconds(*work: Any) -> float:
    """CPU seconds of all threads of this process, for all features of a store."""
    before = time.process_time()
    all_of(*work)
    return time.process_time() - before


def line(name: str, rows: list[list[Any]], rounds: int, *how: Any) -> str:
    """A line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Store(Path(folder), 20)
        count = all_of(kept, rows, *how)
        both = [(seconds(NOT_KEPT, rows, *how), seconds(kept, rows, *how)) for _ in range(rounds)]
        size = sum(path.stat().st_size for path in Path(folder).glob("*.arrow")) / 1e6
    made, read = map(min, zip(*both, strict=True))
    total = sum(map(len, rows))
    told = f"{name} | {total:,} | {count:,} | {made:.2f} | {total / made:,.0f} | {read:.3f}"
    return f"| {told} | {made / read:.0f} | {size:.1f} |"


def main(rounds: int) -> None:
    """Print a line for each set."""
    words = tokenizer.load(MIRROR / "models/intfloat/multilingual-e5-small")
    print("| | rows | features | encoded, s | rows/s | read, s | ratio | MB |\n|" + "---|" * 8)
    for (name, split, *lengths), languages in SETS.items():
        task = tasks.load(name)
        place = MIRROR / "datasets" / str(task.dataset)
        rows = [read_split(task, place, language, split).rows for language in languages]
        told = f"{name}, {len(languages)} languages"
        print(line(told, rows, rounds, modules.get(task.kind).encode, words, *lengths), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
