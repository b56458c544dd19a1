"""What is said of a kind and what its module can do are the same."""

import subprocess
import sys

import pytest

from xstilts.core import flow
from xstilts.kinds import modules
from xstilts.kinds.spec import KINDS
from xstilts.records import code
from xstilts.tasks import TASKS

TRAINED = ("encode", "weight", "loss")


def test_every_kind_has_a_spec_and_a_module_and_every_task_a_kind() -> None:
    """A task whose kind is misspelled fails here, not after its data is fetched."""
    assert KINDS.keys() == modules.MODULES.keys()
    assert {task.kind for task in TASKS.values()} <= KINDS.keys()


def test_columns_tell_the_kind() -> None:
    """A prepared file does not say of which kind it is."""
    columns = [frozenset(kind.columns) for kind in KINDS.values()]
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("name", KINDS)
def test_a_module_can_do_what_its_spec_says(name: str) -> None:
    """A missing function would be missed after hours of training."""
    kind, module = KINDS[name], modules.get(name)
    wanted = {"texts"}
    if kind.trained:
        own = {"model", "collate"} if kind.decodes else {"head"}
        wanted |= {*TRAINED, *(own if kind.scored else {"draw"})}
    if kind.chooses and not hasattr(module, "predict"):
        wanted |= {"outputs", "decode"}
    if kind.chooses or kind.by_id:
        wanted |= {"references"}
    assert not [one for one in wanted if not callable(getattr(module, one, None))]
    assert hasattr(module, "shuffle") is kind.shuffled
    assert set(kind.needed) <= set(kind.reads) <= set(kind.columns)
    assert kind.chooses or not kind.intermediate, "a grid may ask for `select: best`"


def test_what_reads_rows_runs_no_code_that_trains() -> None:
    """A change in a loss would make all data stale; and torch costs seconds at each start."""
    own = {path for path in code.ROOT.glob("kinds/*.py") if path.stem not in ("__init__", "spec")}
    machinery = {f"kinds/{path.stem}" for path in own}
    for word in flow.WORDS:
        found = machinery & set(code.modules(word))
        needed = machinery - {"kinds/pieces"} if word in flow.TRAINED else set()
        assert found - {"kinds/pieces"} == needed, word
    asked = "import sys, xstilts.kinds.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
