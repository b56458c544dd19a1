"""The main result as a table for a paper: a row per setting, each target's score and gain.

`tables/main.tex` and `tables/main.csv` of the report, and `xstilts scores --latex` and `--csv`.
Of few targets score and gain are columns of their own, and the score has its interval; of many the
gain's marks stand at the score. Either fits the width of a page of a two-column paper.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from xstilts import tasks
from xstilts.core.files import write_bytes
from xstilts.report import seen_table
from xstilts.report.data import (
    SETTING,
    Results,
    Row,
    cut,
    headline_text,
    signed,
    size_text,
    spread,
    stars,
)
from xstilts.report.table import tex
from xstilts.results.scores import ALL, ZERO_SHOT

FEW = 5  # targets, of which score and gain have room side by side
CAPTION = "{what}, mean over {seeds}{intervals}{gains}. Bold: the best setting.{dagger}"
GAINS = (
    ", and its difference to no intermediate training ($\\Delta$)",
    "; marks are of the difference to no intermediate training",
)
CUT = " (the whole interval where 0 or 100 cuts it)"
STARS = ": * $p<0.05$, ** $p<0.01$ after Holm's correction"
DAGGER = " $\\dagger$: a run predicts one class only in some language."
VALUES = ("mean", "low", "high", "delta", "delta_low", "delta_high", "p_holm", "expected")


def save(results: Results, folder: Path) -> None:
    """Write main.tex and main.csv."""
    write_bytes(folder / "main.tex", latex(results).encode())
    write_bytes(folder / "main.csv", as_csv(results).encode())


def as_csv(results: Results) -> str:
    """A row per setting; of each target `<target>.mean`, `<target>.delta` ... in full precision."""
    stream = io.StringIO()
    values = [f"{target}.{name}" for target in results.columns for name in VALUES]
    header = ["setting", *SETTING, "size", "seeds", *values]
    writer = csv.DictWriter(stream, header, lineterminator="\n")
    writer.writeheader()
    for group in results.groups:
        cells = {target: cell_of(results, target, group) for target in results.columns}
        seeds = [cell["seeds"] for cell in cells.values() if cell is not None]
        found = {name: group[name] for name in (*SETTING, "size")}
        for target, cell in cells.items():
            found |= {f"{target}.{name}": (cell or {}).get(name) for name in VALUES}
        writer.writerow({"setting": group["group"], "seeds": min(seeds, default=0), **found})
    return stream.getvalue()


def latex(results: Results) -> str:
    """A whole `table` for booktabs, ready to be pasted or read by \\input."""
    pairs = len(results.targets) <= FEW and any(True for _ in results.comparisons())
    shape = "lrl" + ("rr" if pairs else "r") * len(results.columns)
    lines = [
        f"% The main result of the study {results.params.study}; needs \\usepackage{{booktabs}}.",
        r"\begin{table*}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        f"\\caption{{{_caption(results, pairs)}}}",
        f"\\label{{tab:{results.params.study}-main}}",
        f"\\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        *_head(results, pairs),
        r"\midrule",
        *_body(results, pairs),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def cell_of(results: Results, target: str, group: Row) -> Row | None:
    """The headline row of a setting on a target."""
    language = ZERO_SHOT if target == ALL else results.headline(target)
    return results.row(target, language, group["group"])


def _caption(results: Results, pairs: bool) -> str:
    """What the numbers are."""
    compared = list(results.comparisons())
    tested = any(row["p_holm"] is not None for row in compared)
    gains = GAINS[not pairs] * bool(compared) + STARS * tested
    dagger = DAGGER if any(row["collapsed"] for row in results.summary) else ""
    intervals = f" with half its {tex(results.confidence)} interval" * pairs
    cells = (cell_of(results, *at) for at in product(results.columns, results.groups))
    intervals += CUT * (pairs and any(cut(cell) for cell in cells if cell is not None))
    dagger += tex(seen_table.legend(results))
    return CAPTION.format(
        what=what(results), seeds=seeds(results), intervals=intervals, gains=gains, dagger=dagger
    )


def what(results: Results) -> str:
    """What the scores of the table are."""
    zero_shot = headline_text(results) == "zero-shot mean"
    return "Zero-shot scores (languages without fine-tuning rows)" if zero_shot else "Scores"


def seeds(results: Results) -> str:
    """Over how many seeds: `2 or 4 seeds`."""
    counts = sorted({row["seeds"] for row in results.summary})
    return " or ".join(map(str, counts)) + (" seed" if counts == [1] else " seeds")


def _head(results: Results, pairs: bool) -> Iterator[str]:
    """One line of names; two where each target has two columns."""
    marks = {target: tex(seen_table.mark(results, target)) for target in results.targets}
    names = [
        "mean" if target == ALL else tex(title(target)) + marks[target]
        for target in results.columns
    ]
    settings = ["intermediate task", "rows", "method"]
    if not pairs:
        yield _line([*settings, *names])
        return
    wide = [f"\\multicolumn{{2}}{{c}}{{{name}}}" for name in names]
    yield _line(["", "", "", *wide])
    first = len(settings) + 1
    yield " ".join(
        f"\\cmidrule(lr){{{first + 2 * place}-{first + 2 * place + 1}}}"
        for place in range(len(names))
    )
    yield _line([*settings, *["score", r"$\Delta$"] * len(names)])


def _body(results: Results, pairs: bool) -> Iterator[str]:
    """A line per setting, with a space between tasks."""
    best = {target: best_of(results, target) for target in results.columns}
    lines = []
    for group in results.groups:
        entries = _setting(group)
        for target in results.columns:
            cell = cell_of(results, target, group)
            entries += _entries(cell, cell is not None and group["group"] == best[target], pairs)
        lines.append((group["task"], _line(entries)))
    yield lines[0][1]
    for (before, _), (task, line) in pairwise(lines):
        yield line if task == before else f"\\addlinespace\n{line}"


def best_of(results: Results, target: str) -> str | None:
    """The setting with the highest score; the control and the choice of settings are none."""
    cells = [
        (cell["mean"], group["group"])
        for group in results.groups
        if group["method"] not in ("shuffled", "best")
        and (cell := cell_of(results, target, group)) is not None
    ]
    return max(cells, default=(0.0, None))[1]


def _setting(group: Row) -> list[str]:
    """Task and language, rows, method."""
    if group["method"] in ("none", "best"):
        name = {"none": "none", "best": "best for each target"}[group["method"]]
        return [name, "", tex(group["variant"])]
    words = {"single": "", "shuffled": "shuffled", "multi": "several tasks", "mlm": "MLM"}
    method = [words.get(group["method"], group["method"]), group["variant"]]
    return [
        f"{tex(title(group['task']))} ({tex(group['source_language'])})",
        size_text(group["size"]),
        tex(", ".join(part for part in method if part)),
    ]


def title(name: str) -> str:
    """The title of a task; a mix has its name alone."""
    return tasks.load(name).title if name in tasks.NAMES else name


def _entries(cell: Row | None, best: bool, pairs: bool) -> list[str]:
    """Score with its interval, and gain."""
    if cell is None:
        return ["--"] * (2 if pairs else 1)
    dagger = r"\dagger" if cell["collapsed"] else ""
    mark = stars(cell["p_holm"])
    own = dagger if pairs else mark + dagger
    value = f"{cell['mean']:.1f}"
    score = f"\\textbf{{{value}}}" if best else value
    score += f"$^{{{own}}}$" if own else ""
    if not pairs:
        return [score]
    score += f" {{\\scriptsize {tex(spread(cell))}}}"
    if cell["delta"] is None:
        return [score, ""]
    return [score, tex(signed(cell["delta"])) + (f"$^{{{mark}}}$" if mark else "")]


def _line(entries: list[Any]) -> str:
    return " & ".join(map(str, entries)) + r" \\"
