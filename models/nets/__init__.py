"""Nets: tensors in, tensors out; no file but a known weights file or one the user names, no slide, no training.

An encoder gives feature maps (its contract: channels and strides). The U-Net decodes them; `Segmenter` wraps pixels and
softmax around it. `PatchClassifier` and `RefinementUNet` are H2G-Net's, `WeakNet` learns from masks and patch labels.
May call ``models.errors`` and nothing else of ours.
"""

from models.nets.batch_renorm import (
    IOFFE,
    BatchRenorm2d,
    RenormLimits,
    set_renorm_momentum,
)
from models.nets.build import build_encoder, build_net
from models.nets.device import choose_device, mixed_precision, moved, place
from models.nets.efficientnet_lite0 import EfficientNetLite0, read_imagenet_weights
from models.nets.encoder import CENTRED, IMAGENET, UNIT, Encoder, Normalization, PlainEncoder
from models.nets.imagenet import Published, check_weights, published
from models.nets.label_head import LABEL_HEAD_PART, LabelHead, MaskAndLabel
from models.nets.mobilenet_v2 import MobileNetV2
from models.nets.monai_net import MONAI_CHANNELS, MonaiNet
from models.nets.names import AnyEncoder, EncoderName, MonaiName, TimmName, parse_encoder
from models.nets.net import Net
from models.nets.net_options import NetKind, NetOptions
from models.nets.patch_classifier import PatchClassifier
from models.nets.refinement import REFINEMENT_CHANNELS, REFINEMENT_SIDE, RefinementUNet
from models.nets.resnet18 import ResNet18
from models.nets.segmenter import Normalize, Segmenter
from models.nets.timm_encoder import TimmEncoder
from models.nets.unet import UNet
from models.nets.weak import WeakNet
from models.nets.weights import load_weights, weights_digest

__all__ = [
    "CENTRED",
    "IMAGENET",
    "IOFFE",
    "LABEL_HEAD_PART",
    "MONAI_CHANNELS",
    "REFINEMENT_CHANNELS",
    "REFINEMENT_SIDE",
    "UNIT",
    "AnyEncoder",
    "BatchRenorm2d",
    "EfficientNetLite0",
    "Encoder",
    "EncoderName",
    "LabelHead",
    "MaskAndLabel",
    "MobileNetV2",
    "MonaiName",
    "MonaiNet",
    "Net",
    "NetKind",
    "NetOptions",
    "Normalization",
    "Normalize",
    "PatchClassifier",
    "PlainEncoder",
    "Published",
    "RefinementUNet",
    "RenormLimits",
    "ResNet18",
    "Segmenter",
    "TimmEncoder",
    "TimmName",
    "UNet",
    "WeakNet",
    "build_encoder",
    "build_net",
    "check_weights",
    "choose_device",
    "load_weights",
    "mixed_precision",
    "moved",
    "parse_encoder",
    "place",
    "published",
    "read_imagenet_weights",
    "set_renorm_momentum",
    "weights_digest",
]
