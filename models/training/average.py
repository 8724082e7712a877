"""The running average of a net's weights: steadier than any single step of a short training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """``average ← d · average + (1 − d) · weights``, with ``d = min(decay, (1 + t) / (10 + t))``.

    The smaller decay at the start keeps the first, random weights from lingering (as in TensorFlow's and timm's).

    Parameters
    ----------
    net
        Its weights and running statistics are copied.
    decay
        0 follows the net exactly.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay = decay
        self.tensors = {key: value.detach().clone() for key, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module, step: int) -> None:
        """Take in the net after a step (0 for the first)."""
        decay = min(self._decay, (1 + step) / (10 + step)) if self._decay > 0 else 0.0
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                self.tensors[key].lerp_(value, 1 - decay)
            else:
                self.tensors[key].copy_(value)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from another average of the same net."""
        for key, value in tensors.items():
            self.tensors[key].copy_(value)
