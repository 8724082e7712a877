"""Batch statistics of all processes' tiles, so that a batch that is shared is normalized as a whole.

On CUDA that is torch's ``SyncBatchNorm``, which knows no other device. Elsewhere, and for batch renormalization on any,
it is done here: sums are added up over the processes, and so are their gradients.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.nets import BatchRenorm2d


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalization of one or two dimensions by the statistics of all processes' tiles; some may have none."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized, scaled and shifted."""
        if not self.training:
            return super().forward(input)
        mean, variance, count = shared_moments(input)
        self._remember(mean.detach(), variance.detach() * (count / (count - 1).clamp(min=1)))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shape = (1, -1, *(1 for _ in input.shape[2:]))
        return input * scale.view(shape) + (self.bias - mean * scale).view(shape)

    def _check_input_dim(self, input: Tensor) -> None:
        """Take inputs of any number of dimensions."""

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


class SharedBatchRenorm(BatchRenorm2d):
    """Batch renormalization by the statistics of all processes' tiles; some may have none."""

    def moments(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each channel over all processes' values."""
        mean, variance, _ = shared_moments(values)
        return mean, variance


def shared_moments(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance (biased) and number of each channel's values over all processes, with their gradients.

    Parameters
    ----------
    values
        Shape (n, channels, …); n may differ between processes and be 0.
    """
    axes = [axis for axis in range(values.ndim) if axis != 1]
    shape = (1, -1, *(1 for _ in values.shape[2:]))
    here = values.new_tensor([values.numel() // values.shape[1]])
    totals = _summed(torch.cat((values.sum(dim=axes), here)))
    mean, count = totals[:-1] / totals[-1], totals[-1]
    return mean, _summed((values - mean.view(shape)).square().sum(dim=axes)) / count, count


def share_statistics(net: nn.Module) -> set[str]:
    """Replace, in place, the normalization layers of a net by such as share their statistics.

    Parameters, buffers and their names stay the same ones.

    Returns
    -------
    set of str
        The kinds of layers that keep statistics and can't share them.
    """
    lonely = set()
    for name, module in list(net.named_children()):
        replaced = _shared(module)
        if replaced is not None:
            setattr(net, name, replaced)
        elif isinstance(module, _BatchNorm) and not isinstance(module, SharedBatchNorm | nn.SyncBatchNorm):
            lonely.add(type(module).__name__)
        else:
            lonely |= share_statistics(module)
    return lonely


def _shared(module: nn.Module) -> nn.Module | None:
    """Return the layer that takes another's place; None where it stays."""
    if type(module) is BatchRenorm2d:
        renorm = SharedBatchRenorm(len(module.weight), eps=module.eps, momentum=module.momentum, limits=module.limits)
        return _with_tensors_of(module, renorm)
    if type(module) not in (nn.BatchNorm1d, nn.BatchNorm2d):  # one that derives from them may do more than they
        return None
    norm = cast(_BatchNorm, module)
    if norm.weight.is_cuda:
        return cast(nn.Module, nn.SyncBatchNorm.convert_sync_batchnorm(norm))  # type: ignore[no-untyped-call]
    shared = SharedBatchNorm(norm.num_features, eps=norm.eps, momentum=norm.momentum)
    return _with_tensors_of(norm, shared)


def _with_tensors_of(before: nn.Module, after: nn.Module) -> nn.Module:
    for name, parameter in before.named_parameters(recurse=False):
        after.register_parameter(name, parameter)
    for name, buffer in before.named_buffers(recurse=False):
        after.register_buffer(name, buffer)
    return after.train(before.training)


def _summed(values: Tensor) -> Tensor:
    return cast(Tensor, _Summed.apply(values))  # type: ignore[no-untyped-call]


class _Summed(torch.autograd.Function):
    """The sum over all processes; what any of them makes of it counts in the gradient of each."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # Any: torch leaves it untyped
        total = values.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total
