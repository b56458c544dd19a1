"""The norm by which gradients are clipped: torch's, and the same bits with fewer empty rows."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from xstilts.training import clip


class Engine:
    """What clipping asks of DeepSpeed's."""

    rows = None  # the embedding's gradient is whole

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def zero_optimization_stage(self) -> int:
        """No ZeRO."""
        return 0

    def gradient_clipping(self) -> float:
        """The largest norm."""
        return 0.5

    def clip_fp32_gradients(self) -> None:
        """Replaced."""


def clipped(rows: np.ndarray, rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of an embedding and of a layer, clipped together."""
    net = nn.ModuleList([nn.Embedding(*rows.shape), nn.Linear(3, 2, bias=False)])
    net[0].weight.grad, net[1].weight.grad = torch.tensor(rows), rest.clone()
    engine = Engine(net)
    clip.by_rows(engine)
    engine.clip_fp32_gradients()
    return net[0].weight.grad, net[1].weight.grad


@given(
    st.integers(1, 40), st.integers(0, 3000), st.sampled_from([3, 16, 24]), st.integers(0, 2**32)
)
def test_rows_without_a_gradient_change_no_bit(
    used: int, empty: int, hidden: int, seed: int
) -> None:
    """However many there are, and wherever they lie between the others."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.normal(size=(used, 1))
    rows = (rng.normal(size=(used, hidden)) * scale).astype(np.float32)
    whole = np.zeros((used + empty, hidden), np.float32)
    places = np.sort(rng.choice(used + empty, used, replace=False))
    whole[places] = rows
    rest = torch.tensor(rng.normal(size=(2, 3)).astype(np.float32))
    (one, layer), (two, same) = clipped(rows, rest), clipped(whole, rest)
    assert torch.equal(one, two[torch.tensor(places)])
    assert torch.equal(layer, same)


def test_it_is_the_norm_of_torch() -> None:
    """And what is no number is not hidden by looking for rows that have a gradient."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 16)).astype(np.float32)
    rest = torch.tensor(rng.normal(size=(2, 3)).astype(np.float32))
    one, layer = clipped(rows, rest)
    weights = [nn.Parameter(torch.zeros(50, 16)), nn.Parameter(torch.zeros(2, 3))]
    weights[0].grad, weights[1].grad = torch.tensor(rows), rest.clone()
    nn.utils.clip_grad_norm_(weights, 0.5)
    assert torch.allclose(one, weights[0].grad, rtol=1e-5)
    assert torch.allclose(layer, weights[1].grad, rtol=1e-5)
    assert torch.equal(clipped(rows / 1e4, rest / 1e4)[1], rest / 1e4)  # below the limit
    rows[3, 4] = np.nan
    assert clipped(rows, rest)[1].isnan().all()
