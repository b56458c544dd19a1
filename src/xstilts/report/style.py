"""How every figure looks, and how it gets its bytes: colours, marks, SVG, PDF and PNG.

matplotlib is imported at the top, which takes a second: the stage `report` imports figures late.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure as Canvas

INK, SOFT, GRID, PAPER = "#1b1f24", "#6a737d", "#e1e4e8", "#fefefe"
# Colours that differ for all common colour visions (after Okabe and Ito, Tol), legible as text;
# each with a shape of its own, so that a print without colour can be read, too.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#aa3377", "#b07d00", "#3a9bd0", "#7f6a4f", "#5b4fa0")
SHAPES = ("o", "s", "^", "D", "v", "P", "p", "h")
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
    "axes.axisbelow": True,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.solid_capstyle": "round",
}
# What a file would otherwise say of its making, which differs between equal runs.
UNSAID: dict[str, dict[str, None]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
    "png": {"Software": None},
}


def written(canvas: Canvas, suffix: str, **how: Any) -> bytes:
    """A drawing as `svg`, `pdf` or `png` (200 dots per inch); equal drawings give equal bytes."""
    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        canvas.savefig(stream, format=suffix, dpi=200, metadata=UNSAID[suffix], **how)
    if suffix != "svg":
        return stream.getvalue()
    fonts = r"'DejaVu Sans'(, sans-serif)?"
    return re.sub(fonts, "Helvetica, Arial, sans-serif", stream.getvalue().decode()).encode()


def inline(svg: str, name: str, title: str = "", told: str = "") -> str:
    """An SVG for the page: no prolog, own ids, the page's colours, scales to the width it is given.

    Args:
        svg: as matplotlib writes it.
        name: what its ids begin with; unlike that of any other drawing of the page.
        title: what it is, for those who do not see it; without one it is decoration.
        told: what it shows, in numbers.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    # A point leads to its runs with the mouse; with the keyboard the tables do, with fewer stops.
    body = body.replace('<a xlink:href="../index.html#', '<a tabindex="-1" xlink:href="#')
    named = [(INK, "ink"), (SOFT, "soft"), (GRID, "grid"), (PAPER, "paper")]
    for colour, variable in [*named, *((c, f"line-{i}") for i, c in enumerate(PALETTE))]:
        body = body.replace(colour, f"var(--{variable})")
    head = re.search(r'viewBox="[^"]+"', body)
    assert head is not None, "matplotlib writes a viewBox"
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    if not title:
        return f'<svg {spaces} {head[0]} aria-hidden="true">{body[body.index(">") + 1 :]}'
    seen = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-told"'
    texts = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-told">'
        f"{escape(told)}</desc>"
    )
    return f"<svg {spaces} {head[0]} {seen}>{texts}{body[body.index('>') + 1 :]}"
