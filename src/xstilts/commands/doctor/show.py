"""`xstilts doctor`: is this machine fit for the study in use? A line each, and what to do.

Probes run side by side, since some wait for a network; one that breaks or hangs is a warning.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from rich.console import Console

from xstilts.commands.doctor import hardware, packages, places
from xstilts.commands.doctor.finding import Finding, failed, warning
from xstilts.core.errors import UserError

PATIENCE = 20.0  # seconds for all probes together; usually 3
PROBES: dict[str, Callable[[], list[Finding]]] = {
    "packages": packages.versions,
    "torch": hardware.torch,
    "CPU": hardware.cpu,
    "machine.yaml": hardware.settings,
    "disk": hardware.disk,
    "file system": hardware.file_system,
    "source": places.source,
    "DVC remote": places.remote,
    "DVC site cache": places.site_cache,
    "MLflow": places.store,
    "git": places.repository,
}
STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


def show_findings() -> None:
    """Print all findings.

    Raises:
        SystemExit: 1, where one has failed.
    """
    console = Console(highlight=False, soft_wrap=True)
    found = examine()
    for one in found:
        console.print(f"[{STYLES[one.state]}]{one.state:<8}[/]{one.name:<15}", end="")
        console.print(one.text, markup=False)
        if one.mend:
            console.print(f"{'':<23}Mend: {one.mend}", markup=False)
    counts = {state: sum(one.state == state for one in found) for state in STYLES}
    console.print(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed")
    if counts["failed"]:
        sys.exit(1)


def examine(probes: dict[str, Callable[[], list[Finding]]] | None = None) -> list[Finding]:
    """Findings of all probes, in their order."""
    probes = PROBES if probes is None else probes
    found: dict[str, list[Finding]] = {}
    threads = []
    for name, probe in probes.items():
        arguments = (name, probe, found)
        threads.append(threading.Thread(target=_run, args=arguments, daemon=True))
        threads[-1].start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    hung = f"no answer within {PATIENCE:g} seconds"
    late = "see whether a disk, a driver or a name server hangs"
    return [one for name in probes for one in found.get(name) or [warning(name, hung, late)]]


def _run(name: str, probe: Callable[[], list[Finding]], found: dict[str, list[Finding]]) -> None:
    """Run one probe; whatever it meets becomes a finding."""
    try:
        found[name] = probe()
    except UserError as error:
        why, _, mend = str(error).partition(" Mend: ")
        found[name] = [failed(name, why, mend)]
    except Exception as error:  # a doctor who falls ill helps nobody
        what = f"could not be looked at ({type(error).__name__})"
        found[name] = [warning(name, what, "this line is a mistake of the kit: please report it")]
