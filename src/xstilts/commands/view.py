"""`xstilts where` and `xstilts ui`: the report, and the MLflow UI on the runs of a study."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from rich.console import Console

from xstilts.core import design, paths
from xstilts.core.errors import UserError
from xstilts.records import tracking
from xstilts.records.tracking_view import SETTING


def show_places() -> None:
    """Print where the report is and how to open the UI."""
    study = design.in_use().study
    page = (paths.report(study) / "index.html").resolve()
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"report      {page}" + ("" if page.exists() else "  (not made yet: dvc repro)"))
    console.print("MLflow UI   make ui   (or `xstilts ui` with .venv active)")
    console.print(f"one number  every score is a row of {paths.aggregated(study)}/scores.parquet")


def serve(port: int) -> None:
    """Replace this process by an MLflow server on loopback, after printing the addresses to open.

    Raises:
        UserError: the port is taken.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is in use. Mend: `xstilts ui --port {port + 1}`")
    study, server = design.in_use().study, f"http://127.0.0.1:{port}"
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"means and SD over seeds  {tracking.link(study, SETTING, server)}")
    console.print(f"runs, by their setting   {tracking.link(study, 'transfer', server)}")
    console.print("stop                     Ctrl-C")
    program = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or "mlflow"
    # Job workers serve features that this project does not use.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{paths.MLRUNS / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(paths.MLRUNS / "artifacts")]
    os.execve(program, command, {**os.environ, **quiet})
