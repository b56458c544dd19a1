"""params.yaml and machine.yaml are read strictly: what is not known is named, never ignored."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from xstilts.core import design, flow, machine, strict
from xstilts.core.errors import UserError
from xstilts.core.machine import Machine
from xstilts.core.params import Params, Training

BUDGET = {"batch": 8, "learning_rate": 1e-3}


def refusal(call: Any) -> str:
    """The message of a refusal: one line that says what to do."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert "Mend: " in message
    return message


def test_a_key_that_is_unknown_or_missing_at_any_depth_is_named(project: Path) -> None:
    """A misspelled key that is ignored is a study other than the one that was meant."""
    path = Path("design/small.json")
    whole = json.loads(path.read_text())
    required = {
        (): "study",
        ("pretrain",): "source",
        ("fetch", "world--nouns"): "dataset",
        ("targets", "world_bitext"): "rows",
        ("intermediate", "world_qa-qaa-10-s1", "training"): "batch",
        ("transfer", "none-s1"): "checkpoint",
    }
    for section, needed in required.items():
        for name in ("nonsense", needed):
            value = copy.deepcopy(whole)
            place = value
            for part in section:
                place = place[part]
            if name == needed:
                place.pop(name)
            else:
                place[name] = 1
            path.write_text(json.dumps(value))
            message = refusal(design.load)
            assert message.startswith(f"{path}: " + ".".join((*section, name)) + ": ")
            assert "xstilts study use" in message


def test_each_stage_has_a_section_and_specs_can_not_be_changed(project: Path) -> None:
    """A stage that changed its spec would record other params than it was given."""
    loaded = design.load()
    for word in flow.WORDS:
        section = getattr(loaded, word)
        spec = section if word in flow.SINGLE else next(iter(section.values()))
        with pytest.raises(ValueError, match="frozen"):
            setattr(spec, next(iter(type(spec).model_fields)), None)


def test_params_survive_being_written_and_read(project: Path) -> None:
    """What DVC templates with and what stages read is one thing."""
    loaded = design.load()
    again = json.loads(json.dumps(loaded.model_dump()))
    assert Params.model_validate(again) == loaded
    whole = json.loads(Path("design/small.json").read_text())
    assert again == {name: value for name, value in whole.items() if name != design.FROM}
    assert list(again["targets"]) == list(whole["targets"]), "tables follow the study's order"


def test_a_run_reads_its_own_params_and_no_others(project: Path) -> None:
    """What a stage reads and DVC does not watch would make stale results pass as fresh."""
    whole = design.load()
    for word in flow.WORDS:
        section = getattr(whole, word)
        for key in ["small"] if word in flow.SINGLE else section:
            found = design.load_run(word, "small", key)
            own = getattr(found, word)
            assert own == section if word in flow.SINGLE else own == {key: section[key]}
            more = set(design.READS.get(word, ())) | ({"targets"} if word == "transfer" else set())
            assert found.model_fields_set - {"study", "left_out"} <= {word} | more
            for name in more:
                assert getattr(found, name) == getattr(whole, name)
    message = refusal(lambda: design.load_run("transfer", "small", "none-s2"))
    assert "none-s1" in message, "the keys that there are"


def test_a_design_is_refused_when_what_it_comes_from_changed(project: Path) -> None:
    """An edit that is not compiled would be believed to have been run."""
    sources = {
        "params.yaml": "settings: {training: {batch: 4}}\nstudy: small\n",
        "studies/small.yaml": Path("studies/small.yaml").read_text().replace("A small", "A"),
        "pins.yaml": "datasets: {}\n",
    }
    for name, text in sources.items():
        path = Path(name)
        before = path.read_text() if path.exists() else None
        path.write_text(text)
        assert "Mend: `xstilts study use small`" in refusal(design.load)
        assert "say now" in refusal(lambda: design.load_run("fetch", "small", "world--nouns"))
        path.unlink()
        if before is not None:
            path.write_text("# a comment changes nothing\n" + before)
            design.load()


@pytest.mark.parametrize("budget", [{}, {"epochs": 1, "steps": 1}, {"epochs": 0}, {"steps": -1}])
def test_a_training_has_one_budget(budget: dict[str, float]) -> None:
    """Rows against steps is a question of the study: it must not be answered by an accident."""
    assert "training: " in refusal(lambda: strict.parse(Training, BUDGET | budget, "training", "m"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("warmup", 1.0), ("dropout", 1.0), ("batch", 0), ("precision", "fp16"), ("select", "first")],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    """Each of them would train something, and say nothing."""
    given = {**BUDGET, "epochs": 1, name: value}
    message = refusal(lambda: strict.parse(Training, given, "here", "mend"))
    assert message.startswith(f"here: {name}: ")


def test_a_broken_file_is_told_with_its_line(project: Path) -> None:
    """The reader is told where to look."""
    Path("params.yaml").write_text("study: x\nsettings: a: b\n")
    message = refusal(design.load)
    assert re.search(r"params.yaml is no valid YAML .*line 2", message)
    Path("params.yaml").write_bytes(b"study: \xff")
    assert "no valid YAML" in refusal(design.load)


def test_a_key_given_twice_is_refused(project: Path) -> None:
    """YAML readers keep the last one and say nothing; a study with two `targets` loses one."""
    path = Path("studies/small.yaml")
    path.write_text(path.read_text() + "title: Another\n")
    message = refusal(lambda: strict.load_yaml(path, "mend"))
    assert "'title'" in message
    assert "twice" in message


def test_a_file_of_another_form_is_refused(project: Path) -> None:
    """An empty file, a list, a text."""
    for text, says in (
        ("", "params.yaml is empty"),
        ("- 1", "params.yaml: "),
        ("text", "params.yaml: "),
    ):
        Path("params.yaml").write_text(text)
        assert refusal(design.load).startswith(says)


def test_the_machine_is_optional_and_strict(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware has defaults; a misspelled key must not fall back to one of them."""
    monkeypatch.delenv("XSTILTS_PROCESSES", raising=False)
    assert machine.load_machine() == Machine()
    monkeypatch.setenv("XSTILTS_PROCESSES", "4")
    assert machine.load_machine() == Machine(processes=4)
    Path("machine.yaml").write_text("zero: 3\n")
    assert machine.load_machine().zero == 3
    Path("machine.yaml").write_text("")
    assert machine.load_machine() == Machine()
    for text in ("gpus: 2", "zero: 4", "device: tpu", "processes: 0", "- 1"):
        Path("machine.yaml").write_text(text)
        assert refusal(machine.load_machine).startswith("machine.yaml: ")


def test_a_number_of_processes_that_is_none_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job template that leaves it empty must not end in a traceback on every node."""
    for value in ("two", "0", ""):
        monkeypatch.setenv("XSTILTS_PROCESSES", value)
        assert "XSTILTS_PROCESSES" in refusal(machine.load_machine)
