"""A study compiles to params whose parts fit, key by key; adding to it leaves the rest alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts import tasks
from xstilts.commands import graph, use
from xstilts.core import design, paths, strict
from xstilts.core.params import Params
from xstilts.kinds.spec import KINDS
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

New = Callable[[], dict[str, Any]]
PLACE = Path("studies/small.yaml")
PUBLISHED = [name for name in tasks.NAMES if not name.startswith("world")]


def compiled(study: dict[str, Any]) -> dict[str, Any]:
    return compile_study(Study.model_validate(study), PLACE)


def names() -> list[str]:
    return sorted(path.stem for path in (Path(__file__).parents[2] / "studies").glob("*.yaml"))


@pytest.mark.parametrize("name", names())
def test_every_study_compiles_and_its_parts_fit(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file that a stage reads is one that another stage of the same study makes."""
    monkeypatch.chdir(root)
    loaded = strict.parse(Params, use.compiled(name), name, "mend")
    assert_fits(loaded)


def assert_fits(loaded: Params) -> None:
    """Readers and makers agree on every path."""
    made = {
        str(paths.rows(Path(spec.out), language, split))
        for spec in loaded.prepare.values()
        for split, languages in spec.splits.items()
        for language in languages
    }
    subsets = {
        f"{paths.subsampled(loaded.study, key)}/{name}.parquet"
        for key, spec in loaded.subsample.items()
        for name in [*(subset.out for subset in spec.subsets), *spec.copies]
    }
    for spec in loaded.subsample.values():
        read = {name for one in spec.subsets for name in one.rows}
        read |= {name for names in spec.copies.values() for name in names}
        assert read <= made
        assert all(name.startswith(spec.reads) for name in read)
    used = set()
    for run in loaded.intermediate.values():
        used |= {part.rows for part in run.parts}
        used |= {part.validation for part in run.parts if part.validation in subsets}
        assert all(part.validation in {*made, *subsets, None} for part in run.parts)
        assert all(part.rows.startswith(run.rows) for part in run.parts)
        assert run.watch in {*made, *subsets, f"{run.checkpoint}/tokenizer.json"}
    assert used == subsets
    for target in loaded.targets.values():
        read = {target.train_rows, target.validation} - {None}
        read |= {str(paths.rows(Path(target.rows), one, target.split)) for one in target.languages}
        read |= {name for one in target.before for name in (one.rows, one.validation) if name}
        folder = Path(target.rows)
        read |= {str(paths.rows(folder, one, "candidates")) for one in target.candidates}
        assert read <= made
    for files in (loaded.check.training, loaded.check.selection, loaded.check.evaluation):
        assert {name for names in files.values() for name in names} <= made
    folders = {
        str(paths.output(loaded, word, key))
        for word in ("pretrain", "intermediate")
        for key in graph.keys(loaded, word)
    }
    assert {spec.checkpoint for spec in loaded.transfer.values()} == folders
    assert {spec.fetched for spec in loaded.prepare.values()} == {
        str(paths.output(loaded, "fetch", key)) for key in loaded.fetch
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parts_of_a_study_fit_for_each_task_of_the_hub(
    name: str, on_hub: Callable[..., dict[str, Any]], licensed: Path
) -> None:
    """A task whose split, language or training task is spelled wrongly fails here, not on a GPU."""
    task = tasks.load(name)
    study = on_hub() | {"intermediate": []}
    study["training"]["select"] = "best"
    study["aggregate"] = {"best_per_target": True}
    if task.protocols:
        spec = {"source_language": "en", "protocol": task.protocols[0]}
        study["targets"] = {name: spec | ({"layer": 1} if task.kind != "classification" else {})}
    if KINDS[task.kind].intermediate and task.train_languages:
        few = {"sizes": ["all"], "seeds": [1]}
        study["intermediate"] = [{"task": name, "languages": list(task.train_languages), **few}]
    if task.kind == "mlm":
        text = {"rows": 50, "corpora": [{"task": name, "languages": list(task.languages)}]}
        study["intermediate"] = [{"seeds": [1], "mlm": text}]
    loaded = Params.model_validate(compiled(study))
    assert_fits(loaded)
    assert not loaded.left_out
    for spec in loaded.fetch.values():
        assert spec.configs or spec.urls or spec.place


def test_one_data_set_has_one_pin() -> None:
    """Tasks that share a data set share its raw files, so they must agree on the commit."""
    pins: dict[str, set[str | None]] = {}
    for name in PUBLISHED:
        task = tasks.load(name)
        if task.splits:
            pins.setdefault(task.dataset, set()).add(task.revision)
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


def grids() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Grids over tasks of the control world, no cell twice."""
    few = {"min_size": 1, "max_size": 3, "unique": True}
    grid = st.fixed_dictionaries(
        {
            "task": st.sampled_from(["world_qa", "world_classes", "world_tags"]),
            "languages": st.just(["qaa"]),
            "sizes": st.lists(st.integers(1, 9) | st.just("all"), **few),  # type: ignore[arg-type]
            "seeds": st.lists(st.integers(1, 9), **few),  # type: ignore[arg-type]
            "method": st.sampled_from(["single", "shuffled"]),
        }
    )
    return st.lists(grid, max_size=3, unique_by=lambda one: (one["task"], one["method"]))


@given(grids=grids(), number=st.integers(0, 2), axis=st.sampled_from(["sizes", "seeds"]))
def test_a_new_size_or_seed_leaves_every_other_key_as_it_was(
    grids: list[dict[str, Any]], number: int, axis: str, new_study: New
) -> None:
    """DVC reruns a key whose params changed, so adding a run must cost that run alone."""
    study = new_study() | {"intermediate": grids}
    before = compiled(study)
    if number >= len(grids):
        study["baseline_seeds"] = [7, *study["baseline_seeds"]]
    else:
        grids[number][axis].insert(0, 10)
    after = compiled(study)
    for word in ("fetch", "prepare", "intermediate", "transfer", "targets"):
        assert before[word].items() <= after[word].items(), word
    for key, spec in before["subsample"].items():
        subsets = spec.pop("subsets")
        assert all(subset in after["subsample"][key]["subsets"] for subset in subsets)
        assert spec.items() <= after["subsample"][key].items()
    assert before["pretrain"] == after["pretrain"]
    assert len(after["transfer"]) > len(before["transfer"])


@given(grids=grids(), seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
def test_there_is_a_run_for_each_cell_of_the_design(
    grids: list[dict[str, Any]], seeds: list[int], new_study: New
) -> None:
    """Two cells under one id would be one run, and nobody would notice the hole."""
    study = new_study() | {"intermediate": grids, "baseline_seeds": seeds}
    loaded = Params.model_validate(compiled(study))
    cells = sum(len(grid["sizes"]) * len(grid["seeds"]) for grid in grids)
    assert len(loaded.intermediate) == cells
    assert len(loaded.transfer) == cells + len(seeds)
    assert_fits(loaded)


def test_equal_studies_give_equal_bytes(project: Path) -> None:
    """The design is in git and under DVC: nothing in it may depend on the day."""
    before = {path: path.read_bytes() for path in Path().rglob("*.json")}
    use.use("small")
    assert before == {path: path.read_bytes() for path in Path().rglob("*.json")}


def test_settings_replace_those_of_the_file_and_no_others(project: Path) -> None:
    """One learning rate can be tried without a study of its own."""
    text = Path("params.yaml").read_text()
    settings = "settings: {training: {learning_rate: 0.5}, baseline_seeds: [4]}"
    Path("params.yaml").write_text(text.replace("settings: {}", settings))
    use.use(None)
    loaded = design.load()
    assert Path("params.yaml").read_text().startswith("# The study"), "what a person wrote stays"
    assert [run for run in loaded.transfer if run.startswith("none")] == ["none-s4"]
    rates = {spec.training.learning_rate for spec in loaded.intermediate.values()}
    assert rates == {0.5}
    assert {spec.training.batch for spec in loaded.intermediate.values()} == {8}


def test_best_weights_are_chosen_on_source_language_validation_rows(
    study: dict[str, Any],
) -> None:
    """Selection on a target language would make zero-shot a lie."""
    study["training"]["select"] = "best"
    loaded = Params.model_validate(compiled(study))
    assert loaded.targets["world_classes"].validation == (
        "data/prepare/small/targets/world_classes/qaa.validation.parquet"
    )
    chosen = {spec.parts[0].validation for spec in loaded.intermediate.values()}
    assert chosen == {spec.watch for spec in loaded.intermediate.values()}
    assert chosen == {"data/prepare/small/training/world_qa/qaa.validation.parquet"}
    assert_fits(loaded)


def test_a_budget_given_for_one_training_replaces_the_default_one(study: dict[str, Any]) -> None:
    """`epochs` below `steps` would otherwise be two budgets."""
    study["training"] |= {"epochs": 3}
    study["intermediate"][0]["training"] = {"steps": 5}
    loaded = Params.model_validate(compiled(study))
    budgets = {(run.training.epochs, run.training.steps) for run in loaded.intermediate.values()}
    assert budgets == {(None, 5)}
    trained = loaded.targets["world_classes"].training
    assert trained is not None
    assert (trained.epochs, trained.steps) == (3, None)
