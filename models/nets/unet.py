"""U-Net over any encoder, with skips up to full resolution so that thin boundaries survive.

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015
(arXiv:1505.04597). Lighter: one 3×3 convolution a stage by default, nearest upsampling (no checkerboard, cheap on CPU).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.nets.encoder import ConvUnit, Encoder
from models.nets.label_head import LABEL_HEAD_AXES, LabelHead, MaskAndLabel, build_label_head
from models.nets.net import Net


class _UpStage(nn.Module):
    """Double the size, join the skip, convolve."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, convolutions: int) -> None:
        super().__init__()
        self.skip_channels = skip_channels
        first = ConvUnit(in_channels + skip_channels, out_channels)
        rest = [ConvUnit(out_channels, out_channels) for _ in range(convolutions - 1)]
        self.units = nn.Sequential(first, *rest)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        out: Tensor = self.units(torch.cat((x, skip), dim=1))
        return out

    def apart(self) -> nn.Module:
        """Return what gives the same in evaluation, to float32's rounding, and never holds the joined map."""
        return _SummedStage(self)


class _SummedStage(nn.Module):
    """An `_UpStage` in evaluation: the skip and what comes from below are convolved apart, and added."""

    def __init__(self, stage: _UpStage) -> None:
        super().__init__()
        unit = cast(ConvUnit, stage.units[0])
        whole = fuse_conv_bn_eval(cast(nn.Conv2d, unit[0]).eval(), cast(nn.BatchNorm2d, unit[1]).eval())
        self.activation = unit[2]
        from_below = whole.in_channels - stage.skip_channels
        self.from_below = _with_inputs(whole, slice(None, from_below))
        self.from_skip = _with_inputs(whole, slice(from_below, None))
        self.from_skip.bias = None  # it counts once
        self.rest = stage.units[1:]

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        kept = self.from_skip(skip)  # first: what comes from below is the larger, and so lives the shorter
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
        out: Tensor = self.rest(self.activation(kept + self.from_below(x)))
        return out


def _with_inputs(convolution: nn.Conv2d, inputs: slice) -> nn.Conv2d:
    """Return a convolution of some of the channels that another one takes."""
    part = copy.deepcopy(convolution)
    part.weight = nn.Parameter(convolution.weight.detach()[:, inputs].clone())
    part.in_channels = part.weight.shape[1]
    return part


class UNet(Net):
    """Encoder, decoder and head: pixels in, one score per class and pixel out.

    Parameters
    ----------
    encoder
        Its strides are 2, 4, 8, …
    n_classes
        Channels of the head; 0 is background.
    decoder_channels
        One number per encoder map, coarsest stage first; the last is the full-resolution stage.
    stem_channels
        Width of the full-resolution skip, a 3×3 convolution of the pixels themselves.
    convolutions
        3×3 convolutions per decoder stage.
    label_head
        What infers a tile's label from the mask's scores, so that patch labels teach the mask; None has no such part.

    Raises
    ------
    ValueError
        The numbers of encoder maps and decoder stages differ, or the strides don't double from 2.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "head.weight": (0,),
        "head.bias": (0,),
        **LABEL_HEAD_AXES,
    }

    def __init__(
        self,
        encoder: Encoder,
        n_classes: int,
        *,
        decoder_channels: Sequence[int] = (128, 64, 48, 32, 16),
        stem_channels: int = 16,
        convolutions: int = 1,
        label_head: LabelHead | None = None,
    ) -> None:
        super().__init__()
        if len(decoder_channels) != len(encoder.channels):
            raise ValueError(
                f"{len(encoder.channels)} encoder maps need as many decoder stages, got {decoder_channels}"
            )
        if encoder.strides != tuple(2 ** (i + 1) for i in range(len(encoder.strides))):
            raise ValueError(f"a U-Net needs strides 2, 4, 8, …, not {encoder.strides}")
        self.encoder = encoder
        self.stem = ConvUnit(3, stem_channels)
        skips = (stem_channels, *encoder.channels[:-1])[::-1]
        inputs = (encoder.channels[-1], *decoder_channels[:-1])
        self.decoder = nn.ModuleList(
            _UpStage(before, skip, after, convolutions)
            for before, skip, after in zip(inputs, skips, decoder_channels, strict=True)
        )
        self.head = nn.Conv2d(decoder_channels[-1], n_classes, 1)
        self.classifier = build_label_head(label_head, n_classes) if label_head is not None else None

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this."""
        return self.encoder.strides[-1]

    def pretrained_part(self) -> nn.Module:
        """Return the encoder."""
        return self.encoder

    def hold_less(self) -> None:
        """Keep no joined maps from now on: a third less memory in a pass of ONNX Runtime. Not to be trained any more.

        The results are the same to float32's rounding.
        """
        self.decoder = nn.ModuleList(stage.apart() for stage in self.decoder if isinstance(stage, _UpStage))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return class scores (before softmax).

        Parameters
        ----------
        pixels
            Normalized, float32, shape (n, 3, height, width); both sides multiples of ``stride``.

        Returns
        -------
        Tensor
            float32, shape (n, n_classes, height, width).
        """
        maps: list[Tensor] = [self.stem(pixels), *self.encoder(pixels)]
        x, skips = maps[-1], maps[:-1]
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            x = stage(x, skip)
        out: Tensor = self.head(x)
        return out

    def classify(self, pixels: Tensor) -> Tensor:
        """Return the label's scores (table A.3 of L2S, on the mask's scores), shape (n, n_classes).

        In training n is at least 2.

        Raises
        ------
        ValueError
            The net was built without a label head.
        """
        return self.both(pixels).label

    def both(self, pixels: Tensor) -> MaskAndLabel:
        """Return the scores of both heads from one pass; errors as `classify`."""
        if self.classifier is None:
            raise ValueError("this U-Net has no label head; build it with one")
        mask = self(pixels)
        return MaskAndLabel(mask, self.classifier(mask))
