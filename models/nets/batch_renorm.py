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


BATCH_NORM = RenormLimits(1.0, 0.0)  # plain batch normalization
IOFFE = RenormLimits(3.0, 5.0)  # what the paper's training ends with (section 4)
UNLIMITED = RenormLimits(float("inf"), float("inf"))  # Keras's default, which H2G-Net's published code keeps


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
        mean = values.mean(dim=(0, 2, 3))
        deviation = (values.var(dim=(0, 2, 3), unbiased=False) + self.eps).sqrt()
        ratio, shift = self._corrections(mean.detach(), deviation.detach())
        self._remember(mean.detach(), deviation.detach())
        # (x − μ_B) / σ_B · r + d, as one subtraction and one division
        return self._affine(x, mean - shift * deviation / ratio, deviation / ratio)

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


def relaxed_limits(
    step: int, *, batch_norm_steps: int = 5_000, r_steps: int = 40_000, d_steps: int = 25_000
) -> RenormLimits:
    """Return the limits at a step of a training as the paper relaxes them (section 4), linearly from `BATCH_NORM`.

    Parameters
    ----------
    step
        Counted from 0.
    batch_norm_steps
        So long, plain batch normalization.
    r_steps, d_steps
        Steps at which r and d have reached `IOFFE`; the paper's numbers suit trainings of 100,000 steps and more.
    """

    def progress(end: int) -> float:
        return min(1.0, max(0.0, (step - batch_norm_steps) / max(1, end - batch_norm_steps)))

    return RenormLimits(1 + (IOFFE.r_max - 1) * progress(r_steps), IOFFE.d_max * progress(d_steps))


def set_renorm_limits(net: nn.Module, limits: RenormLimits) -> None:
    """Set the limits of every batch renormalization in a net; where there is none, nothing changes."""
    for module in net.modules():
        if isinstance(module, BatchRenorm2d):
            module.limits = limits


def set_renorm_momentum(net: nn.Module, momentum: float) -> None:
    """Set the weight of the newest batch in the running statistics of every batch renormalization in a net."""
    for module in net.modules():
        if isinstance(module, BatchRenorm2d):
            module.momentum = momentum
