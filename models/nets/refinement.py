"""H2G-Net's refinement U-Net: slide and heat map at low resolution in, mask out.

Pedersen et al., "Hybrid guiding: A multi-resolution refinement approach for semantic segmentation of gigapixel
histopathological images" (H2G-Net), section 2.6. The layout is its published code's: from 1024² down to 4² in eight
halvings, two 3×3 convolutions a level, batch renormalization, dropout of whole channels in the decoder, nearest
upsampling; after Ronneberger, Fischer and Brox, MICCAI 2015 (arXiv:1505.04597). The paper's 11.58 M are
11,581,714 = 11,563,410 learned numbers and 4 for each of 4,576 normalized channels: Keras keeps two pairs of running
statistics, which follow the same rule; here is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.batch_renorm import IOFFE, BatchRenorm2d, RenormLimits
from models.nets.net import Net

REFINEMENT_SIDE = 1024
REFINEMENT_CHANNELS = (8, 16, 32, 64, 128, 128, 256, 256, 512)  # of each level, finest first


class _Level(nn.Sequential):
    """Twice: 3×3 convolution, batch renormalization, ReLU, dropout of channels."""

    def __init__(self, in_channels: int, out_channels: int, norm: Callable[[int], nn.Module], dropout: float) -> None:
        units: list[nn.Module] = []
        for before in (in_channels, out_channels):
            units += [nn.Conv2d(before, out_channels, 3, padding=1), norm(out_channels), nn.ReLU(inplace=True)]
            units += [nn.Dropout2d(dropout)] if dropout else []
        super().__init__(*units)


class RefinementUNet(Net):
    """A low-resolution picture in (with a heat map), one score per class and pixel out (before softmax).

    Parameters
    ----------
    n_classes
        Of the scores; the paper has two.
    in_channels
        4: slide and heat map. With 3 it is the paper's baseline UNet-LR, which sees the slide alone.
    channels
        Of each level, finest first; the last is the bottom.
    dropout
        Share of whole channels dropped in the decoder.
    limits
        Of batch renormalization. The published code has none (Keras's default), which normalizes hardly at all until
        the running statistics have come near; the default is Ioffe's.
    momentum
        Weight of the newest batch in the running statistics. The published code's suits thousands of steps; of a
        short training they would be the beginning's.

    Raises
    ------
    ValueError
        Fewer than two levels.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {"head.weight": (0,), "head.bias": (0,)}

    def __init__(
        self,
        n_classes: int = 2,
        *,
        in_channels: int = 4,
        channels: Sequence[int] = REFINEMENT_CHANNELS,
        dropout: float = 0.1,
        limits: RenormLimits = IOFFE,
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        if len(channels) < 2:
            raise ValueError(f"a U-Net needs at least two levels, not {tuple(channels)}")
        norm = partial(BatchRenorm2d, momentum=momentum, limits=limits)
        levels = [_Level(before, after, norm, 0.0) for before, after in pairwise((in_channels, *channels))]
        self.down, self.bottom = nn.ModuleList(levels[:-1]), levels[-1]
        upwards = pairwise(reversed(channels))
        self.up = nn.ModuleList(_Level(below + skip, skip, norm, dropout) for below, skip in upwards)
        self.head = nn.Conv2d(channels[0], n_classes, 1)
        _initialize(self)

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this."""
        return int(2 ** len(self.down))

    def forward(self, picture: Tensor) -> Tensor:
        """Return class scores.

        Parameters
        ----------
        picture
            Slide and heat map of the same ground, float32 in [0, 1], shape (n, in_channels, height, width).

        Returns
        -------
        Tensor
            float32, shape (n, n_classes, height, width).

        Raises
        ------
        ValueError
            The sides are no multiples of ``stride``.
        """
        if not _is_traced() and (picture.shape[-2] % self.stride or picture.shape[-1] % self.stride):
            raise ValueError(f"sides must be multiples of {self.stride}, not {tuple(picture.shape[-2:])}")
        skips, x = [], picture
        for level in self.down:
            skips.append(level(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for level, skip in zip(self.up, reversed(skips), strict=True):
            x = level(torch.cat((skip, functional.interpolate(x, scale_factor=2.0, mode="nearest")), dim=1))
        scores: Tensor = self.head(x)
        return scores


def _is_traced() -> bool:
    """Say whether a graph is being exported: there, sides are symbols that no check may fix."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]  # public, but not in its types


def _initialize(net: nn.Module) -> None:
    """Draw fresh convolutions as Glorot and Bengio (AISTATS 2010) do, biases zero: Keras's default."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # each convolution here has one
