"""What a net learns from: a task makes a step's batch, and says what is wrong with the net's answer to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from models.nets import Normalize, mixed_precision

B = TypeVar("B")


class Task(Protocol[B]):
    """One net's lessons. A step's batch depends on its number alone: reading ahead and resuming change nothing."""

    def make(self, step: int) -> B:
        """Return the batch of one step; called ahead of its turn, in several threads at once.

        Raises
        ------
        SlideError
            A slide can't be read.
        """
        ...

    def losses(self, net: nn.Module, batch: B) -> Iterator[Tensor]:
        """Yield the parts of the step's loss, which add up to it.

        Each is back-propagated before the next is asked for, so that a large batch needs the memory of its parts. The
        net is in training mode, torch's random state that of the step. Where several processes train it, a batch is one
        process's share, and each part the loss of the whole.
        """
        ...


def scores_of(net: nn.Module, normalize: Normalize, pixels: Tensor) -> Tensor:
    """Return a net's scores of raw pixels (float, 0–255, any device), float32 on the net's device."""
    device = normalize.mean.device
    inputs = normalize(pixels.to(device)).contiguous(memory_format=torch.channels_last)
    with mixed_precision(device):
        scores: Tensor = net(inputs)
    return scores.float()
