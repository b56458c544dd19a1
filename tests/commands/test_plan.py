"""`xstilts plan` counts cells and what would run; `study use` writes params.yaml whole."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xstilts.commands import graph, plan, use
from xstilts.core import design
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


def test_what_changed_runs_with_all_that_reads_from_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The numbers that a person decides on, before hours of GPU time; DVC knows what follows."""
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    loaded = design.load()
    every = graph.every_stage(loaded)
    assert graph.pending(loaded) == every, "nothing has run"
    locked(project, "small")

    def after(*changed: str) -> set[str]:
        monkeypatch.setattr(graph, "_status", lambda repo: {name: [] for name in changed})
        return graph.pending(loaded)

    assert after() == set()
    assert after("report@small") == {"report@small"}
    one = "small/world_qa-qaa-40-s1"
    last = {"aggregate@small", "report@small"}
    assert after(f"intermediate@{one}") == {f"intermediate@{one}", f"transfer@{one}"} | last
    assert after("fetch@small/world--nouns") == every
    trained = {name for name in every if name.startswith(("intermediate", "transfer"))}
    assert after("check@small") == {"check@small"} | trained | last
    untouched = {"fetch@small/world--nouns", "prepare@small/text-world_text", "pretrain@small"}
    found = after("prepare@small/world_classes")
    assert not untouched & found
    assert {name for name in every if name.startswith("transfer")} <= found


def test_using_a_study_replaces_params_whole(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says how much work it is."""
    Path("params.yaml").unlink()
    use.use("small")
    assert design.load().study == "small"
    assert "`xstilts study use NAME` takes another study" in Path("params.yaml").read_text()
    assert "3 runs, 27 cells" in " ".join(capsys.readouterr().out.split())


def test_a_study_that_does_not_compile_leaves_params_as_they_were(project: Path) -> None:
    """The study in use goes on; nothing half-written is left."""
    before = Path("params.yaml").read_bytes()
    study = Path("studies/small.yaml")
    study.write_text(study.read_text().replace("world_bitext", "world_nothing"))
    with pytest.raises(UserError, match="world_nothing"):
        use.use("small")
    assert Path("params.yaml").read_bytes() == before
    names = {"dvc.yaml", "params.yaml", "design.json", "design", "studies"}
    assert {path.name for path in Path().iterdir()} == names


def test_what_the_encoder_has_seen_is_said_before_anything_runs(
    project: Path, on_hub: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """By `study use` and by `plan`, with the set and where that is said."""
    study = on_hub() | {"pretrain": {"encoder": "e5-small"}}
    study["targets"] = {"xquad": {"source_language": "en", "protocol": "xtreme"}}
    Path("studies/small.yaml").write_text(yaml.safe_dump(study))
    use.use("small")
    used = capsys.readouterr().out
    plan.show(design.load(), set())
    planned = capsys.readouterr().out
    for text in (used, planned):
        assert "Warning: what intfloat/multilingual-e5-small has seen before" in text
        assert "xquad (scored), the same rows: XQuAD validation (ar en es hi vi zh) [arXiv" in text
        assert "squad_v1 (fine-tuned on), the same rows: SQuAD 1.1 train" in text


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
    left = {f"{word}@small/world_qa-qaa-40-s1" for word in ("intermediate", "transfer")}
    monkeypatch.setattr(graph, "pending", lambda loaded: left)
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
    content = {"schema": "2.0", "stages": {f"pretrain@{study}": {"cmd": "xstilts pretrain"}}}
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

    def asked() -> None:
        raise AssertionError("dvc was asked")

    monkeypatch.setattr(graph, "linked", lambda: True)
    monkeypatch.setattr(graph, "_repo", asked)
    for study in (None, "another"):
        if study:
            locked(project, study)
        assert "0 done, 27 to run" in printed(monkeypatch, capsys)
    locked(project, "small")
    with pytest.raises(AssertionError, match="was asked"):
        plan.show_plan()


def test_a_project_that_dvc_cannot_read_is_one_line(project: Path) -> None:
    """A merge leaves its marks in dvc.lock; without `dvc init` there is no project."""
    locked(project, "small")
    with pytest.raises(UserError, match=r"`dvc status` failed: .*not inside of a DVC repository"):
        plan.show_plan()
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    Path("dvc.lock").write_text("@small: [")
    with pytest.raises(UserError, match=r"`dvc status` failed: .*dvc\.lock.*Mend: "):
        plan.show_plan()


@pytest.mark.parametrize(("name", "days"), [("real", True), ("paper", False)])
def test_hours_on_a_cpu_are_told_where_one_could_wait(
    name: str,
    days: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A study for two cores, and one that would take them years."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path / "nowhere"))
    shutil.copytree(STUDIES, "studies")
    for file in ("pins.yaml", "dvc.yaml"):
        shutil.copy(STUDIES.parent / file, file)
    use.use(name)
    assert ("CPU cores of this machine" in printed(monkeypatch, capsys, None)) == days


@pytest.mark.parametrize("name", sorted(path.stem for path in STUDIES.glob("*.yaml")))
def test_every_study_has_a_plan(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hours, disk and what is missing, for hundreds of runs on a page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XSTILTS_CCG", raising=False)
    monkeypatch.setenv("XSTILTS_MIRROR", str(tmp_path / "nowhere"))
    shutil.copytree(STUDIES, "studies")
    for file in ("pins.yaml", "dvc.yaml"):
        shutil.copy(STUDIES.parent / file, file)
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
        "scaling": "Every stage can start: all data is pinned or at hand.",
    }
    assert expected.get(name, "Estimated") in out
    unpinned = name in ("generation", "generation-mbart", "generation-nllb")
    assert ("not pinned" in out) == unpinned
    assert "no sha256" not in out
    if "udpos" in loaded.targets:
        assert "udpos: ud-treebanks-v2.5 in 33 languages" in out


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
    every = graph.every_stage(design.load())
    done = {f"{word}@small/world_qa-qaa-40-s1" for word in ("intermediate", "transfer")}
    monkeypatch.setattr(graph, "pending", lambda loaded: every - done)
    lines = [line.split() for line in printed(monkeypatch, capsys).splitlines()]
    assert ["task", "method", "in", "variant", "10", "40", "rows", "hours"] in lines
    (row,) = [line for line in lines if line[:1] == ["world_qa"]]
    assert row[:6] == ["world_qa", "single", "qaa", "21", "20/21", "40"]


@pytest.mark.parametrize(("kinds", "links"), [("hardlink,copy", True), ("copy", False)])
def test_copies_in_the_cache_take_room_where_dvc_makes_them(
    project: Path, kinds: str, links: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hundreds of checkpoints, once or twice: that decides whether a study fits on a disk."""
    subprocess.run(["git", "init", "-q"], check=True)
    for command in (["init", "-q"], ["config", "cache.type", kinds]):
        subprocess.run([sys.executable, "-m", "dvc", *command], check=True)
    before = set(Path().iterdir())
    assert graph.linked() == links
    assert set(Path().iterdir()) == before, "what was tried is gone"
    plan.show_plan()
    assert ("their copies in DVC's cache" in capsys.readouterr().out) != links


@pytest.mark.parametrize("flops", [-5.0, 0.0, float("nan"), float("inf")])
def test_a_rate_that_no_gpu_has_is_refused(flops: float) -> None:
    """Hours below 0, or none at all, would be printed as an estimate."""
    with pytest.raises(UserError, match=r"--flops .* Mend: give one above 0"):
        plan.show_plan(flops)
