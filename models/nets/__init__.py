"""Nets: tensors in, tensors out; no file but a known weights file, no slide, no training.

An encoder gives feature maps (its contract: channels and strides), the U-Net decodes them, `Segmenter` wraps pixels and
softmax around it. May call ``models.errors`` and nothing else of ours.
"""

from models.nets.build import EncoderName, NetOptions, build_net, count_parameters
from models.nets.device import choose_device, mixed_precision, place
from models.nets.efficientnet_lite0 import EfficientNetLite0, read_imagenet_weights
from models.nets.encoder import CENTRED, Encoder, Normalization, PlainEncoder
from models.nets.segmenter import Normalize, Segmenter
from models.nets.unet import UNet

__all__ = [
    "CENTRED",
    "EfficientNetLite0",
    "Encoder",
    "EncoderName",
    "NetOptions",
    "Normalization",
    "Normalize",
    "PlainEncoder",
    "Segmenter",
    "UNet",
    "build_net",
    "choose_device",
    "count_parameters",
    "mixed_precision",
    "place",
    "read_imagenet_weights",
]
