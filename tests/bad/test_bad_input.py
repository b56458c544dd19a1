"""Bad input through the real command line: exit code 2, one line with what to do, no half files.

Each case spoils one thing in a project folder and names the verb that must notice it.
"""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import designs
import pytest
import yaml

from xstilts.commands.use import use as use_study

Cli = Callable[..., subprocess.CompletedProcess[str]]
Spoil = Callable[[], None]
STUDY, PARAMS, MACHINE = Path("studies/small.yaml"), Path("params.yaml"), Path("machine.yaml")
KEPT = "study: small\nsettings: {training: {batch: 4}}\n"  # written by hand: not to be lost
CARD = """---
configs:
- config_name: mnli
  data_files:
  - split: train
    path: mnli/train-*
---
"""


def edit(path: Path, old: str, new: str) -> Spoil:
    """Replace text that is there."""

    def spoil() -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def write(path: Path, text: str) -> Spoil:
    """Write a file."""

    def spoil() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return spoil


def use(source: str, card: str | None = None) -> Spoil:
    """Compile a study of published data; with `card`, a mirror `there` that has only this."""

    def spoil() -> None:
        from_hub = {
            "data": {"source": source},
            "pretrain": {"hub": {"model": "org/name", "revision": "0" * 40}},
            "intermediate": [{"task": "mnli", "languages": ["en"], "sizes": [5], "seeds": [1]}],
            "targets": {"xnli": {"source_language": "en", "protocol": "xtreme"}},
        }
        study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
        STUDY.write_text(yaml.safe_dump(study | from_hub), encoding="utf-8")
        use_study("small")
        Path("there").mkdir()
        if card is not None:
            write(Path("there/datasets/nyu-mll/glue/README.md"), card)()

    return spoil


@dataclass
class Case:
    """What is spoiled, who notices, and what is said."""

    name: str
    spoil: Spoil
    command: str
    says: str
    environment: dict[str, str] = field(default_factory=dict)


GLUE = "fetch nyu-mll--glue"
HERE = {"XSTILTS_MIRROR": "there"}
CASES = [
    Case("unknown study", lambda: None, "study use nothing", "no study 'nothing'"),
    Case(
        "unknown task",
        edit(STUDY, "task: world_qa", "task: world_q"),
        "study use small",
        "studies/small.yaml: intermediate.0: unknown task 'world_q'",
    ),
    Case(
        "unknown language",
        edit(STUDY, "- qaa", "- xx"),
        "study use small",
        "intermediate.0.languages: world_qa has no language 'xx'",
    ),
    Case(
        "unknown key",
        edit(STUDY, "title:", "titel: x\ntitle:"),
        "study use small",
        "studies/small.yaml: titel: unknown key",
    ),
    Case(
        "key twice",
        edit(STUDY, "title:", "title: x\ntitle:"),
        "study use small",
        "studies/small.yaml is no valid YAML (the key 'title' occurs twice",
    ),
    Case(
        "broken YAML",
        edit(STUDY, "title:", "title: [x\ntitle:"),
        "study use small",
        "studies/small.yaml is no valid YAML",
    ),
    Case("empty study", write(STUDY, ""), "study use small", "studies/small.yaml: it is empty"),
    Case(
        "study that is a list",
        write(STUDY, "- 1"),
        "study use small",
        "studies/small.yaml: it is no mapping",
    ),
    Case(
        "broken YAML of another study",
        write(Path("studies/other.yaml"), "study: ["),
        "study list",
        "studies/other.yaml is no valid YAML",
    ),
    Case("no params", PARAMS.unlink, "fetch world--nouns", "params.yaml is missing"),
    Case(
        "unknown key in params",
        edit(PARAMS, "study: small", "study: small\nstuddy: x"),
        "fetch world--nouns",
        "params.yaml: studdy: unknown key",
    ),
    Case(
        "a study of that name is not there",
        edit(PARAMS, "study: small", "study: large"),
        "fetch world--nouns",
        "the study large is not compiled (design/large.json is missing)",
    ),
    Case(
        "settings that the study was not compiled with",
        edit(PARAMS, "settings: {}", "settings: {training: {batch: 4}}"),
        "fetch world--nouns",
        "design/small.json is not what params.yaml, studies/small.yaml and pins.yaml say now",
    ),
    Case(
        "a study that was edited and not compiled",
        edit(STUDY, "batch: 8", "batch: 4"),
        "fetch small/world--nouns",
        "design/small.json is not what params.yaml, studies/small.yaml and pins.yaml say now",
    ),
    Case(
        "a setting that no study has",
        edit(PARAMS, "settings: {}", "settings: {training: {batsch: 4}}"),
        "study use",
        "studies/small.yaml: training: batsch: unknown key",
    ),
    Case(
        "settings of the study that is left",
        edit(PARAMS, "settings: {}", "settings: {training: {batch: 4}}"),
        "study use other",
        "params.yaml holds settings of the study small, which would be lost",
    ),
    Case("params of another form", write(PARAMS, "- 1"), "study use", "params.yaml: "),
    *(
        Case(f"use over params.yaml {name}", write(PARAMS, text), "study use small", says)
        for name, text, says in (
            ("that is no YAML", "study: small\nsettings: {training: {batch: 4}", "no valid YAML"),
            ("with an unknown key", f"{KEPT}studdy: x\n", "params.yaml: studdy: unknown key"),
            ("in conflict", f"<<<<<<< HEAD\n{KEPT}=======\n>>>>>>> b\n", "no valid YAML"),
            ("of comments alone", "# settings: {training: {batch: 4}}\n", "params.yaml: "),
        )
    ),
    Case(
        "unknown stage key",
        lambda: None,
        "prepare world_bitex",
        "prepare of the study small has no key 'world_bitex'",
    ),
    Case("bad machine", write(MACHINE, "gpus: 2"), "pretrain", "machine.yaml: gpus: unknown key"),
    Case(
        "bad processes",
        lambda: None,
        "pretrain",
        "XSTILTS_PROCESSES: processes: ",
        {"XSTILTS_PROCESSES": "two"},
    ),
    Case("no scores", lambda: None, "scores", "results/aggregate/small"),
    Case("no runs", lambda: None, "aggregate", "runs without results: none-s1, world_qa-qaa-10"),
    Case("no aggregate", lambda: None, "report", "results/aggregate/small"),
    Case("no raw rows", lambda: None, "prepare world_qa", "manifest.json is missing"),
    Case(
        "no prepared rows", lambda: None, "subsample world_qa-qaa-s1", "qaa.train.parquet is miss"
    ),
    Case(
        "no such data set in the world",
        designs.put({"fetch__world--nouns__dataset": "world/fiction"}),
        "fetch world--nouns",
        "no data set 'world/fiction'",
    ),
    Case(
        "no mirror",
        use("mirror:nowhere"),
        GLUE,
        "data.source mirror:nowhere: there is no folder nowhere",
    ),
    Case(
        "mirror variable unset",
        use("mirror:$XSTILTS_MIRROR"),
        GLUE,
        "the variable XSTILTS_MIRROR is not set",
    ),
    Case(
        "data set not in mirror",
        use("mirror:$XSTILTS_MIRROR"),
        GLUE,
        "the mirror has no data set nyu-mll/glue",
        HERE,
    ),
    Case(
        "file not in mirror",
        use("mirror:$XSTILTS_MIRROR", CARD),
        GLUE,
        "lacks mnli/train-*",
        HERE,
    ),
    Case(
        "hub out of reach",
        use("hub"),
        GLUE,
        "the hub's data set nyu-mll/glue could not be read",
        {"HF_ENDPOINT": "http://127.0.0.1:9"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_one_line_and_leaves_nothing(
    case: Case, project: Path, refused: Callable[..., str]
) -> None:
    """In a project where nothing has run."""
    refused(case.spoil, case.command, case.says, **case.environment)


@pytest.mark.parametrize("text", ["", " \n", None])
def test_params_that_say_nothing_are_written_by_the_mend(
    text: str | None, project: Path, refused: Callable[..., str], cli: Cli
) -> None:
    """Nothing is lost by it; what was written by hand, only its writer can mend."""
    message = refused(PARAMS.unlink if text is None else write(PARAMS, text), "study use", "params")
    assert message.endswith("`xstilts study use NAME`")
    assert cli("study", "list").returncode == 0
    assert cli("study", "use", "small").returncode == 0
    assert yaml.safe_load(PARAMS.read_text()) == {"study": "small", "settings": {}}


def test_settings_with_nothing_behind_them_are_none(project: Path) -> None:
    """As a person leaves the line who has taken the last one out."""
    write(PARAMS, "study: small\nsettings:\n")()
    use_study(None)


def test_a_hub_out_of_reach_is_told_within_seconds(project: Path, cli: Cli) -> None:
    """An air-gapped cluster: minutes of retries would be paid for."""
    use("hub")()
    began = time.monotonic()
    for environment in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        done = cli(*GLUE.split(), **environment)
        assert done.returncode == 2
        assert "mirror:<dir>" in done.stderr
    assert time.monotonic() - began < 30


def test_a_mirror_whose_file_differs_from_its_manifest_is_refused(
    project: Path, refused: Callable[..., str]
) -> None:
    """A copy over a bad line: the bytes are not those that the mirror was made of."""
    use("mirror:$XSTILTS_MIRROR", CARD)()
    write(Path("there/datasets/nyu-mll/glue/mnli/train-0.parquet"), "other bytes")()
    names = [path.relative_to("there").as_posix() for path in Path("there").rglob("*.*")]
    hashes = {name: {"sha256": "0" * 64} for name in names if (Path("there") / name).is_file()}
    designs.put({"fetch__nyu-mll--glue__configs": {"mnli": ["train"]}})()
    spoil = write(Path("there/manifest.json"), json.dumps(hashes))
    refused(spoil, GLUE, "differs from", progress=True, **HERE)
    assert not Path("data/fetch/small/nyu-mll--glue").exists()
