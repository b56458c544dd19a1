"""dvc.yaml says what the code does: one word per stage, the code that each runs, the same paths."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xstilts import cli, pipeline, tasks
from xstilts.commands import graph, use
from xstilts.core import flow, paths, strict
from xstilts.core.params import Params
from xstilts.records import code, tracking

CODE = "src/xstilts/"
# What the import graph cannot see: files that are looked up by name, or that are no modules.
BY_NAME = {
    "prepare": ("tasks/${item.task}.py", "tasks/shapes.py"),
    "report": ("report/page.html.j2", "report/style.css"),
}


def declared(root: Path) -> dict[str, Any]:
    """Stage word -> what dvc.yaml says of it."""
    parsed = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    return {word: stage.get("do", stage) for word, stage in parsed["stages"].items()}


def resolve(root: Path, text: str, folder: Path) -> tuple[Params, dict[str, Any]]:
    """Params, and DVC's own reading of dvc.yaml under them: `word@key` -> stage."""
    from dvc.repo import Repo

    folder.mkdir(exist_ok=True)
    (folder / "dvc.yaml").write_text((root / "dvc.yaml").read_text(encoding="utf-8"))
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    loaded = strict.parse(Params, yaml.safe_load(text), "params.yaml", "mend")
    with Repo.init(str(folder), no_scm=True) as repo:
        graph = repo.index.graph
        found = {
            stage.addressing.split(":")[-1]: {
                "cmd": stage.cmd,
                "deps": {dep.def_path for dep in stage.deps} - {"params.yaml"},
                "outs": {out.def_path for out in stage.outs},
                "needs": {other.addressing.split(":")[-1] for other in graph.successors(stage)},
            }
            for stage in repo.index.stages
        }
    return loaded, found


@pytest.fixture(scope="module")
def resolved(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Params, dict[str, Any]]:
    """The small study, as DVC sees it."""
    from xstilts.study.compiler import compile_study
    from xstilts.study.schema import Study

    compiled = compile_study(Study.model_validate(new_study()), "small")
    return resolve(root, yaml.safe_dump(compiled), tmp_path_factory.mktemp("dvc"))


def test_one_word_per_stage_everywhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who knows a stage's word finds its file, section, verb, tag and outputs."""
    words = list(flow.WORDS)
    assert list(declared(root)) == words
    files = {path.stem for path in (root / CODE / "stages").glob("*.py")} - {"__init__"}
    assert files == set(words)
    assert set(words) <= set(Params.model_fields)
    verbs = [command.name for command in cli.app.registered_commands]
    assert verbs[: len(words)] == words
    assert list(cli.PURPOSE) == words
    asked: list[tuple[str, str | None]] = []
    monkeypatch.setattr(pipeline, "run_stage", lambda word, key=None: asked.append((word, key)))
    from typer.testing import CliRunner

    for word in words:
        single = word in flow.SINGLE
        outcome = CliRunner().invoke(cli.app, [word] if single else [word, "k"])
        assert outcome.exit_code == 0, outcome.output
        assert asked.pop() == (word, None if single else "k")


def test_the_tag_of_a_tracked_run_is_the_stages_word(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow is searched by `stage`, in the words of dvc.yaml, and by study and key."""
    seen: list[tuple[str, str, str]] = []
    real = tracking.track

    def spy(stage: str, key: str, study: str, spec: Any, enabled: bool = True) -> Any:
        seen.append((stage, key, study))
        return real(stage, key, study, spec, enabled)

    monkeypatch.setenv("XSTILTS_TRACKING", "off")
    monkeypatch.setattr(tracking, "track", spy)
    pipeline.run_stage("subsample", "world_qa-qaa-s1")
    assert seen == [("subsample", "world_qa-qaa-s1", "small")]


@pytest.mark.parametrize("word", flow.WORDS)
def test_the_code_deps_of_a_stage_are_the_files_that_it_runs(word: str, root: Path) -> None:
    """A file too few: stale results pass as fresh. One too many: days of GPU time for nothing."""
    deps = declared(root)[word]["deps"]
    listed = [dep.removeprefix(CODE) for dep in deps if str(dep).startswith(CODE)]
    runs = {path.as_posix() for path in code.code_files(word)} | set(BY_NAME.get(word, ()))
    assert len(listed) == len(set(listed))
    assert set(listed) == runs
    named = [name.replace("${item.task}", "mnli") for name in listed]
    assert all((root / CODE / name).is_file() for name in named)


def test_a_tasks_file_brings_no_code_that_dvc_does_not_watch(root: Path) -> None:
    """`prepare` depends on the task's own file and on shapes.py; more imports would go unseen."""
    watched = {Path("tasks/shapes.py"), *code.code_files("prepare")}
    for name in tasks.NAMES:
        own = code.ROOT / "tasks" / f"{name}.py"
        files = {code._file(module) for module in code._imports(own)} - {None}
        brought = {file.relative_to(code.ROOT) for file in files if file}
        plumbing = {Path(f"{one}.py") for one in code.PLUMBING}
        assert brought <= watched | plumbing, name


def test_dvc_yaml_is_written_out_line_by_line(root: Path) -> None:
    """A list in one line cannot be compared line by line when it changes."""
    lines = (root / "dvc.yaml").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "[" in line.split("#")[0]]


def test_outputs_are_where_paths_py_says(resolved: tuple[Params, dict[str, Any]]) -> None:
    """dvc.yaml spells paths a second time; apart from it, paths.py is their only builder."""
    loaded, found = resolved
    for word in flow.WORDS:
        for key in graph.keys(loaded, word):
            expected = {pipeline.output(loaded, word, key)}
            if word == "prepare":
                expected.add(paths.statistics(loaded.study, key))
            if word == "check":
                expected |= {paths.checked(loaded.study)}
                expected.add(paths.statistics(loaded.study, "overlap"))
            if word == "aggregate":
                expected.add(paths.metrics_file(loaded.study))
            stage = found[graph.stage_name(loaded, word, key)]
            assert {Path(out) for out in stage["outs"]} == expected
            single = word in flow.SINGLE
            assert stage["cmd"] == (f"xstilts {word}" if single else f"xstilts {word} {key}")
            assert word in pipeline.output(loaded, word, key).parts


def test_data_deps_are_the_files_that_a_stage_reads(
    resolved: tuple[Params, dict[str, Any]],
) -> None:
    """Compared with paths.py alone, and not with params.yaml, where templates come from."""
    loaded, found = resolved
    study, base = loaded.study, paths.pretrained(loaded.study)
    targets = paths.prepared(study, "targets", "x").parent
    subset = paths.subset(study, "world_qa-qaa-s1", 40)
    verdict = paths.checked(study)
    expected = {
        "prepare@world_qa": {paths.fetched("world/facts")},
        "prepare@text-world_text": {paths.fetched("world/facts")},
        "subsample@world_qa-qaa-s1": {
            paths.rows(paths.prepared(study, "training", "world_qa"), "qaa", "train")
        },
        "pretrain": {paths.prepared(study, "pretraining", "x").parent},
        "intermediate@world_qa-qaa-40-s1": {subset, base, base / "tokenizer.json", verdict},
        "transfer@none-s1": {base, base / "tokenizer.json", targets, verdict},
        "transfer@world_qa-qaa-40-s1": {
            *(paths.intermediate(study, "world_qa-qaa-40-s1"), base / "tokenizer.json"),
            *(targets, verdict),
        },
        "aggregate": {paths.transferred(study, "x").parent},
        "report": {
            *(paths.aggregated(study), paths.statistics(study, "overlap"), Path("references.yaml"))
        },
        "check": {targets.parent},
    }
    for name, deps in expected.items():
        data = {Path(dep) for dep in found[name]["deps"] if not dep.startswith(CODE)}
        assert data == deps, name


def test_the_rows_that_choose_the_best_weights_are_watched(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Other validation rows choose other weights, so phase ii has to run again."""
    from xstilts.study.compiler import compile_study
    from xstilts.study.schema import Study

    best = new_study()
    best["training"]["select"] = "best"
    compiled = compile_study(Study.model_validate(best), "small")
    loaded, found = resolve(root, yaml.safe_dump(compiled), tmp_path)
    for key, spec in loaded.intermediate.items():
        assert spec.parts[0].validation in found[f"intermediate@{key}"]["deps"]


def test_the_plan_knows_the_graph_that_dvc_runs(resolved: tuple[Params, dict[str, Any]]) -> None:
    """`xstilts plan` counts by its own rules what would run: they must be DVC's."""
    loaded, found = resolved
    names = {
        graph.stage_name(loaded, word, key): set(graph.needs(loaded, word, key))
        for word in flow.WORDS
        for key in graph.keys(loaded, word)
    }
    assert names == {name: stage["needs"] for name, stage in found.items()}


def test_params_that_a_stage_tracks_are_its_own(root: Path) -> None:
    """A stage that tracked a whole section would rerun whenever any run is added."""
    for word, stage in declared(root).items():
        own = word if word in flow.SINGLE else f"{word}.${{key}}"
        assert own in stage["params"]
        others = {
            "check": {"study", "subsample", "targets"},
            "transfer": {"study", "targets"},
            "report": {"study", "left_out"},
            "aggregate": {"study", "transfer", "targets"},
        }
        assert set(stage["params"]) - {own} <= others.get(word, {"study"})


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (Path(__file__).parents[1] / "studies").glob("*.yaml"))
)
def test_dvc_reads_every_study_without_two_makers_of_one_output(
    name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC refuses empty templates, overlapping outputs and cycles; only it knows its rules."""
    monkeypatch.chdir(root)
    loaded, found = resolve(root, use.compiled(name), tmp_path)
    counted = sum(len(graph.keys(loaded, word)) for word in flow.WORDS)
    assert len(found) == counted


def test_dvc_reads_a_study_of_baselines_only(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Without intermediate tasks whole sections are empty."""
    from xstilts.study.compiler import compile_study
    from xstilts.study.schema import Study

    bare = new_study() | {"intermediate": []}
    compiled = compile_study(Study.model_validate(bare), "small")
    loaded, found = resolve(root, yaml.safe_dump(compiled), tmp_path)
    assert not loaded.subsample
    assert "transfer@none-s1" in found
