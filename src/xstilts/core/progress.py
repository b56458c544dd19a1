"""What a stage tells while it works: live curves, and how far it is. Stages know no tracker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], None]
Record = dict[str, object]


def _drop(step: int, metrics: dict[str, float]) -> None:
    """Ignore live metrics: the default where nobody listens."""


@dataclass
class Observe:
    """A stage's way to be watched: `log` takes live metrics, `progress` shows a bar on stderr."""

    log: Callable[[int, dict[str, float]], None] = _drop
    quiet: bool = False

    def under(self, name: str) -> Observe:
        """The same, with its live metrics named `<name>.<metric>`."""

        def log(step: int, metrics: dict[str, float]) -> None:
            self.log(step, {f"{name}.{metric}": value for metric, value in metrics.items()})

        return replace(self, log=log)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Advance]:
        """Yield `advance(n)`; the bar stays when done, and a log file gets a line every tenth."""
        console = Console(stderr=True, quiet=self.quiet)
        if not console.is_terminal:
            yield _line_progress(console, description, total)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(description, total=total)
            yield lambda n: bar.advance(task, n)


def _line_progress(console: Console, description: str, total: int) -> Advance:
    """Progress for logs and CI: one line each time another tenth is done."""
    done, shown = 0, -1

    def advance(n: int) -> None:
        nonlocal done, shown
        done += n
        tenth = 10 * done // max(total, 1)
        if tenth > shown:
            shown = tenth
            console.print(f"{description}: {done}/{total}", highlight=False)

    return advance
