"""`xstilts plan` counts cells and what would run; `study use` writes params.yaml whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import params, plan, stages
from xstilts.errors import UserError
from xstilts.params import Params


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, new_study: object) -> Params:
    """The small study."""
    from xstilts.compiler import compile_study
    from xstilts.study import Study

    assert callable(new_study)
    return Params.model_validate(compile_study(Study.model_validate(new_study()), "small"))


def every_stage(loaded: Params) -> list[str]:
    return [plan.stage_name(loaded, w, k) for w in stages.WORDS for k in plan.keys(loaded, w)]


def test_cells_are_runs_times_targets_times_languages(loaded: Params) -> None:
    """3 runs (none, 10 rows, 40 rows) x (paraphrase in 5 languages + bitext in 4)."""
    assert plan.cells(loaded) == 3 * (5 + 4)


def test_what_changed_runs_with_all_that_reads_from_it(loaded: Params) -> None:
    """The numbers that a person decides on, before hours of GPU time."""
    assert plan.to_run(loaded, set()) == set()
    assert plan.to_run(loaded, {"report"}) == {"report"}
    one = "world_qa-qaa-40-s1"
    assert plan.to_run(loaded, {f"intermediate@{one}"}) == {
        *(f"intermediate@{one}", f"transfer@{one}", "aggregate", "report")
    }
    assert plan.to_run(loaded, {"fetch@world--facts"}) == set(every_stage(loaded))
    untouched = {"fetch@world--facts", "prepare@text-world_text", "prepare@world_qa", "pretrain"}
    after = plan.to_run(loaded, {"prepare@world_paraphrase"})
    assert not untouched & after
    assert {name for name in every_stage(loaded) if name.startswith("transfer")} <= after


@given(st.data())
def test_what_would_run_is_closed_and_minimal(loaded: Params, data: st.DataObject) -> None:
    """A stage runs if and only if it changed or one that it reads from runs."""
    changed = data.draw(st.sets(st.sampled_from(every_stage(loaded))))
    pending = plan.to_run(loaded, changed)
    for word in stages.WORDS:
        for key in plan.keys(loaded, word):
            name = plan.stage_name(loaded, word, key)
            reads = set(plan.needs(loaded, word, key))
            assert (name in pending) == (name in changed or bool(reads & pending))


def test_using_a_study_replaces_params_whole(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how much work it is."""
    Path("params.yaml").unlink()
    plan.use("small")
    assert params.load().study == "small"
    assert Path("params.yaml").read_text().startswith("# Compiled from studies/small.yaml by ")
    assert "3 runs, 27 cells" in " ".join(capsys.readouterr().out.split())


def test_a_study_that_does_not_compile_leaves_params_as_they_were(project: Path) -> None:
    """The study in use goes on; nothing half-written is left."""
    before = Path("params.yaml").read_bytes()
    study = Path("studies/small.yaml")
    study.write_text(study.read_text().replace("world_bitext", "world_nothing"))
    with pytest.raises(UserError, match="world_nothing"):
        plan.use("small")
    assert Path("params.yaml").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"dvc.yaml", "params.yaml", "studies"}


def test_studies_are_listed_with_the_one_in_use_marked(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of several params.yaml could have come from."""
    other = Path("studies/small.yaml").read_text().replace("study: small", "study: another")
    Path("studies/another.yaml").write_text(other)
    plan.show_studies()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["another", "A", "small", "study"] in lines
    assert ["*", "small", "A", "small", "study"] in lines


def test_the_plan_counts_what_is_done(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader sees at once that two of three runs are left."""
    monkeypatch.setattr(plan, "changed_stages", lambda: {"intermediate@world_qa-qaa-40-s1"})
    monkeypatch.setenv("COLUMNS", "150")
    plan.show_plan()
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert rows["transfer"] == ["transfer", "3", "2", "1"]
    assert rows["fetch"] == ["fetch", "1", "1", "0"]
    assert rows["world_qa-qaa-40-s1"][-4:] == ["to", "run", "to", "run"]
    assert rows["none-s1"][-2:] == ["-", "done"]
    assert "27 cells (run x target x language): 18 done, 9 to run" in " ".join(out.split())
