"""MobileNetV2 as an encoder, with torchvision's names, so that its ImageNet weight files (and timm's) load.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018
(arXiv:1801.04381), table 2: a 3×3 convolution, seventeen inverted residuals (table 1), a 1×1 convolution. Padding is
symmetric and batch normalization has torch's numbers, as in torchvision's; Keras's twin pads right and below only and
takes other numbers, so weights of Keras don't carry over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from models.nets.encoder import IMAGENET, Encoder
from models.nets.inverted_residual import Block, InvertedResidual, Stage, blocks_of, maps_along

_STEM_CHANNELS, _LAST_CHANNELS = 32, 1280
_STAGES = (  # table 2: c, n, s; t is 6 but for the first
    Stage(16, 1, 1, expansion=1),
    Stage(24, 2, 2),
    Stage(32, 3, 2),
    Stage(64, 4, 2),
    Stage(96, 3, 1),
    Stage(160, 3, 2),
    Stage(320, 1, 1),
)
_LAST = 1 + sum(stage.repeats for stage in _STAGES)  # index of the 1×1 convolution among the features
_TIMM_FIRST_BLOCK = {"conv_dw": "0.0", "bn1": "0.1", "conv_pw": "1", "bn2": "2"}  # it expands nothing
_TIMM_BLOCK = {"conv_pw": "0.0", "bn1": "0.1", "conv_dw": "1.0", "bn2": "1.1", "conv_pwl": "2", "bn3": "3"}
_MAP_AFTER_FEATURE = (1, 3, 6, 13, _LAST)  # the last before each halving


class _ConvUnit(nn.Sequential):
    """Convolution, batch normalization, ReLU6."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU6(inplace=True),
        )


class _Block(InvertedResidual):
    """Names follow torchvision."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        inner = block.inner_channels
        self.conv = nn.Sequential(
            *([_ConvUnit(block.in_channels, inner, 1)] if block.expansion > 1 else []),
            _ConvUnit(inner, inner, block.kernel, stride=block.stride, groups=inner),
            nn.Conv2d(inner, block.out_channels, 1, bias=False),
            nn.BatchNorm2d(block.out_channels),
        )

    def projected(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class MobileNetV2(Encoder):
    """MobileNetV2 (width 1.0) without its classification head.

    Parameters
    ----------
    depth
        Maps to compute, 1–5: strides 2, 4, 8, 16, 32 with 16, 24, 32, 96, 1280 channels. Blocks beyond are left out.

    Raises
    ------
    ValueError
        ``depth`` is not 1–5.
    """

    def __init__(self, depth: int = 5) -> None:
        super().__init__()
        if not 1 <= depth <= len(_MAP_AFTER_FEATURE):
            raise ValueError(f"MobileNetV2 has 1 to {len(_MAP_AFTER_FEATURE)} maps, not {depth}")
        self.channels = (16, 24, 32, 96, _LAST_CHANNELS)[:depth]
        self.strides = (2, 4, 8, 16, 32)[:depth]
        self.normalization = IMAGENET
        self.features = nn.Sequential(*list(_features())[: _MAP_AFTER_FEATURE[depth - 1] + 1])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first; sides that are no multiples of a stride are rounded up."""
        return maps_along(self.features, pixels, _MAP_AFTER_FEATURE)

    def aliases(self) -> Mapping[str, str]:
        """Return timm's names of modules (``mobilenetv2_100``) → the names here, left-out blocks too."""
        names = {"conv_stem": "features.0.0", "bn1": "features.0.1"}
        names |= {"conv_head": f"features.{_LAST}.0", "bn2": f"features.{_LAST}.1"}
        blocks = [(number, r, stage) for number, stage in enumerate(_STAGES) for r in range(stage.repeats)]
        for index, (number, repeat, stage) in enumerate(blocks, start=1):
            inner = _TIMM_BLOCK if stage.expansion > 1 else _TIMM_FIRST_BLOCK
            names |= {f"blocks.{number}.{repeat}.{theirs}": f"features.{index}.conv.{o}" for theirs, o in inner.items()}
        return names

    def beyond(self) -> tuple[str, ...]:
        """Return how the names of left-out blocks and of the head begin."""
        return (*(f"features.{index}." for index in range(len(self.features), _LAST + 1)), "classifier.")


def _features() -> Iterator[nn.Module]:
    yield _ConvUnit(3, _STEM_CHANNELS, 3, stride=2)
    yield from map(_Block, blocks_of(_STAGES, _STEM_CHANNELS))
    yield _ConvUnit(_STAGES[-1].out_channels, _LAST_CHANNELS, 1)
