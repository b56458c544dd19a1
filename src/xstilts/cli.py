"""The command line: a verb per stage, and a few for people. No logic here.

xstilts study use demo     compile studies/demo.yaml into params.yaml
xstilts plan               what would run, before anything runs
dvc repro                  run it
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from xstilts import __version__, stages
from xstilts.errors import UserError

app = typer.Typer(
    help=__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
study_app = typer.Typer(help="Choose the study.", no_args_is_help=True)
app.add_typer(study_app, name="study")

Key = Annotated[str, typer.Argument(help="A key of the stage's section in params.yaml.")]
Name = Annotated[str, typer.Argument(help="A file of studies/, without .yaml.")]
PURPOSE = {
    "fetch": "Bring the raw files of a pinned data set.",
    "prepare": "Turn a task's raw rows into the schema of its kind; statistics and leak check.",
    "subsample": "Make the nested, seeded subsets of a task's training rows.",
    "pretrain": "Phase i: import a pinned checkpoint, or train a small one from scratch.",
    "intermediate": "Phase ii: train on one intermediate task.",
    "transfer": "Phase iii: fine-tune on every target, score zero-shot in every language.",
    "aggregate": "Join all scores; intervals, deltas, slopes.",
    "report": "Write the page, figures and tables.",
}


def _add_stage(word: str) -> None:
    """A verb per stage: `xstilts <word> KEY`, or without a key where a study has one run of it."""

    def single() -> None:
        _run_stage(word, None)

    def keyed(key: Key) -> None:
        _run_stage(word, key)

    app.command(word, help=PURPOSE[word])(single if word in stages.SINGLE else keyed)


def _run_stage(word: str, key: str | None) -> None:
    from xstilts.pipeline import run_stage

    run_stage(word, key)


for _word in stages.WORDS:
    _add_stage(_word)


@study_app.command("use")
def study_use(name: Name) -> None:
    """Compile a study into params.yaml, which `dvc repro` reads."""
    from xstilts.plan import use

    use(name)


@study_app.command("list")
def study_list() -> None:
    """The studies at hand, the one in use marked."""
    from xstilts.plan import show_studies

    show_studies()


@app.command()
def plan() -> None:
    """Print runs and cells, what is done, and what `dvc repro` would run."""
    from xstilts.plan import show_plan

    show_plan()


@app.command()
def scores() -> None:
    """Print the result table of the study in use."""
    from xstilts import params
    from xstilts.report.terminal import print_table

    print_table(params.load().study)


@app.command()
def where() -> None:
    """Say where the report of the study in use is, and how to see its runs."""
    from xstilts.viewing import show_places

    show_places()


@app.command()
def ui(port: Annotated[int, typer.Option(help="Loopback port of the server.")] = 5000) -> None:
    """Open the MLflow UI: print the address of the study's runs, serve until Ctrl-C."""
    from xstilts.viewing import serve

    serve(port)


@app.command()
def sync() -> None:
    """Make the MLflow runs that the store lacks, from the records of finished stages."""
    from xstilts import params, tracking

    typer.echo(f"runs added: {tracking.sync(params.load().study)}")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point: people's mistakes are one line and exit code 2."""
    try:
        app()
    except UserError as error:
        if os.environ.get("RANK", "0") == "0":
            print(f"xstilts: {error}", file=sys.stderr)
        sys.exit(2)
