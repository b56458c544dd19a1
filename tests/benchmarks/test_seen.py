"""What a study's checkpoint has seen before, by its hub id or by the study's own word."""

from collections.abc import Callable
from typing import Any

import pytest

from xstilts.benchmarks import seen
from xstilts.core.params import Params
from xstilts.study.compiler import compile_study
from xstilts.study.schema import Study

Hub = Callable[..., dict[str, Any]]
SPEC = {"source_language": "en", "protocol": "xtreme"}
GRID = {"languages": ["en"], "sizes": [100], "seeds": [1]}
E5 = "intfloat/multilingual-e5-small"


def study(base: dict[str, Any], pretrain: dict[str, Any], targets: str, middle: str = "") -> Params:
    """A study of some targets and intermediate tasks, compiled."""
    whole = base | {
        "pretrain": pretrain,
        "targets": dict.fromkeys(targets.split(), SPEC),
        "intermediate": [{"task": name, **GRID} for name in middle.split()],
    }
    return Params.model_validate(compile_study(Study.model_validate(whole), "small"))


def ties(params: Params) -> set[tuple[str, str, str, str]]:
    """(use, task, set, tie) of each finding."""
    return {(one.use, one.task, one.seen.name, one.tie) for one in seen.findings(params)}


def test_a_hub_id_that_is_a_named_encoder_is_known(on_hub: Hub) -> None:
    """Who writes the id instead of the name must not lose the warning."""
    hub = study(on_hub(), {"hub": {"model": E5, "revision": "a" * 40}}, "xquad xnli", "mnli")
    named = study(on_hub(), {"encoder": "e5-small"}, "xquad xnli", "mnli")
    assert ties(hub) == ties(named)
    assert ("target", "xquad", "xquad", "same") in ties(hub)
    assert ("target", "xnli", "mnli", "collection") in ties(hub)
    assert ("fine-tuning", "squad_v1", "squad_v1", "same") in ties(hub)
    assert ("intermediate", "mnli", "mnli", "same") in ties(hub)
    assert seen.exposed(hub) == {"xquad": True}, "XNLI's pairs are others than MultiNLI's"


def test_what_may_have_been_seen_is_not_said_to_have_been(on_hub: Hub) -> None:
    """mmBERT read FLAN, which holds XQuAD in two languages; whether it read these is not said."""
    params = study(on_hub(), {"encoder": "mmbert-base"}, "xquad xnli tydiqa")
    assert seen.exposed(params) == {"xquad": False}
    assert all(one.status == "possible" for one in seen.findings(params))


def test_an_encoder_of_text_alone_warns_of_nothing(on_hub: Hub) -> None:
    """The usual study stays without a word."""
    params = study(on_hub(), {"encoder": "xlmr-base"}, "xquad xnli", "mnli squad_v1")
    assert seen.findings(params) == []
    assert seen.lines(params) == []


def test_parallel_text_touches_the_retrieval_of_translations(on_hub: Hub) -> None:
    """InfoXLM saw no labels, but pairs, and pairs are what BUCC asks for."""
    params = study(on_hub(), {"encoder": "infoxlm-base"}, "bucc xnli")
    assert {(use, task, tie) for use, task, _, tie in ties(params)} == {
        ("target", "bucc", "parallel")
    }


@pytest.mark.parametrize(
    ("said", "strict"),
    [
        ({"set": "tydiqa", "splits": ["train"], "languages": ["en", "sw"]}, False),
        ({"set": "tydiqa", "splits": ["train"], "languages": ["en"]}, True),
        ({"set": "tydiqa", "splits": ["train"]}, True),  # XTREME's training rows are English
        ({"set": "tydiqa"}, False),
    ],
)
def test_labels_in_a_scored_language_are_not_zero_shot(
    said: dict[str, Any], strict: bool, on_hub: Hub
) -> None:
    """Swahili training rows take from zero-shot as much as the scored rows themselves."""
    own = {"hub": {"model": "org/name", "revision": "a" * 40}, "seen": [said]}
    assert seen.exposed(study(on_hub(), own, "tydiqa")) == ({} if strict else {"tydiqa": True})


def test_what_a_study_says_itself_counts(on_hub: Hub) -> None:
    """One's own encoder is in no table."""
    own = {"hub": {"model": "org/name", "revision": "a" * 40}}
    said = ["snli", {"set": "squad_v1", "source": "our paper", "splits": ["train"]}]
    params = study(on_hub(), own | {"seen": said}, "xnli", "squad_v2 snli")
    assert ties(params) == {
        ("intermediate", "squad_v2", "squad_v1", "same"),
        ("intermediate", "snli", "snli", "same"),
    }
    text = "\n".join(seen.lines(params))
    assert "Warning: what org/name has seen before" in text
    assert (
        "squad_v2 (intermediate task), the same rows: SQuAD 1.1 train [our paper; stated]" in text
    )


def test_a_checkpoint_of_which_nothing_is_known_is_no_clean_one(on_hub: Hub) -> None:
    """Silence would read as if it had seen nothing."""
    own = {"hub": {"model": "org/name", "revision": "a" * 40}}
    assert "is not known here" in seen.lines(study(on_hub(), own, "xnli"))[0]
    assert seen.lines(study(on_hub(), own | {"seen": []}, "xnli")) == []


def test_masked_language_modelling_learns_no_labels(on_hub: Hub) -> None:
    """Text of a task is not the task."""
    whole = on_hub() | {"pretrain": {"encoder": "e5-small"}}
    corpora = [{"task": "squad_v1", "languages": ["en"]}]
    whole["targets"] = {"udpos": SPEC}
    whole["intermediate"] = [{"mlm": {"corpora": corpora, "rows": 100}, "seeds": [1]}]
    params = Params.model_validate(compile_study(Study.model_validate(whole), "small"))
    assert not seen.findings(params)


@pytest.mark.parametrize(
    ("pretrain", "wrong"),
    [
        ({"encoder": "mbert", "seen": ["mnlii"]}, "unknown set 'mnlii': take the name of a task"),
        ({"encoder": "mbert", "seen": [{"set": "xnli", "split": "test"}]}, "Extra inputs"),
    ],
)
def test_a_set_that_is_not_known_is_refused(
    pretrain: dict[str, Any], wrong: str, on_hub: Hub
) -> None:
    """A slip of the pen would warn of nothing."""
    with pytest.raises(ValueError, match=wrong):
        study(on_hub(), pretrain, "xnli")
