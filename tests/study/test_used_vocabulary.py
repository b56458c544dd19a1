"""`vocabulary: used` in a study: what is read for it, what waits, and where it is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts.commands import plan
from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.kinds.spec import KINDS
from xstilts.study import dvc_files
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

OnHub = Callable[..., dict[str, Any]]


def used(study: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The study with only the pieces that it uses."""
    study["pretrain"] = {"encoder": "xlmr-base", "vocabulary": "used"}
    return {**study, **changes}


def compiled(study: dict[str, Any]) -> dict[str, Any]:
    """Its params."""
    return compile_study(Study.model_validate(study), "studies/small.yaml")


def test_all_that_is_prepared_is_read(on_hub: OnHub) -> None:
    """Training rows, those that choose, scored rows and pools, each as its kind reads it."""
    targets = {
        name: {"source_language": "en", "protocol": "xtreme-r"}
        for name in ("xnli", "lareqa", "tatoeba")
    }
    study = used(on_hub(), targets=targets)
    study["training"]["select"] = "best"
    content = compiled(study)
    texts = {path: one["kind"] for one in content["pretrain"]["texts"] for path in one["rows"]}
    prepared = {
        str(paths.rows(Path(spec["out"]), language, split))
        for spec in content["prepare"].values()
        for split, languages in spec["splits"].items()
        for language in languages
    }
    assert texts.keys() == prepared
    read = {spec["train_rows"] for spec in content["targets"].values()} - {None}
    read |= {spec["validation"] for spec in content["targets"].values()} - {None}
    assert read <= texts.keys()
    assert set(texts.values()) == {"classification", "ranking", "retrieval"}
    assert any(path.endswith(".candidates.parquet") for path in texts)
    assert set(texts.values()) <= KINDS.keys()


def test_phase_i_waits_for_the_rows_and_other_studies_do_not(on_hub: OnHub) -> None:
    """A changed row may have new pieces; without the setting no key of the design is new."""
    plain = on_hub() | {"pretrain": {"encoder": "xlmr-base"}}
    before, after = compiled(plain), compiled(used(on_hub()))
    assert "texts" not in before["pretrain"]
    assert {**after, "pretrain": before["pretrain"]} == before
    reads = [dvc_files._stage("pretrain", one)["small"]["reads"] for one in (before, after)]
    assert reads == ["design/pretrain/small.json", "data/prepare/small"]


def test_a_new_size_or_seed_leaves_the_checkpoint_as_it_is(on_hub: OnHub) -> None:
    """Phase ii draws its subsets from rows that are read whole."""
    grid = {"task": "mnli", "languages": ["en"], "sizes": [10, 1000], "seeds": [1, 2]}
    few, many = compiled(used(on_hub())), compiled(used(on_hub(), intermediate=[grid]))
    assert len(many["intermediate"]) == 4
    assert few["pretrain"] == many["pretrain"]


def test_masked_language_modelling_and_a_model_from_scratch_are_refused(
    on_hub: OnHub, new_study: Callable[[], dict[str, Any]]
) -> None:
    """One draws its noise from every piece, the other has a vocabulary of its own."""
    corpora = [{"task": "wikipedia", "languages": ["en"]}]
    text = {"seeds": [1], "mlm": {"corpora": corpora, "rows": 10}}
    beside = {**on_hub()["intermediate"][0], "mlm": {**text["mlm"], "share": 0.2}}
    wrong = "pretrain.vocabulary: masked language modelling reads the whole .*Mend: take `whole`"
    for grid in (text, beside):
        with pytest.raises(UserError, match=wrong):
            compiled(used(on_hub(), intermediate=[grid]))
    scratch = new_study()
    scratch["pretrain"]["vocabulary"] = "used"
    with pytest.raises(UserError, match=r"pretrain.vocabulary: a model from scratch .*Mend: take"):
        compiled(scratch)


def test_plan_says_what_is_kept_once_it_is_known(
    on_hub: OnHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before phase i has run, nobody can say; a record of the whole model says nothing of it."""
    monkeypatch.chdir(tmp_path)
    loaded = Params.model_validate(compiled(used(on_hub())))
    assert "the pieces that the study's texts use" in plan._base(loaded)
    record = paths.pretrained("small") / "record.json"
    metrics = {"parameters": 12345678.0}
    files.write_json(record, {"metrics": metrics})
    assert "the pieces that the study's texts use" in plan._base(loaded)
    metrics |= {"vocabulary": 2345.0, "vocabulary.published": 250002.0}
    files.write_json(record, {"metrics": metrics})
    assert "2,345 of 250,002 pieces and 12,345,678 weights are kept" in plan._base(loaded)
