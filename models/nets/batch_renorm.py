"""Batch renormalization: batch normalization that, in training too, leans on the running statistics.

Ioffe, "Batch Renormalization: Towards Reducing Minibatch Dependence in Batch-Normalized Models", NIPS 2017
(arXiv:1702.03275), algorithm 1. It serves small batches, as the refinement U-Net of H2G-Net has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class RenormLimits:
    """How far batch renormalization may go from batch normalization (section 3).

    Parameters
    ----------
    r_max
        The ratio of deviations stays in [1 / r_max, r_max]; at least 1.
    d_max
        The shift, in running deviations, stays in [−d_max, d_max]; at least 0.

    Raises
    ------
    ValueError
        A limit below its least value.
    """

    r_max: float
    d_max: float

    def __post_init__(self) -> None:
        if not (self.r_max >= 1 and self.d_max >= 0):
            raise ValueError(f"batch renormalization needs r_max of at least 1 and d_max of at least 0, not {self}")


IOFFE = RenormLimits(3.0, 5.0)  # what the paper's training ends with (section 4)


class BatchRenorm2d(nn.Module):
    """Batch renormalization of (n, channels, height, width), algorithm 1.

    Training, with the batch's mean μ_B and deviation σ_B = √(ε + variance), and the running μ and σ from before::

        r = clip(σ_B / σ, 1 / r_max, r_max)        d = clip((μ_B − μ) / σ, −d_max, d_max)      both without gradient
        y = γ · ((x − μ_B) / σ_B · r + d) + β
        μ += momentum · (μ_B − μ)                   σ += momentum · (σ_B − σ)

    Evaluation: y = γ · (x − μ) / σ + β. The statistics see each small batch where gradients are accumulated.

    Parameters
    ----------
    channels
        Of the input.
    eps
        ε, added to the variance.
    momentum
        Weight of the newest batch in the running statistics.
    limits
        Of r and d; may be set anew between steps.
    """

    running_mean: Tensor
    running_std: Tensor

    def __init__(
        self, channels: int, *, eps: float = 1e-3, momentum: float = 0.01, limits: RenormLimits = IOFFE
    ) -> None:
        super().__init__()
        self.eps, self.momentum, self.limits = eps, momentum, limits
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_std", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the input normalized, scaled and shifted."""
        if not self.training:
            return self._affine(x, self.running_mean, self.running_std)
        values = x.to(self.running_mean.dtype)  # sums over a picture lose too much in half precision
        mean, variance = self.moments(values)
        deviation = (variance + self.eps).sqrt()
        ratio, shift = self._corrections(mean.detach(), deviation.detach())
        self._remember(mean.detach(), deviation.detach())
        # (x − μ_B) / σ_B · r + d, as one subtraction and one division
        return self._affine(x, mean - shift * deviation / ratio, deviation / ratio)

    def moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance (biased) of each channel; a layer that sees part of a batch may know the rest's."""
        return values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3), unbiased=False)

    def _corrections(self, mean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
        r_max, d_max = self.limits.r_max, self.limits.d_max
        ratio = (deviation / self.running_std).clamp(1 / r_max, r_max)
        return ratio, ((mean - self.running_mean) / self.running_std).clamp(-d_max, d_max)

    @torch.no_grad()
    def _remember(self, mean: Tensor, deviation: Tensor) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_std.lerp_(deviation, self.momentum)

    def _affine(self, x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        scale = self.weight / deviation
        offset = self.bias - mean * scale
        return x * scale.view(1, -1, 1, 1) + offset.view(1, -1, 1, 1)


def set_renorm_momentum(net: nn.Module, momentum: float) -> None:
    """Set the weight of the newest batch in the running statistics of every batch renormalization in a net."""
    for module in net.modules():
        if isinstance(module, BatchRenorm2d):
            module.momentum = momentum
