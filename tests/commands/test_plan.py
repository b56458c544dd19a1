"""`xstilts plan` counts cells and what would run; `study use` writes params.yaml whole."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from xstilts.commands import graph, plan, use
from xstilts.core import design, flow
from xstilts.core.errors import UserError
from xstilts.core.params import Params

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, new_study: object) -> Params:
    """The small study."""
    from xstilts.study.compiler import compile_study
    from xstilts.study.schema import Study

    assert callable(new_study)
    return Params.model_validate(compile_study(Study.model_validate(new_study()), "small"))


def test_cells_are_runs_times_targets_times_languages(loaded: Params) -> None:
    """3 runs (none, 10 rows, 40 rows) x (paraphrase in 5 languages + bitext in 4)."""
    assert graph.cells(loaded) == 3 * (5 + 4)


def test_what_changed_runs_with_all_that_reads_from_it(loaded: Params) -> None:
    """The numbers that a person decides on, before hours of GPU time."""
    assert graph.to_run(loaded, set()) == set()
    assert graph.to_run(loaded, {"report"}) == {"report"}
    one = "world_qa-qaa-40-s1"
    assert graph.to_run(loaded, {f"intermediate@{one}"}) == {
        *(f"intermediate@{one}", f"transfer@{one}", "aggregate", "report")
    }
    assert graph.to_run(loaded, {"fetch@world--facts"}) == set(graph.every_stage(loaded))
    untouched = {"fetch@world--facts", "prepare@text-world_text", "prepare@world_qa", "pretrain"}
    assert graph.to_run(loaded, {"check"}) == {
        name
        for name in graph.every_stage(loaded)
        if name.startswith(("check", "intermediate", "transfer", "aggregate", "report"))
    }
    after = graph.to_run(loaded, {"prepare@world_paraphrase"})
    assert not untouched & after
    assert {name for name in graph.every_stage(loaded) if name.startswith("transfer")} <= after


@given(st.data())
def test_what_would_run_is_closed_and_minimal(loaded: Params, data: st.DataObject) -> None:
    """A stage runs if and only if it changed or one that it reads from runs."""
    changed = data.draw(st.sets(st.sampled_from(graph.every_stage(loaded))))
    pending = graph.to_run(loaded, changed)
    for word in flow.WORDS:
        for key in graph.keys(loaded, word):
            name = graph.stage_name(loaded, word, key)
            reads = set(graph.needs(loaded, word, key))
            assert (name in pending) == (name in changed or bool(reads & pending))


def test_using_a_study_replaces_params_whole(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how much work it is."""
    Path("params.yaml").unlink()
    use.use("small")
    assert design.load().study == "small"
    assert Path("params.yaml").read_text().startswith("# Compiled from studies/small.yaml by ")
    assert "3 runs, 27 cells" in " ".join(capsys.readouterr().out.split())


def test_a_study_that_does_not_compile_leaves_params_as_they_were(project: Path) -> None:
    """The study in use goes on; nothing half-written is left."""
    before = Path("params.yaml").read_bytes()
    study = Path("studies/small.yaml")
    study.write_text(study.read_text().replace("world_bitext", "world_nothing"))
    with pytest.raises(UserError, match="world_nothing"):
        use.use("small")
    assert Path("params.yaml").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"dvc.yaml", "params.yaml", "studies"}


def test_studies_are_listed_with_the_one_in_use_marked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of several params.yaml could have come from."""
    other = Path("studies/small.yaml").read_text().replace("study: small", "study: another")
    Path("studies/another.yaml").write_text(other)
    use.show_studies()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["another", "A", "small", "study"] in lines
    assert ["*", "small", "A", "small", "study"] in lines


def test_the_plan_counts_what_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader sees at once that two of three runs are left."""
    monkeypatch.setattr(graph, "changed_stages", lambda: {"intermediate@world_qa-qaa-40-s1"})
    locked(project, "small")
    out = printed(monkeypatch, capsys)
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["transfer"][:4] == ["transfer", "3", "2", "1"]
    assert rows["fetch"] == ["fetch", "1", "1", "0", "-"]
    assert rows["world_qa-qaa-40-s1"][1:4] == ["single", "40", "1"]
    assert rows["world_qa-qaa-40-s1"][-4:] == ["to", "run", "to", "run"]
    assert rows["none-s1"][-2:] == ["-", "done"]
    assert "27 cells (run x target x language): 18 done, 9 to run" in out
    assert "Every stage can start" in out


def locked(folder: Path, study: str) -> None:
    """A dvc.lock in which one stage of a study was run."""
    stage = {"cmd": "xstilts pretrain", "params": {"params.yaml": {"study": study}}}
    content = {"schema": "2.0", "stages": {"pretrain": stage}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(content))


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: float
) -> str:
    """What `xstilts plan` prints on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "180")
    capsys.readouterr()
    plan.show_plan(*arguments)
    return capsys.readouterr().out


def test_dvc_is_not_asked_where_the_study_was_never_run(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs half a minute to say that a thousand stages are to run."""

    def asked() -> set[str]:
        raise AssertionError("dvc status was asked")

    monkeypatch.setattr(graph, "changed_stages", asked)
    for study in (None, "another"):
        if study:
            locked(project, study)
        assert "0 done, 27 to run" in printed(monkeypatch, capsys)
    locked(project, "small")
    with pytest.raises(AssertionError, match="was asked"):
        plan.show_plan()
    Path("dvc.lock").write_text("stages: [")
    with pytest.raises(UserError, match=r"dvc.lock is no valid YAML .*Mend: take it from git"):
        plan.show_plan()


@pytest.mark.parametrize("name", sorted(path.stem for path in STUDIES.glob("*.yaml")))
def test_every_study_has_a_plan(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours, disk and what is missing, for hundreds of runs on a page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XSTILTS_CCG", raising=False)
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path / "nowhere"))
    shutil.copytree(STUDIES, "studies")
    shutil.copy(STUDIES.parent / "pins.yaml", "pins.yaml")
    use.use(name)
    out = printed(monkeypatch, capsys, 1e14)
    loaded = design.load()
    assert len(out.splitlines()) < 120
    assert f"{len(loaded.transfer)} runs, {graph.cells(loaded)} cells" in out
    assert "1e+14 FLOP/s" in out
    assert "as given by --flops" in out
    assert re.search(r"Estimated disk [\d.,]+ [TGM]B: encoders ", out)
    for target in loaded.targets:
        assert re.search(rf"^ *{target} ", out, re.M)
    expected = {
        "demo": "Every stage can start",
        "mirror": "there is no folder",
        "paper": "nine: ccg (intermediate.9): left out of the study: licensed",
        "scaling": "wikiann: unimelb-nlp/wikiann is not pinned. Mend: `xstilts pin wikiann`",
    }
    assert expected.get(name, "Estimated") in out


def test_many_runs_are_a_line_a_task_and_a_column_a_size(
    study: dict[str, Any],
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of 42 runs of one task and two sizes, one is done: 41 lines would hide it."""
    monkeypatch.chdir(tmp_path)
    study["intermediate"][0]["seeds"] = list(range(1, 22))
    save(study)
    use.use("small")
    locked(tmp_path, "small")
    every = set(graph.every_stage(design.load()))
    done = {"intermediate@world_qa-qaa-40-s1", "transfer@world_qa-qaa-40-s1"}
    monkeypatch.setattr(graph, "to_run", lambda *_: every - done)
    monkeypatch.setattr(graph, "changed_stages", set)
    lines = [line.split() for line in printed(monkeypatch, capsys).splitlines()]
    assert ["task", "method", "in", "variant", "10", "40", "rows", "hours"] in lines
    (row,) = [line for line in lines if line[:1] == ["world_qa"]]
    assert row[:6] == ["world_qa", "single", "qaa", "21", "20/21", "40"]
