"""Mixes, joined tasks, text and variants: what a run reads, under which id and which key."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.core.errors import UserError
from xstilts.core.params import Mixing, Params
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

Hub = Callable[..., dict[str, Any]]
TEXT = {
    "rows": 500,
    "share": 0.2,
    "corpora": [{"task": "wikipedia", "languages": ["de", "sw"]}],
}
MIX = {"name": "three", "tasks": ["mnli", "qqp", "squad_v1"], "languages": ["en"]}
ONE = {"sizes": [1000], "seeds": [1]}
ROWS = "data/prepare/small"


def compiled(study: dict[str, Any], *grids: dict[str, Any]) -> Params:
    study["intermediate"] = list(grids)
    return Params.model_validate(compile_study(Study.model_validate(study), "small"))


def refusal(study: dict[str, Any], *grids: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        compiled(study, *grids)
    return str(caught.value)


def test_a_mix_is_one_folder_with_a_file_for_each_task(on_hub: Hub) -> None:
    """A size is the rows of each task at most; a member may have rows and lengths of its own."""
    long = {"task": "squad_v1", "max_length": 384, "stride": 64}
    few = {"task": "qqp", "rows": 200}
    loaded = compiled(on_hub(), {**MIX, **ONE, "tasks": ["mnli", few, long]})
    (run,) = loaded.intermediate
    spec, subset = loaded.intermediate[run], loaded.subsample[run]
    assert run == "three-en-1000-s1"
    assert (spec.method, spec.task, spec.size) == ("multi", "three", 1000)
    assert spec.rows == "data/subsample/small/three-en-1000-s1"
    assert spec.mixing == Mixing.model_validate({"cap": 131072, "temperature": 1})
    assert [(one.out, one.size) for one in subset.subsets] == [
        *(("mnli", 1000), ("qqp", 200), ("squad_v1", 1000))
    ]
    assert [(one.task, one.kind, one.max_length, one.stride) for one in spec.parts] == [
        ("mnli", "classification", 64, 128),
        ("qqp", "classification", 64, 128),
        ("squad_v1", "span", 384, 64),
    ]
    assert subset.reads == ROWS
    assert loaded.transfer[run].method == "multi"


def test_where_weights_are_chosen_a_mix_carries_its_validation_rows(on_hub: Hub) -> None:
    """Each task of a mix is looked at; none has a file that DVC would watch twice."""
    loaded = compiled(on_hub(), {**MIX, **ONE, "training": {"select": "best"}})
    (run,) = loaded.intermediate
    copies = loaded.subsample[run].copies
    assert list(copies) == ["mnli.validation", "qqp.validation", "squad_v1.validation"]
    spec = loaded.intermediate[run]
    assert [one.validation for one in spec.parts] == [
        f"{spec.rows}/{one}.parquet" for one in copies
    ]
    assert spec.watch == "models/pretrain/small/tokenizer.json"
    assert set(loaded.check.selection) == {"mnli", "qqp", "squad_v1"}


def test_a_joined_task_reads_the_rows_of_its_members(on_hub: Hub) -> None:
    """ANLI+ is three data sets under one head: nothing of its own is fetched or prepared."""
    grid = {"task": "anli_plus", "languages": ["en"], "sizes": [1000, "all"], "seeds": [1]}
    loaded = compiled(on_hub(), {**grid, "training": {"select": "best"}})
    (key,) = loaded.subsample
    folders = ("training/anli", "targets/mnli", "training/snli")  # XNLI is trained on MultiNLI
    subsets = loaded.subsample[key].subsets
    assert [one.size for one in subsets] == [1000, "all"]
    for one in subsets:
        assert one.rows == [f"{ROWS}/{folder}/en.train.parquet" for folder in folders]
    assert loaded.subsample[key].copies == {
        "validation": [f"{ROWS}/{folder}/en.validation.parquet" for folder in folders]
    }
    assert loaded.subsample[key].reads == ROWS
    spec = loaded.intermediate["anli_plus-en-all-s1"]
    assert spec.watch == spec.parts[0].validation
    assert spec.watch == f"data/subsample/small/{key}/validation.parquet"
    assert spec.parts[0].validation_sets == 3, "each has rows of its own to be chosen on"
    assert set(loaded.check.training) == {"anli", "mnli", "snli"}
    assert "anli_plus" not in loaded.prepare


def test_text_is_a_part_with_its_share_of_the_updates(on_hub: Hub) -> None:
    """It is read as text from the rows of its own kind, smoothed over its languages."""
    loaded = compiled(on_hub(), {"task": "mnli", "languages": ["en"], **ONE, "mlm": TEXT})
    (run,) = loaded.intermediate
    assert run == "mnli-en-1000-s1-mlm"
    spec = loaded.intermediate[run]
    assert [(one.task, one.kind, one.rows_kind, one.share) for one in spec.parts] == [
        ("mnli", "classification", "classification", None),
        ("mlm", "mlm", "mlm", 0.2),
    ]
    text = loaded.subsample[run].subsets[-1]
    assert (text.out, text.size, text.smoothing) == ("text", 500, 0.3)
    folder = f"{ROWS}/pretraining/wikipedia"
    assert text.rows == [f"{folder}/{one}.train.parquet" for one in ("de", "sw")]
    # an epoch of one task is an epoch of all its rows
    assert spec.mixing == Mixing.model_validate({"cap": None})
    assert "wikipedia" not in loaded.check.training, "text has no answers that could be learnt"


def test_text_alone_is_a_run_too(on_hub: Hub) -> None:
    """Continued masked language modelling: its size is that of the text, its language is `mul`."""
    text = {name: TEXT[name] for name in ("rows", "corpora")}
    study = on_hub()
    study["training"]["select"] = "best"  # there is nothing to choose by: the last weights are kept
    loaded = compiled(study, {"seeds": [1, 2], "mlm": text, "training": {"steps": 9}})
    assert list(loaded.intermediate) == ["mlm-mul-500-s1", "mlm-mul-500-s2"]
    spec = loaded.intermediate["mlm-mul-500-s1"]
    assert (spec.method, spec.task, spec.language, spec.mixing) == ("mlm", "mlm", "mul", None)
    assert (spec.parts[0].share, spec.training.select) == (None, "last")
    assert spec.parts[0].rows == spec.rows == "data/subsample/small/mlm-mul-s1/500.parquet"


def test_a_variant_is_another_run_on_the_same_rows(on_hub: Hub) -> None:
    """Steps against epochs compares trainings, so the rows must be one file."""
    grid = {"task": "qqp", "languages": ["en"], "sizes": [1000], "seeds": [1]}
    steps = {**grid, "variant": "steps", "training": {"steps": 7}}
    loaded = compiled(on_hub(), grid, steps, {**grid, "method": "shuffled"})
    plain, other, control = loaded.intermediate.values()
    assert list(loaded.intermediate) == [
        *("qqp-en-1000-s1", "qqp-en-1000-s1-steps", "qqp-en-1000-s1-shuffled")
    ]
    assert plain.rows == other.rows == control.rows
    assert (plain.training.steps, other.training.steps) == (None, 7)
    assert [one.variant for one in loaded.transfer.values()] == ["", "", "steps", ""]
    assert len(loaded.subsample["qqp-en-s1"].subsets) == 1


def test_a_variant_of_a_mix_shares_its_rows_and_another_mix_does_not(on_hub: Hub) -> None:
    """Two mixes of one name would be one folder that holds the rows of the second."""
    loaded = compiled(on_hub(), {**MIX, **ONE}, {**MIX, **ONE, "variant": "hot"})
    assert list(loaded.subsample) == ["three-en-1000-s1"]
    message = refusal(on_hub(), {**MIX, **ONE}, {**MIX, **ONE, "tasks": ["mnli", "qqp"]})
    assert "intermediate.1: run three-en-1000-s1 occurs twice" in message
    other = {**MIX, **ONE, "variant": "less", "tasks": ["mnli", "qqp"]}
    message = refusal(on_hub(), {**MIX, **ONE}, other)
    assert "intermediate.1: the rows of three-en-1000-s1-less are not those" in message


def test_a_licensed_task_without_its_folder_is_left_out_and_said_so(
    on_hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The other runs go on; a mix goes on without it; the reader is told how to get it."""
    monkeypatch.delenv("XSTILTS_CCG", raising=False)
    grids = [
        {"task": "ccg", "languages": ["en"], **ONE},
        {**MIX, **ONE, "tasks": ["mnli", "ccg", "qqp"]},
        {"task": "qqp", "languages": ["en"], **ONE},
    ]
    loaded = compiled(on_hub(), *copy.deepcopy(grids))
    assert list(loaded.intermediate) == ["three-en-1000-s1", "qqp-en-1000-s1"]
    parts = loaded.intermediate["three-en-1000-s1"].parts
    assert [part.task for part in parts] == ["mnli", "qqp"]
    assert list(loaded.left_out) == ["ccg (intermediate.0)", "three: ccg (intermediate.1)"]
    for why in loaded.left_out.values():
        assert "XSTILTS_CCG is not set" in why
        assert "Mend: export XSTILTS_CCG=" in why
    monkeypatch.setenv("XSTILTS_CCG", str(tmp_path / "nowhere"))
    assert "nowhere is no folder" in next(iter(compiled(on_hub(), *grids).left_out.values()))


def test_a_licensed_task_with_its_folder_runs_with_the_labels_in_it(
    on_hub: Hub, licensed: Path
) -> None:
    """The categories are the licensed data's own: they can not stand in the code."""
    loaded = compiled(
        on_hub(), {"task": "ccg", "languages": ["en"], "sizes": ["all"], "seeds": [1]}
    )
    (spec,) = loaded.intermediate.values()
    assert spec.parts[0].labels == [".", "NP", "S\\NP"]
    fetch = loaded.fetch["ldc--ccgbank"]
    assert (fetch.source, fetch.place) == ("folder", "$XSTILTS_CCG")
    assert not loaded.left_out


WRONG = [
    ({**MIX, **ONE, "task": "mnli"}, "give one of `task`, `tasks` and"),
    ({"languages": ["en"], **ONE}, "give one of `task`, `tasks` and"),
    ({**MIX, **ONE, "name": None}, "a mix of `tasks` needs a `name`"),
    ({**MIX, **ONE, "name": "The Nine"}, "name: String should match"),
    ({**MIX, **ONE, "tasks": ["mnli"]}, "tasks: List should have at least 2"),
    ({**MIX, **ONE, "tasks": ["mnli", "mnli"]}, "a task occurs twice"),
    ({**MIX, **ONE, "tasks": ["mnli", {"task": "qqp", "weight": 2}]}, "weight: unknown key"),
    ({**MIX, **ONE, "method": "shuffled"}, "`method: shuffled` is for a single task"),
    ({**MIX, "seeds": [1]}, "give `sizes`"),
    ({"task": "mnli", **ONE}, "give `languages`"),
    ({"task": "mnli", "languages": ["en"], **ONE, "name": "x"}, "`name` is that of a mix"),
    ({"task": "mnli", "languages": ["en"], **ONE, "mixing": {"cap": 5}}, "`mixing` is for several"),
    ({"task": "mnli", "languages": ["en"], **ONE, "variant": "a-b"}, "variant"),
    ({"task": "mnli", "languages": ["en"], **ONE, "mlm": {**TEXT, "share": None}}, "`mlm.share`"),
    ({"seeds": [1], "mlm": TEXT}, "leave `mlm.share` out"),
    ({**ONE, "mlm": {**TEXT, "share": None}}, "leave `sizes` out"),
    ({**MIX, **ONE, "mixing": {"temperature": 0.5}}, "temperature: Input should be greater"),
]


@pytest.mark.parametrize(("grid", "expected"), WRONG, ids=[case[1] for case in WRONG])
def test_a_grid_that_contradicts_itself_is_refused(
    grid: dict[str, Any], expected: str, on_hub: Hub, save: Callable[..., None],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whatever would be ignored is refused: the study would not be the one that was meant."""
    from xstilts.commands import use

    monkeypatch.chdir(tmp_path)
    save(on_hub() | {"intermediate": [grid]})
    with pytest.raises(UserError) as caught:
        use.compiled("small")
    message = str(caught.value)
    assert message.startswith("studies/small.yaml: intermediate.0")
    assert expected in message
    assert "\n" not in message
    assert " Mend: " in message


LATER = [
    ({**MIX, **ONE, "tasks": ["mnli", "nonsense"]}, "intermediate.0: unknown task 'nonsense'"),
    ({**MIX, **ONE, "tasks": ["mnli", "ocnli"]}, "languages: ocnli has no language 'en'"),
    (
        {**MIX, **ONE, "tasks": ["mnli", {"task": "copa", "rows": 401}]},
        "intermediate.0.tasks.copa.rows: size 401 is larger than the 400",
    ),
    ({"task": "tatoeba", "languages": ["en"], **ONE}, "tatoeba is no intermediate task"),
    ({"task": "wikipedia", "languages": ["en"], **ONE}, "for text give `mlm`"),
    (
        {"task": "anli_plus", "languages": ["en"], "sizes": [1_104_935], "seeds": [1]},
        "intermediate.0.sizes: size 1104935 is larger than the 1104934 training rows",
    ),
    (
        {"task": "mnli", "languages": ["en"], **ONE, "mlm": {**TEXT, "corpora": [
            {"task": "wikipedia", "languages": ["xx"]}]}},
        "intermediate.0.mlm.corpora.0: wikipedia has no language 'xx'",
    ),
    (
        {"task": "mnli", "languages": ["en"], **ONE, "mlm": {**TEXT, "corpora": [
            {"task": "wikipedia", "languages": ["de"]}, {"task": "xnli", "split": "validation",
             "languages": ["de"]}]}},
        "intermediate.0.mlm.corpora: rows of several kinds (classification, mlm)",
    ),
    (
        {"seeds": [1], "mlm": {name: TEXT[name] for name in ("rows", "corpora")},
         "training": {"select": "best"}},
        "intermediate.0.training: there are no validation rows to choose by",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("grid", "expected"), LATER, ids=[case[1] for case in LATER])
def test_a_grid_that_no_task_fits_is_refused(
    grid: dict[str, Any], expected: str, on_hub: Hub
) -> None:
    """Found while compiling, and not by a stage that starts hours later."""
    message = refusal(on_hub(), grid)
    assert expected in message
    assert " Mend: " in message
