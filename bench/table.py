"""Lines of bench/speed.py: how they are kept, shown in a terminal, and written into README.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench/results/speed.jsonl"
MARK = "bench"  # <!-- bench --> and <!-- /bench --> stand round the table in README.md
HEAD = ("what", "the kit", "compared with", "", "ratio", "least to most")
SHAPES = {"small": "4 x 256", "real": "12 x 384", "tiny": "2 x 32"}


@dataclass(frozen=True)
class Line:
    """One comparison. A ratio above 1 says that the kit is faster, or smaller.

    Attributes:
        line: what `--only` calls it.
        title: what a person calls it.
        shape: of the encoder, a key of SHAPES; "" where none is meant.
        unit: of both values, e.g. `examples/s`.
        rival: what the kit is compared with; "" for nothing.
        kit, theirs: a value a turn, in the order in which they were measured.
        more: whether a larger value is the better one.
        rows: `real`, `made up`, or "" where no rows are meant.
    """

    line: str
    title: str
    unit: str
    kit: Sequence[float]
    rival: str = ""
    theirs: Sequence[float] = ()
    shape: str = ""
    more: bool = True
    rows: str = ""

    @property
    def ratios(self) -> list[float]:
        """One a turn."""
        pairs = zip(self.kit, self.theirs, strict=bool(self.theirs))
        return [kit / theirs if self.more else theirs / kit for kit, theirs in pairs]

    def cells(self) -> tuple[str, ...]:
        """As it is shown."""
        title = f"{self.title}, {SHAPES[self.shape]}" if self.shape else self.title
        kit = f"{number(statistics.median(self.kit))} {self.unit}"
        if not self.rival:
            return title, kit, "", "", "", ""
        theirs = f"{number(statistics.median(self.theirs))} {self.unit}"
        ratios = self.ratios
        spread = f"{number(min(ratios))} to {number(max(ratios))}" if len(ratios) > 1 else ""
        return title, kit, self.rival, theirs, number(statistics.median(ratios)), spread


def number(value: float) -> str:
    """Three digits that count, and no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}" if value >= 0.1 else f"{value:.3f}"


def machine() -> dict[str, Any]:
    """What measured: CPU, cores, versions, and the commit of the kit that was measured."""
    import xstilts
    from xstilts.records import provenance

    source = Path(xstilts.__file__).parent
    seen, used = provenance.hardware(), provenance.software()["packages"]
    names = ("torch", "transformers", "deepspeed", "dvc")
    return {
        "cpu": seen["cpu"],
        "cores": seen["cores"],
        "python": platform.python_version(),
        **{name: used.get(name) for name in names},
        "commit": _git(source, "rev-parse", "HEAD"),
        "dirty": bool(_git(source, "status", "--porcelain", "--", ".")),
        "load": round(os.getloadavg()[0], 2),
    }


def _git(folder: Path, *command: str) -> str:
    """What git says of a folder; "" outside of a repository."""
    done = subprocess.run(
        ["git", "-C", str(folder), *command], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def write(path: Path, line: Line, common: dict[str, Any]) -> None:
    """Put a line into a file of JSON lines, in the place of one that measured the same before."""
    new = asdict(line) | {"machine": common}
    kept = {_what(one): one for one in _records(path)} | {_what(new): new}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in kept.values()), encoding="utf-8")


def read(path: Path) -> tuple[list[Line], list[dict[str, Any]]]:
    """The lines of a file, and the machine of each."""
    told = _records(path)
    machines = [one.pop("machine") for one in told]
    return [Line(**one) for one in told], machines


def _records(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(one) for one in text.splitlines()]


def _what(record: dict[str, Any]) -> tuple[str, str, str]:
    """What a line measured."""
    return record["line"], record["title"], record["shape"]


def grouped(lines: Iterable[Line]) -> list[Line]:
    """Lines of one sort together, sorts in the order of their first ones."""
    lines = list(lines)
    first = list(dict.fromkeys(line.line for line in lines))
    return sorted(lines, key=lambda line: first.index(line.line))


def show(lines: Iterable[Line]) -> None:
    """Print the table."""
    table = Table(*HEAD, box=None, padding=(0, 2, 0, 0))
    for line in grouped(lines):
        table.add_row(*line.cells())
    Console(highlight=False, width=max(Console().width, 140)).print(table)


def markdown(path: Path) -> str:
    """The table of a file, for README.md; "" where there is none."""
    lines, machines = read(path)
    if not lines:
        return ""
    told = machines[0]
    rows = [HEAD, ("---",) * len(HEAD), *(line.cells() for line in grouped(lines))]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    versions = ", ".join(f"{name} {told[name]}" for name in ("torch", "transformers", "deepspeed"))
    commits = ", ".join(dict.fromkeys(one["commit"][:7] for one in machines))
    where = f"{told['cores']} cores of {told['cpu']}, {versions}, commit {commits}"
    return f"{text}\n\nMeasured on {where}.\n"


def update(page: str, table: str, mark: str = MARK) -> str:
    """A page with the table between its marks."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{table}{end}{after}"
