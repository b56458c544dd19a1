"""The recipes of the official scripts: whole, sourced, and in agreement with what runs.

Run: python -m pytest tests/benchmarks/test_recipes.py
"""

import re

import pytest

from xstilts import tasks
from xstilts.benchmarks import compare
from xstilts.benchmarks.protocols import PROTOCOLS, Protocol
from xstilts.benchmarks.recipes import INTERMEDIATE, MODEL, RECALLED, RECIPES, Recipe
from xstilts.core.params import Training
from xstilts.kinds import ranking, span
from xstilts.kinds.spec import KINDS
from xstilts.model.published import ENCODERS

every = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
ALL: list[tuple[str, str, Recipe]] = [
    (protocol, task, recipe)
    for recipes in (RECIPES, INTERMEDIATE)
    for protocol, own in recipes.items()
    for task, recipe in own.items()
]
each = pytest.mark.parametrize(("protocol", "task", "recipe"), ALL)


@every
def test_every_task_of_a_protocol_has_a_recipe(protocol: Protocol) -> None:
    """A study that takes a target without one would be told to differ in nothing."""
    assert RECIPES[protocol.name].keys() == protocol.languages.keys()
    assert protocol.languages.keys().isdisjoint(INTERMEDIATE.get(protocol.name, {}))


@each
def test_every_value_says_where_it_was_read(protocol: str, task: str, recipe: Recipe) -> None:
    """A file and its lines at the protocol's commit, a library's default, or that it was not."""
    known = rf"[\w./]+\.(py|sh):\d+(-\d+)?(,\d+(-\d+)?)*|transformers [\d.]+, \w+|{RECALLED}"
    for name, said in recipe.items():
        assert re.fullmatch(known, said.source), (protocol, task, name)


@each
def test_settings_are_those_of_a_study(protocol: str, task: str, recipe: Recipe) -> None:
    """One that no study has could never be told as different; each is of some aspect."""
    told = {
        name for part in compare.ASPECTS.values() for names, _ in part.values() for name in names
    }
    assert recipe.keys() <= told
    given = {name: said.value for name, said in recipe.items()}
    whole = {name: value for name, value in given.items() if name in Training.model_fields}
    if "epochs" in whole:
        Training.model_validate({"batch": 1, "learning_rate": 1.0, **whole})


@every
def test_recipes_say_of_training_and_retrieval_what_the_protocol_says(protocol: Protocol) -> None:
    """Aggregates and layers are taken from the one, what is printed from the other."""
    for task, recipe in RECIPES[protocol.name].items():
        names = [recipe[one].value for one in ("before", "train") if one in recipe]
        assert ", then ".join(names or ["none"]) == protocol.training[task]
        assert set(names) <= set(tasks.NAMES)
        assert ("train" in recipe) == KINDS[tasks.load(task).kind].trained
        assert ("layer" in recipe or "pooling" in recipe) == (task in protocol.retrieval)
        for name in ("layer", "pooling", "similarity"):
            if name in recipe:
                assert recipe[name].value == getattr(protocol.retrieval[task], name)


@each
def test_decoding_is_that_of_the_kinds(protocol: str, task: str, recipe: Recipe) -> None:
    """These are constants of the code and no settings, so that no study can differ in them."""
    ours = {
        **{"max_question": span.MAX_QUESTION, "n_best": span.N_BEST},
        **{"max_answer": span.MAX_ANSWER, "max_query": ranking.MAX_QUERY},
    }
    for name in recipe.keys() & ours.keys():
        assert recipe[name].value == ours[name]


def test_recipes_are_of_the_model_that_the_studies_name() -> None:
    """`encoder: xlmr-large` compiles to this id; another is told as a difference."""
    assert ENCODERS["xlmr-large"].hub == MODEL


@every
def test_differences_name_tasks_that_there_are(protocol: Protocol) -> None:
    """`xstilts protocol --task` prints those of its task; a misspelt one would never be seen."""
    known = protocol.languages.keys() | INTERMEDIATE.get(protocol.name, {}).keys()
    for one in protocol.differences:
        assert set(one.tasks) <= known, one.text
        assert one.text.endswith((".", "_task.")), one.text
