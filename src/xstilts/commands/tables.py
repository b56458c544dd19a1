"""The look of the tables that commands print."""

from __future__ import annotations

from rich import box
from rich.table import Table


def plain(*columns: str) -> Table:
    """An empty table without lines, of many short rows."""
    return Table(*columns, box=None, padding=(0, 2, 0, 0))


def titled(title: str, below: int = 0) -> Table:
    """An empty table below a title of its own.

    Args:
        below: empty lines below each row.
    """
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, below, 0),
    )
