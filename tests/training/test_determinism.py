"""What decides bits is set in one place, told, and part of the name of every resumable state."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from xstilts.core import determinism
from xstilts.core.machine import Machine
from xstilts.training import state
from xstilts.training.engine import Workers

MACHINE = Machine(threads=1)
SOURCES = [str(Path(__file__).parents[1]), str(Path(determinism.__file__).parents[2])]


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
    monkeypatch.setattr(determinism, "has_avx2", lambda: avx2)
    determinism.prepare(Machine(threads=3))
    assert os.environ.get("ATEN_CPU_CAPABILITY") == ("avx2" if avx2 else None)
    assert os.environ.get("MKL_CBWR") == ("COMPATIBLE" if avx2 else None)
    assert os.environ.get("OPENBLAS_NUM_THREADS") == ("1" if avx2 else None)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"


def test_a_cpu_without_avx2_is_told_once_and_in_provenance(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then `verify` shows, of two runs that differ, that products were not computed alike."""
    assert determinism.asked(MACHINE)["float32_products"] == "oneDNN"
    monkeypatch.setattr(determinism, "has_avx2", lambda: False)
    determinism._warn.cache_clear()
    for _ in range(2):
        determinism.apply(MACHINE)
    assert capsys.readouterr().err.count("no x86 with AVX2") == 1
    assert determinism.asked(MACHINE)["float32_products"] == "torch"


@pytest.mark.parametrize("number", [0, 7, 2**63 - 1])
def test_a_stream_begins_as_torchs_own_without_a_look_at_the_stack(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """`torch.manual_seed` formats the stack three times where there is no GPU, at each update."""
    torch.manual_seed(number)
    usual = torch.rand(5)
    monkeypatch.setattr("traceback.format_stack", lambda *_: pytest.fail("the stack is read"))
    determinism.seed(number)
    assert torch.equal(torch.rand(5), usual)


PRODUCTS = """
from xstilts.core import determinism
from xstilts.core.machine import Machine
determinism.prepare(Machine(threads=2))
import numpy as np
import torch
torch.manual_seed(0)
def made():
    torch.manual_seed(0)
    a, b, c = (torch.randn(300, 300, requires_grad=True) for _ in range(3))
    d, e = (torch.randn(9, 70, 70, requires_grad=True) for _ in range(2))
    q = torch.randn(2, 3, 20, 16, requires_grad=True)
    mask = torch.zeros(2, 1, 20, 20)
    mask[1, :, :, 15:] = -torch.inf
    attend = torch.nn.functional.scaled_dot_product_attention
    found = [
        a @ b, a.T @ b[:, ::2], a[:1] @ b, a @ b[:, :1], a[::3] @ b.T, a[:7] @ b, a[:, :0] @ b[:0],
        torch.addmm(c[0], a, b.T, beta=0.5, alpha=2),
        torch.addmm(c.detach() * torch.nan, a, b, beta=0),
        torch.addmm(c[:, :1], a, b), a @ b[0], a[0] @ b, a[0] @ b[0], a[0].dot(b[1]),
        torch.addmv(c[0], a, b[0], beta=2, alpha=3), torch.bmm(d, e.mT), d @ e[0],
        torch.baddbmm(d[:1], d, e, beta=2, alpha=0.5), torch.einsum("ij,kj->ik", a, b),
        torch.nn.functional.linear(d, e[0], a[0, :70]), attend(q, q, q, attn_mask=mask),
        attend(q, q, q, is_causal=True), attend(q, q, q, scale=2.0),
    ]
    sum(one.sin().sum() for one in found).backward()
    with torch.inference_mode():
        out = torch.empty(0)
        torch.mm(a, b, out=out)
        found += [out, a @ b, c.clone().addmm_(a, b), attend(q, q, q), a[0] @ a[0]]
        torch.addmm(c, a, b, out=(other := torch.empty(300, 300)))
        found += [other, a.double() @ b.double(), a.bfloat16() @ b.bfloat16()]
        found += [torch.ones(3, 3).long() @ torch.ones(3, 3).long()]
    return [*found, a.grad, b.grad, c.grad, d.grad, e.grad, q.grad]
before = made()
for _ in range(2):  # twice does no harm
    determinism.apply(Machine(threads=2))
for one, two in zip(before, made(), strict=True):
    rough = one.dtype == torch.bfloat16  # torch's own in both: by other kernels, as it happens
    torch.testing.assert_close(one, two, atol=2e-3, rtol=2**-7 if rough else 1e-4)
from xstilts.core import kernels
a, b = torch.randn(333, 200), torch.randn(200, 90)
cut = a @ b
kernels.install(5)
assert torch.equal(cut, a @ b)
for wrong in (lambda: a @ a, lambda: torch.mm(a, b.double())):
    try:
        wrong()
        raise SystemExit("shapes or types that do not fit were taken")
    except RuntimeError:
        pass
"""


def test_products_below_autograd_are_torchs_but_for_their_rounding() -> None:
    """Values and gradients, any strides, beta and alpha, into `out`, and other types by torch."""
    apart(PRODUCTS)


CENSUS = """
import sys
sys.argv = ["training_bits.py", "1"]
from xstilts.core import determinism
from xstilts.core.machine import Machine
determinism.prepare(Machine(threads=1))
import torch
import training_bits
from torch.utils._python_dispatch import TorchDispatchMode
seen = set()
class Census(TorchDispatchMode):
    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        wide = any(getattr(one, "dtype", None) is torch.float64 for one in args)
        seen.add(op.overloadpacket.__name__ + "64" * wide)
        return op(*args, **(kwargs or {}))
with Census():
    training_bits.main(Machine(threads=1, micro_batch=training_bits.MICRO))
assert {"addmm", "bmm", "native_layer_norm", "tanh"} <= seen
# MKL's own of these rounded otherwise on a real EPYC than on an emulated one.
print("UNSAFE", *sorted(seen & {"asin", "atan", "asin64", "acos64", "atan64", "log64", "tan64"}))
"""


@pytest.mark.slow
def test_no_training_or_embedding_calls_mkl_for_a_product() -> None:
    """MKL logs every such call; and no function of its vectors is used that makes round unalike."""
    said = apart(CENSUS, MKL_VERBOSE="1").splitlines()
    assert [line for line in said if "MKL_VERBOSE" in line] == []
    assert said[-1] == "UNSAFE"


@pytest.mark.slow
def test_the_number_of_threads_decides_no_bit() -> None:
    """Nor whether a product is cut: blocks depend on its shape alone."""
    script = str(Path(__file__).parents[1] / "training_bits.py")
    one, three = (apart(None, script, threads) for threads in ("1", "3"))
    assert one == three
    assert len(one.splitlines()) == 15


@pytest.mark.slow
def test_the_width_of_vectors_decides_no_bit() -> None:
    """A CPU with AVX-512 computes at its own speed, and yet what one with AVX2 alone does."""
    script = str(Path(__file__).parents[1] / "training_bits.py")
    each = (apart(None, script, "2", ONEDNN_MAX_CPU_ISA=isa) for isa in ("AVX2", "AVX512_CORE"))
    one, other = each
    assert one == other


PRODUCTS_APART = """
import hashlib, sys
from xstilts.core import determinism
from xstilts.core.machine import Machine
determinism.prepare(Machine(threads=int(sys.argv[1])))
import torch
determinism.apply(Machine(threads=int(sys.argv[1])))
found, draw = hashlib.sha256(), torch.Generator()
sizes = (2, 3, 17, 64, 255, 384, 513, 700, 1024, 1025, 1536, 2100)
for number, inner in enumerate((1, 63, 256, 384, 512, 513, 640, 1023, 1024, 1025, 1536, 17000)):
    for rows, columns in zip(sizes, sizes[number:] + sizes[:number]):
        if rows * inner * columns > 1 << 28:
            continue
        draw.manual_seed(inner * rows + columns)
        a, b = torch.randn(rows, inner, generator=draw), torch.randn(inner, columns, generator=draw)
        bias = torch.randn(columns, generator=draw)
        turned = a.t().contiguous().t() @ b.t().contiguous().t()
        for one in (a @ b, turned, torch.addmm(bias, a, b)):
            found.update(one.numpy().tobytes())
        if sys.argv[2:]:  # once is enough, as all say the same
            exact = a.double() @ b.double()
            torch.testing.assert_close((a @ b).double(), exact, rtol=1e-4, atol=1e-2)
print(found.hexdigest())
"""


def test_a_product_has_the_same_bits_whatever_vectors_and_threads() -> None:
    """Sizes around all limits: where chains are cut, where threads share, where NumPy computes."""
    runs = [("AVX2", "1"), ("AVX512_CORE", "1", "compare"), ("AVX512_CORE", "3")]
    said = {apart(PRODUCTS_APART, *how, ONEDNN_MAX_CPU_ISA=isa) for isa, *how in runs}
    assert len(said) == 1


def apart(code: str | None, *command: str, **environment: str) -> str:
    """What a process of its own prints, as torch keeps the kernels that it was given."""
    made = subprocess.run(
        [sys.executable, *(["-c", code, *command] if code else command)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, *SOURCES]), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


ROOTS = """
import numpy as np
from xstilts.core import determinism
from xstilts.core.machine import Machine
for _ in range(2):  # twice does no harm
    determinism.apply(Machine(threads=1))
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


def test_a_square_root_is_correctly_rounded() -> None:
    """Of any type, with its gradient; MKL's begin with the CPU's own guess."""
    apart(ROOTS)


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
    assert told["float32_products"] == ("oneDNN" if determinism.has_avx2() else "torch")
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
    assert folder(save_seconds=1.0) == first
    with monkeypatch.context() as patch:
        patch.setattr(state, "device_name", lambda machine: "NVIDIA H200")
        assert folder() != first
    monkeypatch.setenv("MKL_CBWR", "AVX2")
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
