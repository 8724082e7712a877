from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from net_support import BATCH_NORM, UNLIMITED
from torch import nn

from models.nets import (
    IOFFE,
    BatchRenorm2d,
    RenormLimits,
    set_renorm_momentum,
)

EPS, MOMENTUM = 1e-3, 0.1


def layer(limits: RenormLimits) -> BatchRenorm2d:
    torch.manual_seed(3)
    net = BatchRenorm2d(3, eps=EPS, momentum=MOMENTUM, limits=limits).double()
    with torch.no_grad():
        net.weight.uniform_(0.5, 2)
        net.bias.uniform_(-1, 1)
        net.running_mean.uniform_(-1, 1)
        net.running_std.uniform_(0.5, 2)
    return net


def twin(net: BatchRenorm2d) -> nn.BatchNorm2d:
    """Return torch's batch normalization with the same weights and statistics."""
    norm = nn.BatchNorm2d(3, eps=EPS, momentum=MOMENTUM).double()
    with torch.no_grad():
        norm.weight.copy_(net.weight)
        norm.bias.copy_(net.bias)
    norm.running_mean, norm.running_var = net.running_mean.clone(), net.running_std**2 - EPS
    return norm


def batch(seed: int = 0, spread: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 3, 5, 6, generator=generator, dtype=torch.float64) * spread + shift


def test_in_evaluation_it_is_batch_normalization() -> None:
    net = layer(IOFFE).eval()
    assert torch.allclose(net(batch()), twin(net).eval()(batch()))


def test_without_correction_it_is_batch_normalization_gradients_included() -> None:
    """r = 1, d = 0."""
    net = layer(BATCH_NORM)
    norm = twin(net)
    ours, theirs = batch().requires_grad_(), batch().requires_grad_()
    target = batch(1)
    for module, x in ((net, ours), (norm, theirs)):
        ((module(x) - target) ** 2).sum().backward()
    assert torch.allclose(net(batch()), norm(batch()))
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad)
    assert net.weight.grad is not None
    assert norm.weight.grad is not None
    assert torch.allclose(net.weight.grad, norm.weight.grad)


@settings(max_examples=25, deadline=None)
@given(spread=st.floats(0.01, 20), shift=st.floats(-20, 20), r_max=st.floats(1, 5), d_max=st.floats(0, 6))
def test_training_follows_algorithm_1(spread: float, shift: float, r_max: float, d_max: float) -> None:
    net = layer(RenormLimits(r_max, d_max))
    x = batch(spread=spread, shift=shift)
    expected = torch.empty_like(x)
    mean, deviation = net.running_mean.clone(), net.running_std.clone()
    for c in range(3):  # the paper's lines, one channel at a time
        values = x[:, c]
        batch_mean = values.mean()
        batch_deviation = torch.sqrt(EPS + ((values - batch_mean) ** 2).mean())
        r = min(max(float(batch_deviation / deviation[c]), 1 / r_max), r_max)
        d = min(max(float((batch_mean - mean[c]) / deviation[c]), -d_max), d_max)
        normalized = (values - batch_mean) / batch_deviation * r + d
        expected[:, c] = net.weight[c].item() * normalized + net.bias[c].item()
        mean[c] += MOMENTUM * (batch_mean - mean[c])
        deviation[c] += MOMENTUM * (batch_deviation - deviation[c])
    assert torch.allclose(net(x), expected, atol=1e-8)
    assert torch.allclose(net.running_mean, mean)
    assert torch.allclose(net.running_std, deviation)


def test_without_limits_training_gives_what_evaluation_gives() -> None:
    """The paper's claim: uncorrected only in its gradient, the output is that of the running statistics."""
    net = layer(UNLIMITED)
    expected = net.eval()(batch())
    assert torch.allclose(net.train()(batch()), expected)


def test_no_gradient_goes_through_the_corrections() -> None:
    """Of algorithm 1: r and d are constants, so a shift of the whole batch has no gradient even where d follows it."""
    net = layer(UNLIMITED)
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    net(batch() + shift)[:, 0].sum().backward()
    assert shift.grad is not None
    assert abs(shift.grad.item()) < 1e-9


def test_gradient_is_the_equations() -> None:
    net = layer(BATCH_NORM)
    assert torch.autograd.gradcheck(net, (batch()[:2, :, :2, :2].requires_grad_(),))


def test_evaluation_keeps_the_statistics() -> None:
    net = layer(IOFFE).eval()
    before = net.running_mean.clone()
    net(batch())
    assert torch.equal(net.running_mean, before)


@pytest.mark.parametrize(("r_max", "d_max"), [(0.5, 1), (2, -1), (float("nan"), 1)])
def test_limits_that_limit_nothing_sensible_are_refused(r_max: float, d_max: float) -> None:
    with pytest.raises(ValueError, match="at least"):
        RenormLimits(r_max, d_max)


def test_momentum_is_set_everywhere_and_weighs_the_newest_batch() -> None:
    net = nn.Sequential(BatchRenorm2d(2), nn.Sequential(BatchRenorm2d(2)))
    set_renorm_momentum(net, 0.25)
    picture = torch.full((1, 2, 4, 4), 8.0)
    net(picture)
    assert torch.equal(net[0].running_mean, torch.full((2,), 2.0))
    assert net[1][0].momentum == 0.25
