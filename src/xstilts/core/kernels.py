"""float32 products on x86 CPUs by NumPy's OpenBLAS, and exact roots, in place of MKL's.

MKL rounds otherwise on an AMD CPU than on Intel's. OpenBLAS, held to its Haswell kernels
(`determinism.X86`), does not, and is as fast. Each product is cut into blocks that depend on its
shape alone, and a block is computed by one thread, so the number of threads decides nothing. The
kernels sit below autograd; what is not float32 goes to torch's own.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 1 << 22  # multiplications in a block: to hand over fewer costs more than it gains
WIDE = 64  # rows or columns of a block at least: each block packs the other matrix anew

Kernel = Callable[..., Any]
_library: list[torch.library.Library] = []  # its kernels go when it goes
_helpers: list[ThreadPoolExecutor] = []  # one a thread beside the calling one


class _Torchs(Exception):
    """What torch's own kernel is for."""


def install(threads: int) -> None:
    """Replace the kernels, once a process; products take so many threads from now on."""
    if threads != len(_helpers) + 1:
        _helpers[:] = [ThreadPoolExecutor(1) for _ in range(threads - 1)]
    if _library:
        return
    _library.append(torch.library.Library("aten", "IMPL"))
    plain: dict[str, Kernel] = {"mm": _mm, "bmm": _bmm, "sqrt": _sqrt}
    added = {"addmm": _plus(_mm), "baddbmm": _plus(_bmm), "addmv": _plus(_mv)}
    only: dict[str, Kernel] = {"dot": _dot, "vdot": _dot, "pow.Tensor_Scalar": _power}
    inside = {f"{name}_": _into(ours) for name, ours in {**added, "sqrt": _sqrt}.items()}
    outside = {f"{name}.out": _into(ours) for name, ours in {**plain, **added}.items()}
    for name, ours in {**plain, **added, **only, **inside, **outside}.items():
        _replace(name, ours)
    for key in ("CPU", "AutogradCPU"):  # on the latter its backward pass is that of its parts
        _replace("_scaled_dot_product_flash_attention_for_cpu", _attention, key)


def installed() -> bool:
    """Whether this process computes by them."""
    return bool(_library)


def _replace(name: str, ours: Kernel, key: str = "CPU") -> None:
    """Let `ours` compute an operator on the CPU, and torch's own kernel what `ours` will not."""
    theirs = torch.library.get_kernel(f"aten::{name}", key)

    def kernel(keys: Any, *given: Any, **more: Any) -> Any:
        try:
            return ours(*given, **more)
        except _Torchs:
            return theirs.call_boxed(keys, *given, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a kernel is overridden is the purpose
        _library[0].impl(name, kernel, key, with_keyset=True)


def _into(ours: Kernel) -> Kernel:
    """The form of a kernel that writes into `out`, or into its first argument."""

    def written(*given: Any, out: Tensor | None = None, **more: Any) -> Tensor:
        made = ours(*given, **more)
        target: Tensor = given[0] if out is None else out
        if target.dtype != made.dtype:
            raise _Torchs
        return target.resize_(made.shape).copy_(made)

    return written


def _multiply(a: Tensor, b: Tensor, rank: int) -> Tensor:
    """a b, of matrices (rank 2) or of equally long rows of matrices (rank 3), whatever strides."""
    fits = (
        a.dim() == b.dim() == rank and a.shape[-1] == b.shape[-2] and a.shape[:-2] == b.shape[:-2]
    )
    if not fits or a.dtype != torch.float32 or b.dtype != torch.float32:
        raise _Torchs
    product = torch.empty((*a.shape[:-1], b.shape[-1]))
    left, right, out = a.detach().numpy(), b.detach().numpy(), product.numpy()
    work, (rows, columns) = out.size * a.shape[-1], out.shape[-2:]
    if rank == 3:
        cuts = _cuts(len(out), work, 1)
        blocks = [(left[at], right[at], out[at]) for at in cuts]
    elif rows >= columns:
        blocks = [(left[at], right, out[at]) for at in _cuts(rows, work, WIDE)]
    else:
        blocks = [(left, right[:, at], out[:, at]) for at in _cuts(columns, work, WIDE)]
    _compute(blocks)
    return product


def _cuts(length: int, work: int, least: int) -> list[slice]:
    """Where a product of so much `work` is cut: by its shape alone."""
    pieces = max(1, min(work // BLOCK, length // least))
    size = max(1, -(-length // pieces))
    return [slice(start, start + size) for start in range(0, length, size)]


def _compute(blocks: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> None:
    """All blocks, by this thread and its helpers; NumPy leaves the interpreter free meanwhile."""
    queue = deque(blocks)

    def work() -> None:
        while queue:
            try:
                left, right, out = queue.popleft()
            except IndexError:  # another thread was faster
                return
            np.matmul(left, right, out=out)

    helped = [helper.submit(work) for helper in _helpers[: len(blocks) - 1]]
    work()
    for one in helped:
        if not one.cancel():
            one.result()


def _mm(a: Tensor, b: Tensor) -> Tensor:
    return _multiply(a, b, 2)


def _bmm(a: Tensor, b: Tensor) -> Tensor:
    return _multiply(a, b, 3)


def _mv(a: Tensor, b: Tensor) -> Tensor:
    return _mm(a, b.unsqueeze(-1)).squeeze(-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return _mm(a.unsqueeze(0), b.unsqueeze(-1)).squeeze()


def _plus(product: Kernel) -> Kernel:
    """beta c + alpha a b; of a beta of 0 follows that c is not looked at."""

    def added(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        out: Tensor = product(a, b)
        if c.dtype != torch.float32:
            raise _Torchs
        if alpha != 1:
            out.mul_(alpha)
        return out.add_(c, alpha=beta) if beta != 0 else out

    return added


def _sqrt(x: Tensor) -> Tensor:
    """Correctly rounded; MKL's begin with the CPU's own guess (DeepSpeed's clipping takes one)."""
    kind = torch.result_type(x, 0.5)
    wide = x.to(kind if kind.itemsize > 2 else torch.float32)
    return torch.as_tensor(np.sqrt(wide.detach().numpy())).to(kind)


def _power(x: Tensor, exponent: float) -> Tensor:
    if exponent != 0.5:
        raise _Torchs
    return _sqrt(x)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(scale q k' + mask) v by the products above; torch's fused form calls MKL itself.

    [b, heads, l, d] each -> the same, and nothing in place of what torch's backward pass needs.
    """
    if query.dtype != torch.float32 or is_causal or dropout_p:
        raise _Torchs
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        scores = scores + attn_mask
    return torch._safe_softmax(scores, -1) @ value, scores.new_empty(0)
