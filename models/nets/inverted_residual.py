"""What MobileNetV2 and its descendants share: stages of inverted residuals, with maps taken on the way.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018 (arXiv:1801.04381), table 1: expand
by a 1×1 convolution, filter each channel, project without an activation, add what came in where the shape stayed.
Kernels, padding, normalization and the names of weights are each net's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from torch import Tensor, nn


class Stage(NamedTuple):
    """Some blocks of one width, as a row of a paper's table says."""

    out_channels: int
    repeats: int
    stride: int
    """Of the first block; the others keep the size."""
    expansion: int = 6
    kernel: int = 3


class Block(NamedTuple):
    """One block of a stage."""

    in_channels: int
    out_channels: int
    stride: int
    expansion: int
    kernel: int

    @property
    def inner_channels(self) -> int:
        """Between expansion and projection."""
        return self.in_channels * self.expansion

    @property
    def keeps_shape(self) -> bool:
        """Whether what comes in can be added to what goes out."""
        return self.stride == 1 and self.in_channels == self.out_channels


def blocks_of(stages: Iterable[Stage], in_channels: int) -> Iterator[Block]:
    """Yield the blocks of all stages in order, each fed by the one before; the first by ``in_channels``."""
    for stage in stages:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            yield Block(in_channels, stage.out_channels, stride, stage.expansion, stage.kernel)
            in_channels = stage.out_channels


class InvertedResidual(nn.Module, ABC):
    """A block, with its way around; a net adds the layers, under the names of its published weights."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.is_residual = block.keeps_shape

    @abstractmethod
    def projected(self, x: Tensor) -> Tensor:
        """Return the input expanded, filtered and projected."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's map."""
        out = self.projected(x)
        return x + out if self.is_residual else out


def maps_along(modules: Iterable[nn.Module], x: Tensor, after: Collection[int]) -> list[Tensor]:
    """Return what modules applied one after another give at some of their places, in order."""
    maps = []
    for index, module in enumerate(modules):
        x = module(x)
        if index in after:
            maps.append(x)
    return maps
