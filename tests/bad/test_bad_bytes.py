"""Bad bytes, each through the command line: one line with file, row and mend; exit code 2; nothing
lost and nothing half-written; and the next good run succeeds. The table of them is printed with -s.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bad_cases as cases
import designs
import projects
import pytest
from bad_cases import Case, Source
from fake_hub import Hub

from xstilts import cli as command_line
from xstilts.core import design, files
from xstilts.sources import hub as hub_source

MNLI = {"mnli": ["train"]}
Run = Callable[[str], tuple[int, str]]
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all cases after the last one."""
    yield
    cases.show_table()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """run("verb key"): the command line in this process; exit code and stderr."""
    monkeypatch.setenv("XSTILTS_TRACKING", "off")

    def go(command: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["xstilts", *command.split()])
        capfd.readouterr()
        try:
            command_line.main()
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
        return code, capfd.readouterr().err

    return go


def listing() -> dict[str, bytes]:
    """Every file of the project with its content, and hidden folders, where drafts are made.

    But for features, which may be kept for the next run by one that fails later.
    """
    kept = Path(".state/features")
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in Path().rglob("*")
        if (path.is_file() or path.name.startswith("."))
        and path != kept.parent
        and kept not in path.parents
    }


def only_line(code: int, stderr: str, says: str) -> str:
    """The one message of a refusal; lines of progress may come before it."""
    assert code == 2, stderr
    told = [line for line in stderr.splitlines() if line.startswith("xstilts: ")]
    assert len(told) == 1, stderr
    assert stderr.splitlines()[-1] == told[0]
    assert " Mend: " in told[0]
    assert says in told[0].split(" Mend: ")[0], told[0]
    assert "Traceback" not in stderr
    return told[0].removeprefix("xstilts: ")


def restore(before: dict[str, bytes]) -> None:
    """Put back what was spoiled or lost."""
    for name in listing():
        if name not in before and Path(name).is_file():
            Path(name).unlink()
    for name, content in before.items():
        if not Path(name).is_dir():
            Path(name).write_bytes(content)


def see_through(case: Case, run: Run) -> None:
    """Spoil, be refused, lose nothing, mend, succeed."""
    before = listing()
    case.spoil()
    spoilt = listing()
    message = only_line(*run(case.command), case.says)
    assert listing() == spoilt, "something was lost, or left half-written"
    restore(before)
    code, said = run(case.command)
    assert code == 0, said
    assert not list(Path().rglob(".*.tmp")) + list(Path().rglob(".*.lock"))
    cases.TABLE.append((case.name, message, f"file restored: `{case.command}` succeeds"))


@pytest.mark.parametrize("case", [*cases.WRITTEN, *cases.KEPT], ids=lambda case: case.name)
def test_bad_files_of_a_project(case: Case, prepared: Path, run: Run) -> None:
    """What a person wrote, and rows that changed on this disk."""
    see_through(case, run)


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory, _fetched: Path) -> Path:
    """A project with a pretrained model and a subset to train on."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    shutil.copytree(_fetched, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        loaded = design.load()
        for word, key in (("subsample", "world_qa-qaa-s1"), ("pretrain", "small")):
            projects.run_stage(loaded, word, key)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    folder = tmp_path / "project"
    shutil.copytree(trained_once, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("case", cases.TRAINED, ids=lambda case: case.name)
def test_bad_checkpoints_and_losses(case: Case, trained: Path, run: Run) -> None:
    """Weights that are broken or of another model, and a training that diverges."""
    see_through(case, run)


def test_a_collapsed_run_is_flagged_and_no_error(trained: Path, run: Run) -> None:
    """A model that gives one class for everything is a result (STILTs, section 4), told as such."""
    flat = {"targets__world_classes__training__learning_rate": 1e-30}
    designs.put(flat)()
    code, said = run("transfer none-s1")
    assert code == 0, said
    rows = files.read_json(Path("results/transfer/small/none-s1/scores.json"))["rows"]
    found = {row["collapsed"] for row in rows if row["target"] == "world_classes"}
    assert found == {True}
    cases.TABLE.append(
        ("collapsed run", "no error: `collapsed: true` in scores.json", "counted, marked †")
    )


@pytest.mark.parametrize("case", cases.SOURCES, ids=lambda case: case.name)
def test_bad_rows_at_the_source(case: Source, project: Path, run: Run) -> None:
    """Truncated, undecodable and invalid rows of a mirror, in each format."""
    cases.fetching(source="mirror:there", configs=MNLI)
    cases.lay_out(case.ending, case.content)
    commands = {"fetch": f"fetch {cases.DATASET}", "prepare": "prepare mnli"}
    if case.verb == "prepare":
        assert run(commands["fetch"])[0] == 0
    before = listing()
    message = only_line(*run(commands[case.verb]), f"train.{case.ending} {case.says}")
    assert listing() == before
    cases.lay_out(case.ending, cases.FORMATS[case.ending](cases.GOOD))
    assert run(commands["fetch"])[0] == 0
    if case.ending != "tsv":  # whose labels are text, which MNLI's are not
        assert run(commands["prepare"])[0] == 0
        table = files.read_parquet(Path("data/prepare/small/training/mnli/en.train.parquet"))
        assert table["text_b"].to_pylist() == ["They did 0.", "They did 1."]
    cases.TABLE.append(
        (case.name, message, "source mended: fetch and prepare succeed, all rows there")
    )


def test_a_card_that_is_not_utf8(project: Path, run: Run) -> None:
    """The card says which files make a split; nothing can be guessed."""
    cases.fetching(source="mirror:there", configs=MNLI)
    cases.lay_out("jsonl", cases.lines(cases.GOOD))
    card = Path("there/datasets/nyu-mll/glue/README.md")
    see_through(
        Case(
            "data set card not UTF-8",
            cases.change(card, cases.not_utf8),
            f"fetch {cases.DATASET}",
            "README.md is no UTF-8",
        ),
        run,
    )


CARD = (
    b"---\nconfigs:\n- config_name: mnli\n  data_files:\n  - {split: train, path: t.jsonl}\n---\n"
)
CONTENT = cases.lines(cases.GOOD * 40)
MENDS = {
    "404": "Mend: see that name and pin are right",
    "429": "Mend: the server asks for patience",
    "500": "Mend: the server fails; run it again later",
}
HUB_SAYS = {
    **dict.fromkeys(MENDS, "could not be read"),
    "stops": "could not be read",
    "short": "could not be read",
    "other": "t.jsonl arrived damaged",
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    repositories = {"datasets/nyu-mll/glue": {"README.md": CARD, "t.jsonl": CONTENT}}
    with Hub(repositories, {"/t.jsonl": CONTENT}) as made:
        yield made


@pytest.mark.parametrize("fault", [one for one in HUB_SAYS if one != "short"])
def test_a_hub_that_fails(fault: str, project: Path, hub: Hub, cli: Cli) -> None:
    """By status, in the middle of a body, or with other bytes than it promised."""
    cases.fetching(source="hub", configs=MNLI)
    hub.fault = fault
    before = listing()
    place = {"HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1"}
    done = cli("fetch", cases.DATASET, **place)
    message = only_line(done.returncode, done.stderr, HUB_SAYS[fault])
    assert "nyu-mll/glue" in message
    assert MENDS.get(fault, "Mend: ") in message
    assert listing() == before
    hub.fault = None
    assert cli("fetch", cases.DATASET, **place).returncode == 0
    assert Path(f"data/fetch/small/{cases.DATASET}/t.jsonl").read_bytes() == CONTENT
    cases.TABLE.append((f"hub: {fault}", message, "hub well again: fetch succeeds, bytes as told"))


@pytest.mark.parametrize("fault", HUB_SAYS)
def test_a_plain_address_that_fails(
    fault: str, project: Path, hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the hub; what is other than pinned is told apart from what was cut short."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub_source, "PAUSE", 0.0)
    urls = {f"{hub.address}/t.jsonl": hashlib.sha256(CONTENT).hexdigest()}
    cases.fetching(source="hub", urls=urls)
    hub.fault = fault
    before = listing()
    says = "differs from the task's pin" if fault == "other" else HUB_SAYS[fault]
    message = only_line(*run(f"fetch {cases.DATASET}"), says)
    assert f"{hub.address}/t.jsonl" in message
    assert MENDS.get(fault, "Mend: ") in message
    assert len(hub.asked) == (1 if fault in ("404", "other") else hub_source.TRIES)
    assert listing() == before
    hub.fault = None
    assert run(f"fetch {cases.DATASET}")[0] == 0
    assert next(Path("data/fetch").rglob("t.jsonl")).read_bytes() == CONTENT
    cases.TABLE.append((f"address: {fault}", message, "server well again: fetch succeeds"))
