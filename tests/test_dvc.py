"""dvc.yaml says what the code does: one word per stage, the code that each runs, the same paths."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from xstilts import cli, pipeline
from xstilts.commands import graph, use
from xstilts.core import design, flow, paths, strict
from xstilts.core.params import Params
from xstilts.records import code, tracking
from xstilts.study import dvc_files
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

STUDIES = sorted(path.stem for path in (Path(__file__).parents[1] / "studies").glob("*.yaml"))

CODE = "src/xstilts/"


def declared(root: Path) -> dict[str, Any]:
    """Stage word -> what dvc.yaml says of it."""
    parsed = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))
    return {word: stage.get("do", stage) for word, stage in parsed["stages"].items()}


def resolve(root: Path, content: dict[str, Any], folder: Path) -> tuple[Params, dict[str, Any]]:
    """Params, and DVC's own reading of dvc.yaml under them: `word@study/key` -> stage."""
    from dvc.repo import Repo

    folder.mkdir(exist_ok=True)
    (folder / "dvc.yaml").write_text((root / "dvc.yaml").read_text(encoding="utf-8"))
    (folder / "params.yaml").write_text(f"study: {content['study']}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        dvc_files.write(content)
    loaded = strict.parse(Params, content, "the design", "mend")
    with Repo.init(str(folder), no_scm=True) as repo:
        arrows = repo.index.graph
        found = {
            _name(stage): {
                "cmd": stage.cmd,
                "deps": {_path(dep, folder) for dep in stage.deps},
                "outs": {_path(out, folder) for out in stage.outs},
                "in_git": {_path(out, folder) for out in stage.outs if not out.use_cache},
                "needs": {_name(other) for other in arrows.successors(stage)},
                "file": Path(stage.path).relative_to(folder.resolve()).as_posix(),
            }
            for stage in repo.index.stages
        }
    return loaded, found


def _name(stage: Any) -> str:
    return stage.addressing.split(":")[-1]


def _path(one: Any, folder: Path) -> str:
    return Path(one.fs_path).relative_to(folder.resolve()).as_posix()


def compiled(study: dict[str, Any]) -> dict[str, Any]:
    """A study file's content as params."""
    return compile_study(Study.model_validate(study), study["study"])


@pytest.fixture(scope="module")
def resolved(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Params, dict[str, Any]]:
    """The small study, as DVC sees it."""
    return resolve(root, compiled(new_study()), tmp_path_factory.mktemp("dvc"))


def test_one_word_per_stage_everywhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who knows a stage's word finds its file, section, verb, tag and outputs."""
    words = list(flow.WORDS)
    assert list(declared(root)) == ["code", *words]
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
    pipeline.run_stage("subsample", "small/world_qa-qaa-s1")
    assert seen == 2 * [("subsample", "world_qa-qaa-s1", "small")]


def test_a_stage_depends_on_its_own_code_and_its_own_params(
    resolved: tuple[Params, dict[str, Any]],
) -> None:
    """A file too few: stale results pass as fresh. One too many: days of GPU time for nothing."""
    loaded, found = resolved
    written = {f"code/{word}/{one}".rstrip("/") for word, one in code.variants()}
    more = {"aggregate": {"code/transfer"}}
    for word in flow.WORDS:
        for key in graph.keys(loaded, word):
            deps = found[graph.stage_name(loaded.study, word, key)]["deps"]
            section = getattr(loaded, word)
            spec = (section if word in flow.SINGLE else section[key]).model_dump()
            own = f"code/{word}/{code.variant_of(word, spec)}".rstrip("/")
            assert {dep for dep in deps if dep.startswith("code/")} == {own} | more.get(word, set())
            assert own in written
            params = {paths.run_design(word, loaded.study, key).as_posix()}
            if word == "transfer":
                params.add(paths.run_design("targets", loaded.study, loaded.study).as_posix())
            assert {dep for dep in deps if dep.startswith("design/")} == params


def test_dvc_yaml_is_written_out_line_by_line(root: Path) -> None:
    """A list in one line cannot be compared line by line when it changes."""
    lines = (root / "dvc.yaml").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "[" in line.split("#")[0]]


def test_outputs_are_where_paths_py_says(resolved: tuple[Params, dict[str, Any]]) -> None:
    """dvc.yaml spells paths a second time; apart from it, paths.py is their only builder."""
    loaded, found = resolved
    for word in flow.WORDS:
        for key in graph.keys(loaded, word):
            expected = set(paths.outputs(loaded, word, key))
            name = graph.stage_name(loaded.study, word, key)
            assert {Path(out) for out in found[name]["outs"]} == expected
            assert found[name]["cmd"] == "xstilts " + name.replace("@", " ")
            assert word in paths.output(loaded, word, key).parts


def test_data_deps_are_the_files_that_a_stage_reads(
    resolved: tuple[Params, dict[str, Any]],
) -> None:
    """Compared with paths.py alone, and not with design.json, where templates come from."""
    loaded, found = resolved
    study, base = loaded.study, paths.pretrained(loaded.study)
    targets = paths.prepared(study, "targets", "x").parent
    subset = paths.subset(study, "world_qa-qaa-s1", 40)
    verdict = paths.checked(study)
    expected = {
        "prepare@small/world_qa": {paths.fetched(study, "world/nouns")},
        "prepare@small/text-world_text": {paths.fetched(study, "world/nouns")},
        "subsample@small/world_qa-qaa-s1": {
            paths.rows(paths.prepared(study, "training", "world_qa"), "qaa", "train")
        },
        "pretrain@small": {paths.prepared(study, "pretraining", "x").parent},
        "intermediate@small/world_qa-qaa-40-s1": {subset, base, base / "tokenizer.json", verdict},
        "transfer@small/none-s1": {base, base / "tokenizer.json", targets, verdict},
        "transfer@small/world_qa-qaa-40-s1": {
            *(paths.intermediate(study, "world_qa-qaa-40-s1"), base / "tokenizer.json"),
            *(targets, verdict),
        },
        "aggregate@small": {paths.transferred(study, "x").parent},
        "report@small": {
            *(paths.aggregated(study), paths.statistics(study, "x").parent),
            *(Path("references.yaml"), Path("claims.yaml")),
            *(paths.transferred(study, "x").parent, paths.DESIGN),  # of the last: how many runs
        },
        "check@small": {targets.parent},
    }
    for name, deps in expected.items():
        own = ("code/", "design/")
        data = {Path(dep) for dep in found[name]["deps"] if not dep.startswith(own)}
        assert data == deps, name


def test_the_rows_that_choose_the_best_weights_are_watched(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Other validation rows choose other weights, so phase ii has to run again."""
    best = new_study()
    best["training"]["select"] = "best"
    loaded, found = resolve(root, compiled(best), tmp_path)
    for key, spec in loaded.intermediate.items():
        assert spec.parts[0].validation in found[f"intermediate@small/{key}"]["deps"]


@pytest.mark.parametrize("name", STUDIES)
def test_dvc_reads_every_study_without_two_makers_of_one_output(
    name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC refuses empty templates, overlapping outputs and cycles; only it knows its rules."""
    monkeypatch.chdir(root)
    content = use.compiled(name)
    loaded, found = resolve(root, content, tmp_path)
    assert set(found) == {"code", *graph.every_stage(loaded)}
    waits = {f"{word}@{name}/{key}" for word in dvc_files.SHARDED for key in getattr(loaded, word)}
    elsewhere = {one for one, stage in found.items() if stage["file"] != "dvc.yaml"}
    assert elsewhere == (waits if len(loaded.transfer) > dvc_files.LARGE else set())
    needed = found[f"aggregate@{name}"]["needs"]
    assert {f"transfer@{name}/{key}" for key in loaded.transfer} <= needed


def test_a_new_run_moves_no_other_from_one_lock_to_another(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """A run whose entry is in another dvc.lock would run again."""
    study = new_study()
    study["intermediate"][0]["seeds"] = list(range(1, 80))
    _, before = resolve(root, compiled(study), tmp_path / "a")
    study["intermediate"].insert(0, {**study["intermediate"][0], "sizes": [20], "seeds": [1]})
    _, after = resolve(root, compiled(study), tmp_path / "b")
    files = {stage["file"] for stage in before.values()}
    own = {f"pipelines/small/world_qa-qaa-s{seed}/dvc.yaml" for seed in range(1, 80)}
    assert files == {"dvc.yaml", "pipelines/small/none-none-s1/dvc.yaml", *own}
    assert {name: stage["file"] for name, stage in before.items()}.items() <= {
        name: stage["file"] for name, stage in after.items()
    }.items()


def test_scores_of_a_large_study_are_kept_by_dvc(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """They come to gigabytes, which git is not made for; those of other studies lie in git."""
    study, stage = new_study(), "transfer@small/none-s1"
    _, small = resolve(root, compiled(study), tmp_path / "small")
    assert small[stage]["in_git"] == {"results/transfer/small/none-s1"}
    study["intermediate"][0]["seeds"] = list(range(1, 80))
    _, large = resolve(root, compiled(study), tmp_path / "large")
    assert not large[stage]["in_git"]
    assert large[stage]["outs"] == small[stage]["outs"]


def test_a_study_that_is_left_leaves_the_graph_and_keeps_its_locks(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Its finished runs are found again when it is taken up again."""
    study = new_study()
    study["intermediate"][0]["seeds"] = list(range(1, 80))
    resolve(root, compiled(study), tmp_path)
    lock = tmp_path / "pipelines/small/none-none-s1/dvc.lock"
    lock.write_text("schema: '2.0'\nstages: {}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        dvc_files.write(compiled(new_study() | {"study": "other"}))
    assert not list(tmp_path.glob("pipelines/*/*/dvc.yaml"))
    assert lock.exists()


def test_dvc_reads_a_study_of_baselines_only(
    root: Path, new_study: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """Without intermediate tasks whole sections are empty."""
    loaded, found = resolve(root, compiled(new_study() | {"intermediate": []}), tmp_path)
    assert not loaded.subsample
    assert "transfer@small/none-s1" in found


def test_the_committed_design_and_code_are_what_the_source_gives(root: Path) -> None:
    """A fresh clone runs them as they are: with old ones `dvc repro` would make other things."""
    name = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["study"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        loaded = design.load()  # refuses one that is older than the study
        content = use.compiled(name)
    assert loaded == Params.model_validate(content)
    for word, one in code.variants():
        path = root / "code" / word / one
        assert path.read_text(encoding="utf-8") == code.listing(word, one), path
