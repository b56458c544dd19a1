"""What targets are compiled to: layers, pools, trainings before, validation rows, permissions."""

from collections.abc import Callable
from typing import Any

import pytest

from xstilts.benchmarks.protocols import PROTOCOLS
from xstilts.core.errors import UserError
from xstilts.core.params import Params, Target
from xstilts.model.published import ENCODERS
from xstilts.study.compiler import compile_study
from xstilts.study.pins import Pins
from xstilts.study.schema import Study

Hub = Callable[..., dict[str, Any]]


def compiled(study: dict[str, Any], pins: Pins | None = None) -> Params:
    return Params.model_validate(compile_study(Study.model_validate(study), "small", pins))


def target(study: dict[str, Any], name: str, protocol: str, **spec: Any) -> Target:
    study["targets"] = {name: {"source_language": "en", "protocol": protocol, **spec}}
    return compiled(study).targets[name]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_retrieval_is_done_as_the_protocol_says(protocol: str, on_hub: Hub) -> None:
    """Which layer is pooled, and how, moves Tatoeba by dozens of points."""
    study = on_hub() | {"pretrain": {"encoder": "xlmr-large"}}
    for name, usual in PROTOCOLS[protocol].retrieval.items():
        found = target(study, name, protocol)
        assert (found.layer, found.pooling, found.similarity) == (
            *(usual.layer, usual.pooling, usual.similarity),
        )


@pytest.mark.parametrize("name", [name for name, one in ENCODERS.items() if not one.family])
def test_a_protocols_layer_is_as_high_up_in_another_encoder(name: str, on_hub: Hub) -> None:
    """An encoder is a one-line change; layer 14 of 24 is layer 7 of 12, never beyond the top."""
    study = on_hub() | {"pretrain": {"encoder": name}}
    layers = ENCODERS[name].layers
    found = target(study, "tatoeba", "x-stilts")
    assert found.layer == round(14 * layers / 24)
    assert target(study, "tatoeba", "x-stilts", layer=3, pooling="cls").layer == 3
    with pytest.raises(ValueError, match=rf"targets.tatoeba.layer: .* is not in 0..{layers}"):
        target(study, "tatoeba", "x-stilts", layer=layers + 1)


def test_a_layer_of_an_unknown_encoder_has_to_be_given(on_hub: Hub) -> None:
    """Its depth is not known before it is there, and a wrong layer would show in no message."""
    with pytest.raises(UserError, match=r"targets.tatoeba: how many layers .*Mend: give `layer`"):
        target(on_hub(), "tatoeba", "x-stilts")
    assert target(on_hub(), "tatoeba", "x-stilts", layer=5).layer == 5


def test_a_ranking_searches_the_whole_pool_whichever_languages_are_scored(on_hub: Hub) -> None:
    """mAP@20 over one language's candidates is another task."""
    found = target(on_hub(), "lareqa", "xtreme-r", languages=["de"])
    assert len(found.candidates) == 11
    assert (found.train_rows, found.validation) == (
        *("data/prepare/small/targets/squad_retrieval/en.train.parquet", None),
    )
    loaded_pool = target(on_hub(), "mewsli_x", "xtreme-r").candidates
    assert loaded_pool == ["mul"], "the source has the candidates of all languages in one file"


def test_mining_reads_the_pairs_that_tune_its_threshold(on_hub: Hub) -> None:
    """The threshold of a language is chosen on that language's dev pairs."""
    study = on_hub()
    target(study, "bucc", "xtreme", layer=1)
    splits = compiled(study).prepare["bucc"].splits
    assert splits == {"test": ["de", "fr", "ru", "zh"], "validation": ["de", "fr", "ru", "zh"]}


def test_copa_comes_after_social_iqa(on_hub: Hub) -> None:
    """As in XTREME-R: 400 rows of COPA alone teach a head nothing."""
    found = target(on_hub(), "xcopa", "xtreme-r", before={"siqa": {"epochs": 3}})
    (before,) = found.before
    assert before.task == "siqa"
    assert before.rows == "data/prepare/small/targets/siqa/en.train.parquet"
    assert found.train_rows == "data/prepare/small/targets/copa/en.train.parquet"
    assert found.training is not None
    assert (before.training.epochs, found.training.epochs) == (3, 1)
    with pytest.raises(UserError, match=r"targets.xcopa.before: mnli does not precede xcopa"):
        target(on_hub(), "xcopa", "xtreme-r", before={"mnli": {}})


@pytest.mark.parametrize("ask", [{"select": "best"}, {"sweep": [1e-5, 2e-5]}, None])
def test_validation_rows_are_there_for_whatever_chooses(ask: Any, on_hub: Hub) -> None:
    """The best weights, rate, setting per target: each is chosen on source-language rows."""
    study = on_hub()
    study["targets"] |= {
        "tatoeba": {"source_language": "en", "protocol": "xtreme", "layer": 1},
        "lareqa": {"source_language": "en", "protocol": "xtreme-r"},
    }
    if ask:
        study["training"] |= ask
    else:
        study["aggregate"] = {"best_per_target": True}
    found = compiled(study).targets
    assert found["xnli"].validation == "data/prepare/small/targets/mnli/en.validation.parquet"
    assert (found["tatoeba"].validation, found["lareqa"].validation) == (None, None)
    training = found["lareqa"].training
    assert training is not None
    assert (training.select, training.sweep) == ("last", [])


def test_a_ranking_can_not_choose_on_validation_rows(on_hub: Hub) -> None:
    """Asked for plainly, it is refused and not ignored."""
    with pytest.raises(UserError, match=r"targets.lareqa.training: there are no validation rows"):
        target(on_hub(), "lareqa", "xtreme-r", training={"select": "best"})


def test_overlap_is_allowed_by_name_and_a_name_that_is_none_is_refused(on_hub: Hub) -> None:
    """A misspelled permission would permit nothing, and the check would fail hours later."""
    study = on_hub() | {"allow_overlap": {"mnli > xnli": "for a test"}}
    check = compiled(study).check
    assert check.allow == {"mnli > xnli": "for a test"}
    assert set(check.training) == {"mnli"}
    assert check.training["mnli"] == ["data/prepare/small/targets/mnli/en.train.parquet"]
    assert len(check.evaluation["xnli"]) == 15
    for wrong in ("mnli > xquad", "qqp > xnli", "mnli", "xnli > mnli"):
        with pytest.raises(UserError, match=r"allow_overlap: '.*' names no training task and"):
            compiled(study | {"allow_overlap": {wrong: "why"}})


def test_what_is_not_pinned_in_the_code_is_pinned_by_pins_yaml(on_hub: Hub, no_pins: None) -> None:
    """The code's own pin was verified, so it comes first; what nobody pinned stays null."""
    pins = Pins.model_validate(
        {
            "datasets": {
                "unimelb-nlp/wikiann": {"revision": "a" * 40, "found": "main"},
                "facebook/xnli": {"revision": "b" * 40, "found": "main"},
            },
            "models": {
                "microsoft/infoxlm-base": {"revision": "c" * 40, "found": "main"},
                "FacebookAI/xlm-roberta-base": {"revision": "d" * 40, "found": "main"},
            },
            "urls": {
                "https://comparable.limsi.fr/bucc2018/bucc2018-de-en.sample-gold.tar.bz2": {
                    **{"sha256": "e" * 64, "bytes": 5, "found": "downloaded"}
                }
            },
        }
    )
    study = on_hub() | {"pretrain": {"encoder": "infoxlm-base"}}
    spec = {"source_language": "en", "protocol": "xtreme"}
    study["targets"] |= {"wikiann": spec, "bucc": {**spec, "languages": ["de"]}}
    loaded = compiled(study, pins)
    assert loaded.fetch["unimelb-nlp--wikiann"].revision == "a" * 40
    assert loaded.fetch["facebook--xnli"].revision not in (None, "b" * 40)
    assert loaded.pretrain.revision == "c" * 40
    assert sorted(map(str, loaded.fetch["bucc--bucc2018"].urls.values())) == ["None", "e" * 64]
    study["pretrain"] = {"encoder": "xlmr-base"}
    assert compiled(study, pins).pretrain.revision == ENCODERS["xlmr-base"].revision
    assert compiled(study).fetch["unimelb-nlp--wikiann"].revision is None


def test_a_model_is_kept_where_the_study_says_so(on_hub: Hub) -> None:
    """Without it a design is what it was, to the byte, and nothing runs again."""
    study = on_hub()
    assert "keep" not in compile_study(Study.model_validate(study), "small")["targets"]["xnli"]
    study["keep_models"] = ["xnli"]
    made = compile_study(Study.model_validate(study), "small")
    assert made["targets"]["xnli"]["keep"] is True
    assert Params.model_validate(made).targets["xnli"].keep


def test_a_ranker_is_not_kept(on_hub: Hub) -> None:
    """It is fine-tuned, but answers no row without a pool."""
    study = on_hub() | {"keep_models": ["lareqa"]}
    with pytest.raises(UserError, match="keep_models: the model of lareqa ranks a pool"):
        target(study, "lareqa", "xtreme-r")
