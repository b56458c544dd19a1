"""The command line: each verb has a purpose, starts fast, and a person's mistake is exit code 2."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import conftest
import fake_study
import pytest
from typer.testing import CliRunner

from xstilts import __version__, cli, pipeline
from xstilts.core import design, flow
from xstilts.core.errors import UserError
from xstilts.core.progress import Observe
from xstilts.stages import aggregate
from xstilts.training import launch

Cli = Callable[..., subprocess.CompletedProcess[str]]
HEAVY = ("torch", "transformers", "deepspeed", "peft", "mlflow", "datasets", "matplotlib")
# What data stages may load: prepare reads the cards of data sets, report draws.
NEEDED = {"prepare": ["datasets"], "report": ["matplotlib"]}
WATCHED = f"""
import sys
from xstilts.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print("loaded:", [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def watched(*arguments: str, tracking: str = "off") -> subprocess.CompletedProcess[str]:
    """Run the command line and print which heavy packages it loaded."""
    return subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        env={**os.environ, "XSTILTS_TRACKING": tracking},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    """It is the first thing that anybody types; torch alone takes seconds."""
    done = watched("--help")
    assert done.returncode == 0, done.stderr
    verbs = [*flow.WORDS, "study", "plan", "pin", "scores", "score", "protocol", "verify"]
    verbs += ["doctor", "track"]
    named = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert set(verbs) <= named
    assert "loaded: []" in done.stderr


DATA_STAGES = {
    "fetch": "world--nouns",
    "prepare": "world_qa",
    "check": "small",
    "subsample": "world_qa-qaa-s1",
    "aggregate": "fake",
    "report": "fake",
}


def test_every_stage_that_trains_nothing_is_a_data_stage() -> None:
    """So that a new stage is looked at below."""
    assert set(DATA_STAGES) == set(flow.WORDS) - set(flow.TRAINED)


@pytest.mark.parametrize(("word", "key"), DATA_STAGES.items())
def test_data_stages_load_nothing_heavy(word: str, key: str, prepared: Path) -> None:
    """They run on login nodes and in small containers, one process a task."""
    if key == "fake":
        _transferred()
    done = watched(word, key)
    assert done.returncode == 0, done.stderr
    assert f"loaded: {NEEDED.get(word, [])}\n" in done.stderr


def _transferred() -> None:
    """A study in which all but the asked stage is done, in use."""
    params = fake_study.params()
    fake_study.write(params, examples=50)
    Path("params.yaml").write_text("study: fake\n")
    conftest.write_study({"study": "fake"})
    design.write(params.model_dump(mode="json"))
    aggregate.run(params, "fake", Observe(quiet=True))


def test_tracking_loads_no_torch(prepared: Path) -> None:
    """MLflow has flavours for torch and transformers, which a data stage has no use for."""
    done = watched("subsample", "world_qa-qaa-s1", tracking="on")
    assert done.returncode == 0, done.stderr
    assert "loaded: ['mlflow']\n" in done.stderr


@pytest.mark.parametrize("arguments", [("study", "list"), ("study", "use", "small")])
def test_verbs_for_people_load_nothing_heavy(arguments: tuple[str, ...], project: Path) -> None:
    """They are typed all day."""
    done = watched(*arguments)
    assert done.returncode == 0, done.stderr
    assert "loaded: []" in done.stderr


def test_the_version_is_that_of_the_package() -> None:
    """Asked for in every bug report."""
    assert CliRunner().invoke(cli.app, ["version"]).output.strip() == __version__


def test_sentences_and_paths_are_never_cut(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a log of 80 columns a path that is cut cannot be copied."""
    folder = project / "[a folder]" / ("x" * 90)
    shutil.copytree(project / "studies", folder / "studies")
    shutil.copy(project / "dvc.yaml", folder)
    monkeypatch.chdir(folder)
    used = cli("study", "use", "small", COLUMNS="80").stdout
    assert used.endswith("cells. Next: `xstilts plan`, then `dvc repro`.\n")
    assert used.count("\n") == 1
    assert (
        f"report      {folder}/report/small/index.html  (not made"
        in cli("where", COLUMNS="80").stdout
    )


def refuse(word: str, key: str | None = None) -> None:
    raise UserError("something is wrong. Mend: it")


@pytest.mark.parametrize(
    ("told", "shown"), [(False, "xstilts: something is wrong. Mend: it\n"), (True, "")]
)
def test_a_persons_mistake_is_one_line_and_exit_code_2(
    told: bool,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of many workers the first one that fails says it."""
    monkeypatch.setattr(pipeline, "run_stage", refuse)
    monkeypatch.setattr(sys, "argv", ["xstilts", "report"])
    monkeypatch.setenv(launch.MEETING, str(tmp_path / "store"))
    if told:
        (tmp_path / "store.told").touch()
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == shown


def test_a_bug_is_no_persons_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its traceback must be seen."""

    def broken(word: str, key: str | None = None) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "run_stage", broken)
    monkeypatch.setattr(sys, "argv", ["xstilts", "report"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("fetch",), ("report", "x", "y"), ("plan", "-x")]
)
def test_a_wrong_command_is_exit_code_2_and_told(arguments: tuple[str, ...], cli: Cli) -> None:
    """A typing error in a job script stops it."""
    done = cli(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Error" in done.stderr


@pytest.mark.parametrize("port", ["99999999", "-1", "0"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    """By the range of its option; the socket would say so by an OverflowError."""
    done = CliRunner().invoke(cli.app, ["ui", "--port", port])
    assert done.exit_code == 2
    assert "--port" in done.output


@pytest.mark.parametrize(
    ("place", "mend"), [("project/docs/deep", "{root}/project"), ("elsewhere", "the folder of a p")]
)
@pytest.mark.parametrize("verb", ["code", "plan", "study list"])
def test_outside_of_a_projects_root_nothing_is_read_or_written(
    verb: str,
    place: str,
    mend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`code` wrote a folder of 73 files in any place, others named files that are elsewhere."""
    (tmp_path / "project/studies").mkdir(parents=True)
    (tmp_path / "project/dvc.yaml").touch()
    (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / place)
    monkeypatch.setattr(sys, "argv", ["xstilts", *verb.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    said = f"xstilts: there is no project in {Path.cwd()}. Mend: cd {mend.format(root=tmp_path)}"
    assert capsys.readouterr().err.startswith(said)
    assert not list(Path().iterdir())


@pytest.mark.parametrize("words", [["version"], ["protocol"], ["plan", "--help"], ["--help"]])
def test_what_needs_no_project_is_answered_anywhere(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Help, and verbs on files of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["xstilts", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0


@pytest.mark.parametrize(
    ("words", "written"), [(["scores", "--markdown"], "Δ ±\n".encode()), (["scores"], b"? \xb1\n")]
)
def test_no_encoding_of_the_output_ends_a_table(
    words: list[str], written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latin-1 has no Δ: a person reads on, and a program is given UTF-8."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["xstilts", *words])
    monkeypatch.setattr(cli, "_see_that_here_is_a_project", lambda words: None)
    monkeypatch.setattr(cli, "app", lambda: print("Δ ±"))
    cli.main()
    out.flush()
    assert out.buffer.getvalue() == written  # type: ignore[attr-defined]
