"""How every figure looks and is written: style, colours, SVG, PDF and PNG with stable bytes.

matplotlib is imported at the top, which takes a second: the stage `report` imports figures late.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas

from xstilts.core.files import write_bytes

INK, SOFT, GRID, PAPER = "#1b1f24", "#6a737d", "#e1e4e8", "#fefefe"
# Colours that differ for all common colour visions (after Okabe and Ito, Tol), legible as text.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#b07d00", "#3a9bd0", "#7f6a4f", "#5b4fa0")
DIVERGING = LinearSegmentedColormap.from_list("delta", ["#b35806", "#f7f7f7", "#2166ac"])
WIDTH = 9.6  # inches, the width of the page
LETTER = 0.066  # inches, a wide guess at a letter of 7.5 points
STYLE: dict[str, Any] = {
    "svg.hashsalt": "xstilts",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType: what publishers ask for; its text can be searched and edited
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "figure.facecolor": PAPER,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure with what the page prints under it."""

    name: str  # file name without suffix
    title: str
    caption: str
    canvas: Canvas


def save(figure: Figure, folder: Path) -> str:
    """Write `<name>.svg`, `.pdf` and `.png` (200 dots per inch); returns the SVG's text."""
    with matplotlib.rc_context(STYLE):
        vector, pages, pixels = io.BytesIO(), io.BytesIO(), io.BytesIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.canvas.savefig(vector, format="svg", metadata=nothing)
        unsaid = dict.fromkeys(("CreationDate", "Creator", "Producer"))
        figure.canvas.savefig(pages, format="pdf", metadata=unsaid)
        figure.canvas.savefig(pixels, format="png", dpi=200, metadata={"Software": None})
    text = re.sub(
        r"'DejaVu Sans'(, sans-serif)?", "Helvetica, Arial, sans-serif", vector.getvalue().decode()
    )
    write_bytes(folder / f"{figure.name}.svg", text.encode())
    write_bytes(folder / f"{figure.name}.pdf", pages.getvalue())
    write_bytes(folder / f"{figure.name}.png", pixels.getvalue())
    return text


def inline(svg: str, name: str, label: str) -> str:
    """An SVG for the page: no prolog, own ids, the page's ink and grid colours, scales to width."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    named = [(INK, "ink"), (SOFT, "soft"), (GRID, "grid"), (PAPER, "paper")]
    for colour, variable in [*named, *((c, f"line-{i}") for i, c in enumerate(PALETTE))]:
        body = body.replace(colour, f"var(--{variable})")
    head = re.search(r'viewBox="[^"]+"', body)
    assert head is not None, "matplotlib writes a viewBox"
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    tag = f'<svg {spaces} {head[0]} role="img" aria-label="{label}">'
    return tag + body[body.index(">") + 1 :]
