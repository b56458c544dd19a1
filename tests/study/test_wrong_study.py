"""A wrong study is refused before anything runs, by one line that names the place in its file."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands import use
from xstilts.core.errors import UserError

Change = Callable[[dict[str, Any]], None]


def put(path: str, value: Any) -> Change:
    """Set `a.b.0.c` of a study."""

    def change(study: dict[str, Any]) -> None:
        place: Any = study
        *parents, last = path.split(".")
        for part in parents:
            place = place[int(part) if isinstance(place, list) else part]
        if value is None:
            place.pop(last)
        else:
            place[int(last) if isinstance(place, list) else last] = value

    return change


GRID = "intermediate.0"
TARGET = "targets.world_classes"
QA = {"task": "world_qa", "languages": ["qaa"], "sizes": [10], "seeds": [1]}
CLASSES = {"source_language": "qaa", "protocol": "x-stilts"}
WORLD_CASES = [
    ("targets.nonsense", {"source_language": "qaa", "protocol": "xtreme"},
     "targets.nonsense: unknown task 'nonsense'"),
    ("pretrain.seen", ["mnli"], "pretrain: a model from scratch has seen .*leave `seen` out"),
    ("pretrain", {"encoder": "mbert", "seen": ["mnlii"]}, "pretrain.seen: unknown set 'mnlii'"),
    ("pretrain", {"encoder": "mbert", "seen": [{"set": "mnli", "splits": ["trian"]}]},
     "pretrain.seen: unknown split 'trian' of mnli: take some of train, validation"),
    ("pretrain.scratch.corpora", [], "pretrain.scratch.corpora: .*at least 1 item"),
    ("pretrain.scratch.corpora.0.languages", [], "scratch.corpora.0: there is no language"),
    (f"{GRID}.task", "nonsense", "intermediate.0: unknown task 'nonsense'"),
    ("pretrain.scratch.corpora.0.task", "nonsense", "corpora.0: unknown task 'nonsense'"),
    (f"{GRID}.languages", ["xx"], "intermediate.0.languages: world_qa has no language 'xx'"),
    (f"{TARGET}.languages", ["xx"], "world_classes.languages: .* no language 'xx'"),
    (f"{TARGET}.source_language", "qab", "source_language: world_classes has no language 'qab'"),
    *(
        ("targets.world_bitext.source_language", wrong,
         f"world_bitext.source_language: world_bitext has no language '{re.escape(wrong)}'")
        for wrong in ("qaz", "", "é", "..", "en")
    ),
    ("pretrain.scratch.corpora.0.languages", ["xx"], "corpora.0: .* no language 'xx'"),
    ("pretrain.scratch.corpora.0.split", "test", "corpora.0: world_text has no test split"),
    ("targets.world_bitext.split", "train", "world_bitext: world_bitext has no train split"),
    (f"{TARGET}.protocol", "jiant", "targets.world_classes: .* no protocol 'jiant'"),
    (f"{TARGET}.languages", ["qaa", "qaa"], "world_classes.languages: .*twice"),
    (f"{GRID}.languages", ["qaa", "qaa"], "intermediate.0.languages: .*twice"),
    (f"{GRID}.sizes", [10, 10], "intermediate.0.sizes: .*twice"),
    (f"{GRID}.seeds", [1, 1], "intermediate.0.seeds: .*twice"),
    ("baseline_seeds", [1, 1], "baseline_seeds: .*twice"),
    (f"{TARGET}.languages", [], "world_classes.languages: "),
    (f"{GRID}.languages", [], "intermediate.0.languages: "),
    (f"{GRID}.sizes", [61], "intermediate.0.sizes: size 61 is larger than the 60 training rows"),
    (GRID, QA | {"task": "world_classes", "sizes": [41]}, "size 41 is larger than the 40 training"),
    (f"{GRID}.sizes", [0], "intermediate.0.sizes.0: .*greater than 0; or .* 'all'.$"),
    (f"{GRID}.sizes", [-5], "intermediate.0.sizes.0.*greater than 0"),
    (f"{GRID}.sizes", ["some"], "intermediate.0.sizes.0: .*valid integer.*; or .* 'all'.$"),
    ("training.steps", 5, "small.yaml: training: .*exactly one of `epochs` and `steps`"),
    ("training.epochs", None, "exactly one of `epochs` and `steps`"),
    (f"{GRID}.training", {"epochs": 1, "steps": 1}, "intermediate.0.training: .*exactly one"),
    ("training.warmup_steps", -1, "training: warmup_steps: .*greater than or equal to 0"),
    (f"{GRID}.training", {"warmup": 0.1, "warmup_steps": 500},
     "intermediate.0.training: .*give one of `warmup` .* and `warmup_steps`"),
    (f"{TARGET}.training", {"select": "latest"}, "training: select: .*'last' or 'best'"),
    (f"{TARGET}.training", {"steps": 5, "stop": 6}, "`stop: 6` is more than `steps: 5`"),
    (f"{TARGET}.training", {"evaluate_rows": "some"}, "training: evaluate_rows"),
    (f"{TARGET}.validation", "world_tags", "validation: world_tags is not answered as"),
    (f"{TARGET}.validation", "world_classes", "validation: nothing is chosen on validation rows"),
    ("training.nonsense", 5, "small.yaml: training: nonsense: unknown key"),
    ("training.batch", 0, "small.yaml: training: batch: .*greater than 0"),
    ("targets.world_bitext.layer", 2, "targets.world_bitext.layer: 2 is not in 0..1"),
    ("targets.world_bitext.layer", -3, "targets.world_bitext.layer: -3 is not in 0..1"),
    ("training.max_length", 65, "training: max_length 65 is more than the model's max_positions"),
    ("pretrain.scratch.architecture.heads", 3, "architecture: .*cannot be divided by 3 heads"),
    (f"{GRID}.training", {"nonsense": 1}, "intermediate.0.training: nonsense: unknown key"),
    (f"{TARGET}.training", {"nonsense": 1}, "world_classes.training: nonsense: unknown key"),
    ("nonsense", 1, "small.yaml: nonsense: unknown key"),
    (f"{GRID}.size", [1], "small.yaml: intermediate.0.size: unknown key"),
    ("title", None, "small.yaml: title: key is missing"),
    ("study", "other", "small.yaml: `study: other`"),
    ("data.source", "hub", "needs `data.source: world`"),
    ("data.source", "mirror", "small.yaml: data.source"),
    ("pretrain.hub", {"model": "org/name", "revision": "0" * 40}, "pretrain: .*exactly one"),
    ("pretrain.scratch", None, "pretrain: .*exactly one"),
    ("pretrain.encoder", "xlmr-base", "pretrain: .*exactly one"),
    ("allow_overlap", {"a > b": "why"}, "allow_overlap: 'a > b' names no training task and target"),
    (f"{TARGET}.before", {"world_qa": {}}, "before: world_qa does not precede world_classes"),
    ("aggregate", {"best": True}, "small.yaml: aggregate.best: unknown key"),
    ("targets.world_bitext.pooling", "max", "targets.world_bitext.pooling"),
    ("data.world.seeds", 1, "small.yaml: data.world.seeds: unknown key"),
    ("data.world.seed", "one", "small.yaml: data.world.seed: .*valid integer"),
    ("data.world.qa.dev", 5, "small.yaml: data.world.qa.dev: unknown key"),
    ("baseline_seeds", [-1], "small.yaml: baseline_seeds.0: .*greater than or equal to 0"),
    ("baseline_seeds", [2**32], "small.yaml: baseline_seeds.0: .*less than 4294967296"),
    ("baseline_seeds", [True], "small.yaml: baseline_seeds: .*not true or false"),
    (f"{GRID}.seeds", [10**20], "small.yaml: intermediate.0.seeds.0: .*less than"),
    (f"{GRID}.seeds", [10**30], "small.yaml: intermediate.0.seeds.0: .*less than"),
    ("pretrain.scratch.seed", -1, "small.yaml: pretrain.scratch.seed: .*greater than or equal"),
    ("aggregate", {"confidence": 1}, "small.yaml: aggregate.confidence: .*less than"),
    (f"{TARGET}.rates", [1e-3, 1e-3], "world_classes.rates: .*twice"),
    (f"{TARGET}.rates", [0], "world_classes.rates.0: .*greater than 0"),
    (f"{TARGET}.rates", [1.0], "world_classes.rates.0: .*less than 1"),
    (TARGET, CLASSES | {"rates": [1e-4], "training": {"sweep": [1e-3]}},
     "world_classes.rates: each of `rates` is a setting .* `sweep` keeps the best alone"),
    (GRID, QA | {"rates": [1e-4], "training": {"sweep": [1e-3]}},
     "intermediate.0.rates: each of `rates` is a setting .* `sweep` keeps the best alone"),
    (f"{TARGET}.variants", {"same": {"learning_rate": 1e-3}},
     "world_classes.variants.same: it changes nothing"),
    (f"{TARGET}.variants", {"Layers": {"layers": "attention"}}, r"variants.Layers.*pattern"),
    (f"{TARGET}.variants", {"one": {"nonsense": 1}}, "one.training: nonsense: unknown key"),
    ("targets.world_bitext.rates", [1e-3], "world_bitext: world_bitext is not fine-tuned"),
    ("targets.world_bitext.variants", {"a": {}}, "world_bitext: world_bitext is not fine-tuned"),
    ("targets.world_bitext.score_limit", 5, "world_bitext is searched for among all rows"),
    (f"{TARGET}.score_limit", 0, "score_limit.*greater than 0"),
    ("data.world.seed", -1, "small.yaml: data.world.seed: .*greater than or equal"),
    ("training.learning_rate", float("inf"), "training: learning_rate: .*finite number"),
    ("training.learning_rate", float("nan"), "training: learning_rate: .*finite number"),
    ("training.sweep", [1e-3, float("inf")], "training: sweep.1: .*finite number"),
    ("training.learning_rate", 1e30, "training: learning_rate: .*less than 1"),
    (f"{GRID}.training", {"learning_rate": 1}, "intermediate.0.training: learning_rate: .*less"),
    *(
        ("training.sweep", [1e-3, rate], f"training: sweep.1: .*{says}")
        for rate, says in ((-1e-3, "greater than 0"), (0, "greater than 0"), (1e30, "less than 1"))
    ),
    (f"{TARGET}.training", {"sweep": [1e-3, 0.001]}, "training: sweep: 0.001 occurs twice"),
    ("training.weight_decay", float("inf"), "training: weight_decay: .*finite number"),
    ("training.clip", float("inf"), "training: clip: .*finite number"),
    (f"{GRID}.training", {"epochs": float("inf")}, "intermediate.0.training: epochs: .*finite"),
    ("training.batch", True, "training: batch: .*not true or false"),
    ("training.learning_rate", True, "training: learning_rate: .*not true or false"),
    ("training.sweep", [True], "training: sweep: .*not true or false"),
    (f"{GRID}.sizes", [True], "intermediate.0.sizes: .*not true or false"),
    (f"{GRID}.languages", [False], "intermediate.0.languages: .* reads yes, no, .* without quotes"),
    ("keep_models", ["nonsense"], "keep_models: 'nonsense' is no target of this study"),
    ("keep_models", ["world_bitext"], "keep_models: world_bitext has no fine-tuned model"),
    ("keep_models", ["world_classes"] * 2, "keep_models: .*twice"),
    ("keep_models", "world_classes", "keep_models: .*valid list"),
    ("keep_models", [1], "keep_models.0: .*valid string"),
    ("title", True, "small.yaml: title: .*not true or false"),
]  # fmt: skip


def assert_refused(study: dict[str, Any], expected: str, save: Callable[..., None]) -> None:
    """One line, naming the file, with what to do."""
    path = Path("studies/small.yaml")
    named, study = study["study"], {**study, "study": "small"}
    save(study)
    path.write_text(path.read_text().replace("study: small\n", f"study: {named}\n"))
    with pytest.raises(UserError) as caught:
        use.compiled("small")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("studies/small.yaml: ")
    assert re.search(expected, message.split(" Mend: ")[0]), message
    assert " Mend: " in message


@pytest.mark.parametrize(
    ("path", "value", "expected"), WORLD_CASES, ids=[f"{c[0]}={c[1]}" for c in WORLD_CASES]
)
def test_a_wrong_study_is_refused_by_one_line_that_names_the_place(
    path: str,
    value: Any,
    expected: str,
    study: dict[str, Any],
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is wrong in a study is told before hours are spent on it."""
    monkeypatch.chdir(tmp_path)
    put(path, value)(study)
    assert_refused(study, expected, save)


HUB_CASES = [
    (f"{GRID}.sizes", [392_703], "intermediate.0.sizes: size 392703 is larger than the 392702"),
    ("data.source", "world", "needs `data.source: hub or mirror:<dir>`"),
    ("pretrain.hub.revision", "main", "pretrain.hub.revision"),
    ("pretrain", {"encoder": "xlmr-huge"}, "pretrain: unknown encoder 'xlmr-huge': take one of"),
    ("pretrain", {"encoder": "xlmr-base", "revision": "0" * 40}, "revision: unknown key"),
    ("targets.xnli.split", "nonsense", "targets.xnli.split"),
]


@pytest.mark.parametrize(("path", "value", "expected"), HUB_CASES)
def test_a_wrong_study_of_published_data_is_refused_too(
    path: str,
    value: Any,
    expected: str,
    on_hub: Callable[..., dict[str, Any]],
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A size that is published, a pin that is none."""
    monkeypatch.chdir(tmp_path)
    study = on_hub()
    put(path, value)(study)
    assert_refused(study, expected, save)


def test_one_run_in_two_grids_is_refused(
    study: dict[str, Any],
    save: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second would silently replace the first."""
    monkeypatch.chdir(tmp_path)
    study["intermediate"].append(copy.deepcopy(study["intermediate"][0]))
    assert_refused(study, "intermediate.1: run world_qa-qaa-10-s1 occurs twice", save)
