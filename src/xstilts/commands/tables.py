"""The look of the tables that commands print below a title of their own."""

from __future__ import annotations

from rich import box
from rich.table import Table


def titled(title: str, below: int = 0) -> Table:
    """An empty table.

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
