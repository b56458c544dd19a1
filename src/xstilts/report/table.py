"""One shape of table for people and for machines: HTML (the page), CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from xstilts.core.files import write_bytes


@dataclass(frozen=True)
class Entry:
    """One cell as people read it: text, a smaller second line, a mark, a tint from -1 to 1."""

    text: str
    small: str = ""
    mark: str = ""
    tint: float = 0.0
    head: bool = False  # names its row
    title: str = ""
    link: str = ""  # where on the page, or beside it, more is told


@dataclass(frozen=True)
class Table:
    """A table for people (`rows`) and the same for machines (`records`, full precision)."""

    name: str
    title: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    records: Sequence[dict[str, Any]]
    groups: Sequence[str] = ()  # of each row; neighbours of one group are ruled off from others

    def bodies(self) -> list[tuple[str, list[Sequence[Entry]]]]:
        """(group, its rows), in order; one body where there are no groups."""
        names = self.groups or [""] * len(self.rows)
        pairs = groupby(zip(names, self.rows, strict=True), key=lambda pair: pair[0])
        return [(name, [row for _, row in own]) for name, own in pairs]

    def filled(self) -> Table:
        """Without the columns in which no row says anything."""
        if not self.rows:
            return self
        places = range(len(self.header))
        kept = [place for place in places if any(row[place].text for row in self.rows)]
        rows = [[row[place] for place in kept] for row in self.rows]
        return replace(self, header=[self.header[place] for place in kept], rows=rows)


def anchor(group: str) -> str:
    """The id of a setting on the page: where its runs are listed."""
    return f"setting-{group}"


def save(table: Table, folder: Path) -> None:
    """Write `<name>.csv` (records) and `<name>.tex` (rows, for booktabs)."""
    stream = io.StringIO()
    if table.records:
        writer = csv.DictWriter(stream, list(table.records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.records)
    write_bytes(folder / f"{table.name}.csv", stream.getvalue().encode())
    write_bytes(folder / f"{table.name}.tex", latex(table).encode())


def latex(table: Table) -> str:
    """A booktabs tabular; first column left, the others right."""
    lines = [
        f"% {table.title}. Needs \\usepackage{{booktabs}}",
        f"\\begin{{tabular}}{{{'l' + 'r' * (len(table.header) - 1)}}}",
        "\\toprule",
        " & ".join(tex(name) for name in table.header) + r" \\",
        "\\midrule",
        *(" & ".join(_tex_entry(entry) for entry in row) + r" \\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _tex_entry(entry: Entry) -> str:
    small = f" {{\\scriptsize {tex(entry.small)}}}" if entry.small else ""
    mark = entry.mark.replace("†", r"\dagger").replace("≈", r"\approx")
    mark = f"$^{{{mark}}}$" if mark else ""
    return tex(entry.text) + mark + small


SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "#": r"\#",
    "_": r"\_", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$",
    "≈": r"$\approx$", "→": r"$\rightarrow$", "†": r"$\dagger$", "Δ": r"$\Delta$", "·": r"$\cdot$",
    "‡": r"$\ddagger$",
    "–": "--", "—": "---", "…": r"\ldots{}", "“": "``", "”": "''", "‘": "`", "’": "'",
}  # fmt: skip


def tex(text: str) -> str:
    """Text with LaTeX's special characters escaped and signs as mathematics."""
    return "".join(SIGNS.get(sign, sign) for sign in text)
