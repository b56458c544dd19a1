"""One run on several nodes by `xstilts submit`: which jobs ask for them, and who is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xstilts import pipeline
from xstilts.commands import use
from xstilts.commands.submit import ledger
from xstilts.commands.submit.show import show_submit
from xstilts.core import flow
from xstilts.core.errors import UserError

pytestmark = pytest.mark.usefixtures("studied")
TWO = "nodes: 2\nprocesses: 4\nthreads: 8\ncluster: {gpus: 4}\n"


def scripts() -> dict[str, str]:
    """Array -> the job script that was handed over, after a submission to SLURM."""
    show_submit("slurm", dry_run=False)
    folder = ledger.submissions()[-1].folder
    return {path.stem: path.read_text() for path in folder.glob("*.sbatch")}


def test_what_trains_has_all_nodes_and_a_task_on_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A task a node, as each starts its own workers (docs/multi-node.md); all else has one node."""
    Path("machine.yaml").write_text(TWO)
    found = scripts()
    assert {name.partition("-")[0] for name in found} == {*flow.WORDS, "record"}
    for name, text in found.items():
        nodes = 2 if name.partition("-")[0] in flow.TRAINED else 1
        assert f"#SBATCH --nodes={nodes}\n#SBATCH --ntasks-per-node=1\n" in text, name
        assert "--ntasks=" not in text, "which would take the second node back"
    assert "#SBATCH --cpus-per-task=32\n" in found["transfer"], "of each node's four workers"
    assert "#SBATCH --gres=gpu:4\n" in found["transfer"]
    assert "2 nodes with 32 CPUs" in capsys.readouterr().out


def test_one_node_is_what_a_machine_has_that_says_nothing() -> None:
    """As before there was a choice."""
    assert all("#SBATCH --nodes=1\n" in text for text in scripts().values())


def test_a_checkpoint_is_imported_on_one_node(
    on_hub: Callable[..., dict[str, Any]],
    save: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is one copy: its job asks for a node, and its stage asks for no others there."""
    Path("machine.yaml").write_text(TWO)
    save(on_hub() | {"study": "imported"})
    use.use("imported")
    assert "#SBATCH --nodes=1\n" in (found := scripts())["pretrain"]
    assert "#SBATCH --nodes=2\n" in found["transfer"]
    ran: list[str] = []
    monkeypatch.setattr(pipeline, "_run", lambda *given: ran.append(given[2]))
    pipeline.run_stage("pretrain")
    assert ran == ["pretrain"], "in this process"
    with pytest.raises(UserError, match="asks for 2 nodes, and this stage was started on one"):
        pipeline.run_stage("transfer", "none-s1")


@pytest.mark.parametrize(
    ("engine", "machine", "says"),
    [
        ("hq", TWO, r"hq starts a task on one node.* --engine slurm`, or `nodes: 1`"),
        (
            "slurm",
            TWO.replace("gpus: 4", "container: apptainer exec kit.sif"),
            r"there is no srun that could start the others. Mend: leave `container` out",
        ),
    ],
)
def test_nodes_that_could_not_start_are_refused(engine: str, machine: str, says: str) -> None:
    """In one line before anything is queued, and not in each job's log."""
    Path("machine.yaml").write_text(machine)
    for dry_run in (True, False):
        with pytest.raises(UserError, match=rf"asks for 2 nodes.*{says}"):
            show_submit(engine, dry_run)
    assert not Path("jobs").exists()
    assert not ledger.submissions()
