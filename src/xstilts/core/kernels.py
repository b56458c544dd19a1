"""float32 products on x86 CPUs by oneDNN, exact roots and quick dropout, in place of torch's own.

torch multiplies by MKL, which rounds otherwise on an AMD CPU than on Intel's, and with AVX-512 than
with AVX2. oneDNN, which comes with torch, computes each number of a product by one chain of fused
multiplications and additions whatever the CPU and its number of threads; where the width of its
vectors would cut the chain, it is cut here. Small products and vectors go to NumPy's OpenBLAS, held
to its Haswell kernels (`determinism.X86`). What else takes long is cut into blocks that depend on
shapes alone, one thread a block, so that the number of threads decides nothing. The kernels sit
below autograd; what is not float32 goes to torch's own.
"""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

# Factors of a chain: oneDNN 3.12 cuts longer ones by the CPU, the layout and the threads.
CHAIN = 512
WORK = 1 << 25  # multiplications in a block of a product
SMALL = 1 << 15  # multiplications, for which to call oneDNN costs more than they do
BLOCK = 1 << 22  # multiplications in a block of many small products
ELEMENTS = 1 << 18  # in a block of what goes by element; a multiple of all vectors' widths
UPDATED = 1 << 20  # weights that one thread updates at once

Kernel = Callable[..., Any]
Job = Callable[[], Any]
T = TypeVar("T")
R = TypeVar("R")
_library: list[torch.library.Library] = []  # its kernels go when it goes
_helpers: list[ThreadPoolExecutor] = []  # one a thread beside the calling one
_lane = threading.local()  # of a thread that works beside others: its own helpers, its own stream


class _Torchs(Exception):
    """What torch's own kernel is for."""


def install(threads: int) -> None:
    """Replace the kernels, once a process; they take so many threads from now on."""
    if threads != len(_helpers) + 1:
        _helpers[:] = [_helper() for _ in range(threads - 1)]
    if _library:
        return
    _library.append(torch.library.Library("aten", "IMPL"))
    plain: dict[str, Kernel] = {"mm": _mm, "bmm": _bmm, "sqrt": _sqrt}
    added: dict[str, Kernel] = {"addmm": _addmm, "baddbmm": _plus(_bmm), "addmv": _plus(_mv)}
    only: dict[str, Kernel] = {
        **{"dot": _dot, "vdot": _dot, "pow.Tensor_Scalar": _power, "bernoulli_.float": _bernoulli},
        **{"gelu": _gelu, "gelu_backward": _gelu_backward, "_fused_adamw_": _adamw},
    }
    inside = {f"{name}_": _into(ours) for name, ours in {**added, "sqrt": _sqrt}.items()}
    outside = {f"{name}.out": _into(ours) for name, ours in {**plain, **added}.items()}
    for name, ours in {**plain, **added, **only, **inside, **outside}.items():
        _replace(name, ours)
    for key in ("CPU", "AutogradCPU"):  # on the latter its backward pass is that of its parts
        _replace("_scaled_dot_product_flash_attention_for_cpu", _attention, key)


def installed() -> bool:
    """Whether this process computes by them."""
    return bool(_library)


def _helper() -> ThreadPoolExecutor:
    """A thread whose torch kernels take no more threads."""
    return ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))


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


def abreast(jobs: Sequence[Job]) -> list[Any]:
    """Do jobs at once, each in a thread of its own; their results.

    Threads that are left over help them; there must not be more jobs than threads.
    """
    shares = [_helpers[len(jobs) - 1 + n :: len(jobs)] for n in range(len(jobs))]

    def work(job: Job, helpers: list[ThreadPoolExecutor]) -> Any:
        _lane.helpers = helpers
        try:
            return job()
        finally:
            vars(_lane).clear()

    begun = zip(_helpers, jobs[1:], shares[1:], strict=False)
    others = [helper.submit(work, job, own) for helper, job, own in begun]
    try:
        first = work(jobs[0], shares[0])
    finally:
        wait(others)
    return [first, *(one.result() for one in others)]


def each(work: Callable[[T], R], some: Iterable[T]) -> Iterator[R]:
    """`map`, by all threads at once where the kernels are installed; results in order."""
    rest = iter(some)
    while several := list(islice(rest, len(_helpers) + 1)):
        yield from abreast([partial(work, one) for one in several])


def draw_from(generator: torch.Generator) -> None:
    """Let this thread draw masks of dropout from a stream of its own, until its job is done."""
    _lane.generator = generator


def _mine() -> list[ThreadPoolExecutor]:
    """The helpers of this thread."""
    found: list[ThreadPoolExecutor] = getattr(_lane, "helpers", _helpers)
    return found


def _compute(jobs: Sequence[Job]) -> None:
    """Do all jobs, by this thread and its helpers; the libraries leave the interpreter free."""
    queue, inference = deque(jobs), torch.is_inference_mode_enabled()

    def work() -> None:
        with torch.inference_mode(inference):  # a mode of each thread
            while queue:
                try:
                    job = queue.popleft()
                except IndexError:  # another thread was faster
                    return
                job()

    helped = [helper.submit(work) for helper in _mine()[: len(jobs) - 1]]
    work()
    for one in helped:
        if not one.cancel():
            one.result()


def _fits(a: Tensor, b: Tensor, rank: int) -> None:
    """See that it is a float32 product of matrices (rank 2) or of rows of matrices (rank 3)."""
    inner = a.dim() == b.dim() == rank and a.shape[-1] == b.shape[-2]
    if not inner or a.shape[:-2] != b.shape[:-2]:
        raise _Torchs
    if a.dtype != torch.float32 or b.dtype != torch.float32:
        raise _Torchs


def _mm(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b + bias: [m, k] [k, n] [n], whatever strides."""
    _fits(a, b, 2)
    (rows, inner), columns = a.shape, b.shape[1]
    if min(rows, columns) < 2 or rows * columns * inner < SMALL:
        product = torch.from_numpy(np.matmul(a.detach().numpy(), b.detach().numpy()))
        return product if bias is None else product.add_(bias)
    left, right = a.detach(), b.detach()
    if bias is None and left.t().is_contiguous() and columns < rows:
        return _linears(right.t(), left.t(), None).t().contiguous()
    return _linears(left, right, bias)


def _linears(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    """left right + bias, some rows at a time, which are copied where they are not dense."""
    rows, inner = left.shape
    chains = [(at, _dense(right[at].t())) for at in _cuts(inner, CHAIN)]
    *cuts, last = _cuts(rows - 1, _share(rows, rows * inner * right.shape[1]))
    cuts.append(slice(last.start, rows))  # never a single row, which oneDNN sums otherwise
    if len(cuts) == 1:
        return _linear(left, chains, bias)
    out = torch.empty(rows, right.shape[1])

    def job(at: slice) -> None:
        out[at].copy_(_linear(left[at], chains, bias))

    _compute([partial(job, at) for at in cuts])
    return out


def _share(rows: int, work: int) -> int:
    """Rows that one thread multiplies at once, in steps of 64: oneDNN makes code for each shape."""
    pieces = min(8, max(1, work // WORK)) if _mine() else 1
    return 64 * -(-rows // (64 * pieces))


@torch.no_grad()  # oneDNN has slow kernels alone for what is to be differentiated
def _linear(left: Tensor, chains: list[tuple[slice, Tensor]], bias: Tensor | None) -> Tensor:
    """left right' + bias by one thread, one part of the inner dimension after the other."""
    linear = torch.ops.mkldnn._linear_pointwise
    (first, right), *others = chains
    made: Tensor = linear(left[:, first], right, bias, "none", [], "")
    for at, right in others:
        made = linear.binary(left[:, at], made, right, None, "add")
    return made


def _dense(matrix: Tensor) -> Tensor:
    """As it is where its rows or its columns follow each other: else oneDNN has no quick kernel."""
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()


def _cuts(length: int, size: int) -> list[slice]:
    """Pieces of a dimension, which its length alone decides."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _bmm(a: Tensor, b: Tensor) -> Tensor:
    """[n, m, k] [n, k, o]: many small products."""
    _fits(a, b, 3)
    product = torch.empty((*a.shape[:-1], b.shape[-1]))
    left, right, out = a.detach().numpy(), b.detach().numpy(), product.numpy()
    count = max(1, out.size * a.shape[-1] // BLOCK)
    size = max(1, -(-len(out) // count))

    def job(at: slice) -> None:
        np.matmul(left[at], right[at], out=out[at])

    _compute([partial(job, at) for at in _cuts(len(out), size)])
    return product


def _mv(a: Tensor, b: Tensor) -> Tensor:
    return _mm(a, b.unsqueeze(-1)).squeeze(-1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return _mm(a.unsqueeze(0), b.unsqueeze(-1)).squeeze()


def _addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta c + alpha a b; a bias of float32 in one go."""
    if c.dim() == 1 and beta == alpha == 1 and c.dtype == torch.float32 and len(c) == b.shape[-1]:
        return _mm(a, b, c)
    return _plus(_mm)(c, a, b, beta=beta, alpha=alpha)


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


def _bernoulli(x: Tensor, p: float = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1 (of probability p, in steps of 2 ** -16) and 0: the mask of dropout.

    From a stream of NumPy's that one number of torch's stream begins.
    """
    if x.dtype != torch.float32 or not x.is_contiguous():
        raise _Torchs
    stream = generator or getattr(_lane, "generator", None)
    begin = torch.empty((), dtype=torch.int64).random_(generator=stream)
    drawn = np.random.SFC64(int(begin)).random_raw(-(-x.numel() // 4)).view(np.uint16)
    kept = drawn[: x.numel()] < np.uint32(round(p * 65_536))
    x.detach().view(-1).numpy()[:] = kept
    return x


def _blocks(size: int, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Flat pieces of tensors of one size, cut alike."""
    flat = [one.detach().view(-1) for one in tensors]
    return [tuple(one[at] for one in flat) for at in _cuts(flat[0].numel(), size)]


def _by_element(kernel: Kernel, *given: Tensor, approximate: str) -> Tensor:
    """A kernel that goes by element, as its form that writes into its last tensor has it."""
    plain = all(one.dtype == torch.float32 and one.is_contiguous() for one in given)
    if not plain or not _mine():
        raise _Torchs
    out = torch.empty_like(given[0])
    _compute([partial(kernel, at, approximate) for at in _blocks(ELEMENTS, *given, out)])
    return out


def _gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    def write(at: tuple[Tensor, ...], approximate: str) -> None:
        torch.ops.aten.gelu.out(at[0], approximate=approximate, out=at[1])

    return _by_element(write, x, approximate=approximate)


def _gelu_backward(gradient: Tensor, x: Tensor, *, approximate: str = "none") -> Tensor:
    def write(at: tuple[Tensor, ...], approximate: str) -> None:
        torch.ops.aten.gelu_backward.grad_input(
            at[0], at[1], approximate=approximate, grad_input=at[2]
        )

    return _by_element(write, gradient, x, approximate=approximate)


def _adamw(*lists: Any, **settings: Any) -> None:
    """AdamW's update, by element: of weights, gradients and both moments, at each one's step."""
    weights, gradients, first, second, largest, steps = lists
    given = [weights, gradients, first, second]
    total = sum(one.numel() for one in weights)
    plain = all(
        one.is_contiguous() and one.dtype == torch.float32 for some in given for one in some
    )
    if total <= 4 * UPDATED or largest or not plain or not _mine():
        raise _Torchs
    jobs: list[list[tuple[Tensor, ...]]] = [[]]
    room = UPDATED
    for *own, step in zip(*given, steps, strict=True):
        for piece in _blocks(UPDATED, *own):
            if piece[0].numel() > room:
                jobs.append([])
                room = UPDATED
            jobs[-1].append((*piece, step))
            room -= piece[0].numel()

    def update(job: list[tuple[Tensor, ...]]) -> None:
        weight, gradient, one, two, step = (list(some) for some in zip(*job, strict=True))
        torch.ops.aten._fused_adamw_(weight, gradient, one, two, [], step, **settings)

    _compute([partial(update, job) for job in jobs if job])


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
