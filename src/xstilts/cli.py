"""The command line: a verb per stage, and a few for people. No logic here.

xstilts study use demo     compile studies/demo.yaml for DVC
xstilts plan               what would run, before anything runs
dvc repro                  run it
"""

from __future__ import annotations

import gc
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from xstilts import __version__
from xstilts.core import flow
from xstilts.core.errors import UserError

HELP = """Run, check and extend studies of intermediate-task training.

\b
xstilts study use demo     compile studies/demo.yaml for DVC
xstilts plan               what would run, and what it costs, before anything runs
dvc repro                  run it
xstilts scores             its table; `xstilts where` says where the rest is
"""
app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
study_app = typer.Typer(help="Choose the study.", no_args_is_help=True)
track_app = typer.Typer(help="Keep the MLflow store complete.", no_args_is_help=True)
app.add_typer(study_app, name="study")
app.add_typer(track_app, name="track")

Key = Annotated[str, typer.Argument(help="A run: KEY of the study in use, or STUDY/KEY.")]
Study = Annotated[str | None, typer.Argument(help="A compiled study; else the one in use.")]
ANYWHERE = ("version", "protocol", "score", "export")  # verbs that need no project
PURPOSE = {
    "fetch": "Bring the raw files of a pinned data set.",
    "prepare": "Turn a task's raw rows into the schema of its kind; statistics and leak check.",
    "check": "Refuse training rows that are evaluation rows, unless the study says why.",
    "subsample": "Make the nested, seeded subsets of a task's training rows.",
    "pretrain": "Phase i: import a pinned checkpoint, or train a small one from scratch.",
    "intermediate": "Phase ii: train on one intermediate task.",
    "transfer": "Phase iii: fine-tune on every target, score zero-shot in every language.",
    "aggregate": "Join all scores; intervals, deltas, slopes.",
    "report": "Write the page, figures, tables and the verdict on each claim.",
}


def _add_stage(word: str) -> None:
    """A verb per stage: `xstilts <word> KEY`, or without a key where a study has one run of it."""

    def single(study: Study = None) -> None:
        _run_stage(word, study)

    def keyed(key: Key) -> None:
        _run_stage(word, key)

    app.command(word, help=PURPOSE[word])(single if word in flow.SINGLE else keyed)


def _run_stage(word: str, key: str | None) -> None:
    from xstilts.core import determinism, machine

    determinism.prepare(machine.load_machine())  # before anything imports numpy or torch
    from xstilts.pipeline import run_stage

    run_stage(word, key)


for _word in flow.WORDS:
    _add_stage(_word)


@app.command("code")
def write_code() -> None:
    """Hash the code of each stage into code/, so that an edit reruns what it changes."""
    from xstilts.records.code import write

    typer.echo(f"code/: {write()} files")


@study_app.command("use")
def study_use(
    name: Annotated[
        str | None, typer.Argument(help="A file of studies/, without .yaml; else the one in use.")
    ] = None,
) -> None:
    """Compile a study for `dvc repro`: params.yaml, design.json and design/."""
    from xstilts.commands.use import use

    use(name)


@study_app.command("list")
def study_list() -> None:
    """The studies at hand, the one in use marked."""
    from xstilts.commands.use import show_studies

    show_studies()


@app.command()
def plan(
    flops: Annotated[
        float | None, typer.Option(help="Sustained FLOP/s of one GPU, for the estimated hours.")
    ] = None,
    seed_sd: Annotated[
        float | None, typer.Option(help="Points between seeds, for the smallest gain.", min=0.0)
    ] = None,
) -> None:
    """Print runs and cells, what is done, what would run, its cost, and what it could tell."""
    from xstilts.commands.plan import show_plan

    show_plan(flops, seed_sd)


@app.command()
def repro(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Only these, such as none-s1, and what they read.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Stages at a time.")] = 1,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Make what is not here only where a stage that runs reads it."
        ),
    ] = False,
) -> None:
    """Run what `dvc repro` would run, several stages at a time, and record it in dvc.lock."""
    from xstilts.commands.forked import Forks
    from xstilts.commands.repro import show_repro

    show_repro(jobs, Forks(main, "xstilts.warm"), stages or (), allow_missing)


@app.command()
def submit(
    engine: Annotated[str, typer.Option(help="slurm, or hq: HyperQueue.")] = "slurm",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what it would submit, and submit nothing.")
    ] = False,
) -> None:
    """Hand what is missing of the study in use to a cluster's scheduler (docs/cluster.md)."""
    from xstilts.commands.submit.show import show_submit

    show_submit(engine, dry_run)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what of a submitted study is done, runs, waits or failed, and where its logs are."""
    from xstilts.commands.submit.status import show_status

    show_status(as_json)


@app.command()
def record(
    of: Annotated[str | None, typer.Option(hidden=True, help="Its last job calls this.")] = None,
) -> None:
    """Write what a submission's jobs have done into dvc.lock; its last job does so by itself."""
    from xstilts.commands.submit.record import show_record

    show_record(of)


@app.command("job", hidden=True)
def run_job(submission: str, array: str, number: int) -> None:
    """Run one job of a submission; schedulers call this."""
    from xstilts.commands.submit.job import run_job

    raise typer.Exit(run_job(submission, array, number))


@app.command()
def pin(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tasks or models; all of the study in use.")
    ] = None,
) -> None:
    """Resolve and record the commits and sha256 that no verified source gives: pins.yaml."""
    from xstilts.commands.pin import pin_all

    pin_all(names or [])


@app.command()
def score(
    task: Annotated[str, typer.Option(help="A task of the benchmarks, e.g. mlqa.")],
    language: Annotated[str, typer.Option(help="Language of the rows, e.g. zh.")],
    predictions: Annotated[Path, typer.Option(help="File in the official format.")],
    references: Annotated[Path, typer.Option(help="File in the official format.")],
    protocol: Annotated[str, typer.Option(help="xtreme, xtreme-r or x-stilts.")] = "xtreme",
    seqeval: Annotated[
        str, typer.Option(help="Whose F1 of tags: 0.0.12 (published) or 1.2.2.")
    ] = "0.0.12",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score anyone's predictions as the official scripts do; prints value, n and a signature."""
    from xstilts.benchmarks.score_files import show_score

    show_score(task, language, predictions, references, protocol, seqeval, as_json)


@app.command()
def protocol(
    name: Annotated[
        str | None, typer.Argument(help="xtreme, xtreme-r or x-stilts; none: list them.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="One of its tasks, e.g. xnli.")] = None,
    study: Annotated[
        str | None, typer.Option(help="Compare this study; else the one in use, if it follows it.")
    ] = None,
) -> None:
    """Say what a published protocol does, line by line of its scripts, and where we differ."""
    from xstilts.commands.protocol import show_protocol

    show_protocol(name, task, study)


@app.command()
def verify(
    reference: Annotated[
        str, typer.Argument(help="A git revision, or a folder with a finished study.")
    ] = "HEAD",
    study: Annotated[
        str | None,
        typer.Option(help="Another study of the reference: whether it concludes the same."),
    ] = None,
) -> None:
    """Compare the finished study with a committed one, or another study; the exit code tells."""
    from xstilts.commands.verify import show

    show.show_second_look(reference, study) if study else show.show_verdict(reference)


@app.command()
def doctor() -> None:
    """Look at the machine, the versions, the disk and every place that the study needs."""
    from xstilts.commands.doctor.show import show_findings

    show_findings()


@app.command()
def scores(
    study: Annotated[
        str | None, typer.Option(help="A compiled study; else the one in use.")
    ] = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print it for a paper (booktabs).")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, unrounded.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it for a README.")] = False,
) -> None:
    """Print the result table of a study."""
    from xstilts.commands.scores import show_scores

    asked = {"latex": latex, "csv": as_csv, "markdown": markdown}
    show_scores(study, [form for form, wanted in asked.items() if wanted])


@app.command()
def claims(
    study: Annotated[
        str | None, typer.Option(help="A compiled study; else the one in use.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it for a README.")] = False,
) -> None:
    """Answer the claims of claims.yaml from the study's rows: reproduced, or not, or undecided."""
    from xstilts.commands.claims import show_claims

    show_claims(study, as_json, markdown)


@app.command()
def show(
    run: Annotated[
        list[str] | None,
        typer.Argument(help="none-s1, STUDY/KEY, or STAGE@KEY of another stage; none: list all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a run was, its scores, inputs and files, and when and where it was made."""
    from xstilts.commands.show.run import show as show_run

    show_run(run or [], as_json)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="Its folder, of models/ or results/predictions/.")],
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
) -> None:
    """Write a study's model as plain transformers loads it, with the whole vocabulary."""
    from xstilts.evaluation.export import show_export

    show_export(model, folder)


@app.command()
def where() -> None:
    """Say where the report of the study in use is, and how to see its runs."""
    from xstilts.commands.view import show_places

    show_places()


@app.command()
def ui(
    port: Annotated[
        int, typer.Option(help="Loopback port of the server.", min=1, max=65535)
    ] = 5000,
) -> None:
    """Open the MLflow UI: print the address of the study's runs, serve until Ctrl-C."""
    from xstilts.commands.view import serve

    serve(port)


@track_app.command("sync")
def track_sync() -> None:
    """Make the MLflow runs that the store lacks, from the records of finished stages."""
    from xstilts.core import design
    from xstilts.records import tracking

    typer.echo(f"runs added: {tracking.sync(design.in_use().study)}")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _see_that_here_is_a_project(words: list[str]) -> None:
    """All paths are from a project's root: elsewhere a verb would miss, or write, its files."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb in (None, *ANYWHERE) or "--help" in words or _is_project(Path()):
        return
    here = Path.cwd()
    root = next((folder for folder in here.parents if _is_project(folder)), None)
    where = root or "the folder of a project, which has dvc.yaml and studies/"
    raise UserError(f"there is no project in {here}. Mend: cd {where}")


def _is_project(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("dvc.yaml", "params.yaml", "studies"))


def _write_any_text(words: list[str]) -> None:
    """Let no encoding of a terminal or pipe end a table: Δ and ± are in most of them.

    What it lacks becomes `?` for people; what another program reads is UTF-8 wherever it goes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        read = not {"--csv", "--json", "--latex", "--markdown"}.isdisjoint(words)
        sys.stdout.reconfigure(encoding="utf-8" if read else None, errors="replace")


def main() -> None:
    """Entry point: people's mistakes are one line and exit code 2."""
    gc.disable()  # imports make no garbage, and looking for it costs a second; stages turn it on
    _write_any_text(sys.argv[1:])
    try:
        _see_that_here_is_a_project(sys.argv[1:])
        app()
    except UserError as error:
        from xstilts.training.launch import tell

        tell(str(error))
        sys.exit(2)
