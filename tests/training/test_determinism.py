"""What decides bits is set in one place, told, and part of the name of every resumable state."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from xstilts.core import determinism
from xstilts.core.machine import Machine
from xstilts.training import state
from xstilts.training.engine import Workers

MACHINE = Machine(threads=1)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing set by whoever runs the tests; all restored afterwards."""
    for name in (*determinism.X86, *determinism.CUDA, "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("avx2", [True, False])
def test_one_instruction_level_on_every_cpu_that_has_it(
    monkeypatch: pytest.MonkeyPatch, avx2: bool
) -> None:
    """AVX-512 sums in another order than AVX2; a CPU without AVX2 must not be asked for it."""
    monkeypatch.setattr(determinism, "_has_avx2", lambda: avx2)
    determinism.prepare(Machine(threads=3))
    assert os.environ.get("ATEN_CPU_CAPABILITY") == ("avx2" if avx2 else None)
    assert os.environ.get("MKL_CBWR") == ("AVX2" if avx2 else None)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"


def test_a_portable_training_takes_products_that_all_makes_of_cpu_round_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MKL ignores any other level on a CPU that is not Intel's; the state's name has it in."""
    monkeypatch.setattr(determinism, "_has_avx2", lambda: True)
    determinism.prepare(MACHINE.model_copy(update={"portable": True}))
    assert os.environ["MKL_CBWR"] == determinism.asked(MACHINE)["MKL_CBWR"] == "COMPATIBLE"


ROOTS = """
import numpy as np
from xstilts.core import determinism
from xstilts.core.machine import Machine
for _ in range(2):  # twice does no harm
    determinism.apply(Machine(threads=1, portable=True))
import torch
x = torch.rand(9999, requires_grad=True)
exact = torch.from_numpy(np.sqrt(x.detach().numpy()))
for root in (x.sqrt(), x ** 0.5, torch.sqrt(x)):
    assert torch.equal(root, exact)
x.sqrt().sum().backward()
assert torch.equal(x.grad, 1.0 / (2 * exact))
assert torch.tensor(9.0).pow(1.0 / 2.0).shape == ()
assert torch.tensor([4, 9]).sqrt().tolist() == torch.tensor([4, 9]).pow(0.5).tolist() == [2.0, 3.0]
assert torch.tensor([4, 9]).pow(2).tolist() == [16, 81]
assert torch.equal(torch.rand(3, 5).t() ** 3 >= 0, torch.ones(5, 3, dtype=torch.bool))
half = torch.tensor([2.0], dtype=torch.bfloat16)
assert half.sqrt().dtype == (half ** 0.5).dtype == (half ** 2).dtype == torch.bfloat16
"""


def test_a_portable_square_root_is_correctly_rounded() -> None:
    """In a process of its own, as torch keeps the kernels that it was given."""
    made = subprocess.run(
        [sys.executable, "-c", ROOTS], capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr
    assert not made.stderr


def test_what_the_user_has_set_stays_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed may be worth more than equal bytes; then the record says so."""
    monkeypatch.setenv("MKL_CBWR", "AUTO")
    determinism.prepare(MACHINE)
    assert os.environ["MKL_CBWR"] == determinism.report(MACHINE)["MKL_CBWR"] == "AUTO"


def test_a_worker_tells_what_holds() -> None:
    """For provenance: plain words and numbers."""
    Workers.start(MACHINE)
    told = determinism.report(MACHINE)
    assert told["deterministic_algorithms"] is True
    assert told["float32_matmul_precision"] == "highest"
    assert told["onednn"] is False
    assert told["threads"] == 1
    assert json.loads(json.dumps(told)) == told


def test_a_state_made_under_other_settings_is_another_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else half of a training would have other bits than its other half, and nobody would know."""

    def folder(**changes: Any) -> Path:
        return state.folder("pretrain", {}, [], MACHINE.model_copy(update=changes))

    first = folder()
    assert folder() == first
    assert folder(threads=2) != first
    assert folder(portable=True) != first
    assert folder(save_seconds=1.0) == first
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    assert folder() != first


def test_the_settings_come_before_numpy_and_torch() -> None:
    """Both read the environment when they are loaded, so nothing may load them before."""
    code = """
import sys
from xstilts import cli; from xstilts.core import determinism
determinism.prepare = lambda machine: sys.exit(len({"numpy", "torch"} & {*sys.modules}))
sys.argv = ["xstilts", "fetch", "any"]
cli.main()
"""
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0
