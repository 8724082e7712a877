"""What tests ask of nets."""

from __future__ import annotations

from torch import nn

from models.nets import EncoderName, NetOptions, RenormLimits

BATCH_NORM = RenormLimits(1.0, 0.0)  # plain batch normalization
UNLIMITED = RenormLimits(float("inf"), float("inf"))  # Keras's default, which H2G-Net's published code keeps
TINY = NetOptions(  # trained in a second
    encoder=EncoderName.PLAIN, encoder_channels=(8, 16), decoder_channels=(16, 8), stem_channels=8, pretrained=False
)
THROUGH_LAYER3 = 4  # the depth of a ResNet-18 that learns from patch labels in the paper: 256 channels at stride 16


def count_parameters(net: nn.Module) -> int:
    """Return how many numbers are learned; running statistics don't count."""
    return sum(parameter.numel() for parameter in net.parameters())
