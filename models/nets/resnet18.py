"""ResNet-18 as an encoder, with torchvision's names, so that its ImageNet weight files (and timm's) load.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv:1512.03385), table 1, column
"18-layer": a 7×7 convolution, a 3×3 maximum, four stages of two blocks; a block is two 3×3 convolutions beside an
identity (figure 5, left), or beside a 1×1 convolution where the size changes (option B of section 4.1).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.nets.encoder import IMAGENET, Encoder

_STEM_CHANNELS = 64
_STAGE_CHANNELS = (64, 128, 256, 512)


class _Block(nn.Module):
    """Two 3×3 convolutions and a way around them; names follow torchvision's ``BasicBlock``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(x)))
        around = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn2(self.conv2(inner)) + around)


class ResNet18(Encoder):
    """ResNet-18 without its classification head.

    Parameters
    ----------
    depth
        Maps to compute, 1–5: strides 2, 4, 8, 16, 32 with 64, 64, 128, 256, 512 channels. Stages beyond are left out:
        4 is "through layer3".

    Raises
    ------
    ValueError
        ``depth`` is not 1–5.
    """

    def __init__(self, depth: int = 5) -> None:
        super().__init__()
        most = 1 + len(_STAGE_CHANNELS)
        if not 1 <= depth <= most:
            raise ValueError(f"ResNet-18 has 1 to {most} maps, not {depth}")
        self.channels = (_STEM_CHANNELS, *_STAGE_CHANNELS)[:depth]
        self.strides = (2, 4, 8, 16, 32)[:depth]
        self.normalization = IMAGENET
        self.conv1 = nn.Conv2d(3, _STEM_CHANNELS, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_STEM_CHANNELS)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for number, (before, after) in enumerate(pairwise(self.channels), start=1):
            first = _Block(before, after, stride=1 if number == 1 else 2)
            self.add_module(f"layer{number}", nn.Sequential(first, _Block(after, after, stride=1)))
        _initialize(self)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first; sides that are no multiples of a stride are rounded up."""
        maps = [torch.relu(self.bn1(self.conv1(pixels)))]
        for number in range(1, len(self.channels)):
            below = self.maxpool(maps[-1]) if number == 1 else maps[-1]
            maps.append(self.get_submodule(f"layer{number}")(below))
        return maps

    def beyond(self) -> tuple[str, ...]:
        """Return how the names of left-out stages and of the head begin."""
        stages = (f"layer{number}." for number in range(len(self.channels), len(_STAGE_CHANNELS) + 1))
        return (*stages, "fc.")


def _initialize(net: nn.Module) -> None:
    """Draw fresh convolutions as He et al. 2015 (arXiv:1502.01852) do, over the outputs, as torchvision does."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
