from __future__ import annotations

import pytest
import torch
from torch import nn

from models.training.average import WeightAverage


def test_a_constant_net_is_its_own_average() -> None:
    net = nn.BatchNorm2d(3)
    average = WeightAverage(net, 0.9)
    for step in range(5):
        average.update(net, step)
    assert all(torch.equal(average.tensors[key], value) for key, value in net.state_dict().items())


def test_the_start_is_forgotten_quickly() -> None:
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(100.0)
    average = WeightAverage(net, 0.95)
    with torch.no_grad():
        net.weight.fill_(1.0)
    for step in range(40):
        average.update(net, step)
    assert average.tensors["weight"].item() == pytest.approx(1.0, abs=0.5)


def test_no_decay_follows_the_net() -> None:
    net = nn.Linear(2, 2)
    average = WeightAverage(net, 0.0)
    with torch.no_grad():
        net.weight.add_(1)
    average.update(net, 50)
    assert torch.equal(average.tensors["weight"], net.weight)
