"""`xstilts doctor`: is this machine fit for the study in use? A line each, and what to do.

Checks run side by side, since some wait for a network; one that breaks or hangs is a warning.
"""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Callable

from rich.console import Console

from xstilts.commands.doctor import hardware, packages, places
from xstilts.commands.doctor.finding import Finding, failed, warning
from xstilts.core.errors import UserError

PATIENCE = 20.0  # seconds for all checks together; usually 2
CHECKS: dict[str, Callable[[], list[Finding]]] = {
    "packages": packages.versions,
    "torch": hardware.torch,
    "CPU": hardware.cpu,
    "machine.yaml": hardware.settings,
    "disk": hardware.disk,
    "file system": hardware.file_system,
    "source": places.source,
    "DVC remote": places.remote,
    "site cache": places.site_cache,
    "MLflow": places.store,
    "git": places.repository,
}
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}
INDENT = 21  # columns of state and name


def show_findings() -> None:
    """Print all findings, wrapped for a terminal and in whole lines for a file or pipe.

    Raises:
        SystemExit: 1, where one has failed.
    """
    console = Console(highlight=False, soft_wrap=True)
    width = max(40, console.width - INDENT) if console.is_terminal else 10_000
    wrapper = textwrap.TextWrapper(width, break_on_hyphens=False, break_long_words=False)
    found = examine()
    for name, one in found:
        console.print(f"[{STYLES[one.state]}]{one.state:<8}[/]{name:<{INDENT - 8}}", end="")
        lines = [one.text, *([f"Mend: {one.mend}"] if one.mend else [])]
        parts = [part for line in lines for part in wrapper.wrap(line)]
        console.print(("\n" + " " * INDENT).join(parts), markup=False)
    counts = {state: sum(one.state == state for _, one in found) for state in STYLES}
    console.print(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed")
    if counts["failed"]:
        sys.exit(1)


def examine() -> list[tuple[str, Finding]]:
    """Findings of all checks with their names, in their order."""
    found: dict[str, list[Finding]] = {}
    threads = [threading.Thread(target=_run, args=(name, found), daemon=True) for name in CHECKS]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = "see whether a disk, a driver or a name server hangs"
    hung = warning(f"no answer within {PATIENCE:g} seconds", late)
    return [(name, one) for name in CHECKS for one in found.get(name, hung)]


def _run(name: str, found: dict[str, list[Finding]]) -> None:
    """Run one check; whatever it meets becomes a finding."""
    try:
        found[name] = CHECKS[name]()
    except UserError as error:
        why, _, mend = str(error).partition(" Mend: ")
        found[name] = failed(why, mend)
    except Exception as error:  # a doctor who falls ill helps nobody
        what = f"could not be looked at ({type(error).__name__})"
        found[name] = warning(what, "this line is a mistake of the kit: please report it")
