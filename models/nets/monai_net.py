"""Nets of MONAI's behind our contract, built as MONAI builds them but for their normalization.

MONAI's instance normalization makes a pixel's scores depend on the whole tile around it: neighbouring tiles would not
agree. Batch normalization stands in its place, as in all our other nets.

Cardoso et al., "MONAI: An open-source framework for deep learning in healthcare" (arXiv:2211.02701). BasicUNet: Falk et
al., Nature Methods 16 (2019). AttentionUnet: Oktay et al. (arXiv:1804.03999).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from models.nets.names import MonaiName
from models.nets.net import Net

MONAI_CHANNELS = (16, 32, 64, 128, 256)
_HEADS = {MonaiName.BASIC_UNET: "net.final_conv", MonaiName.ATTENTION_UNET: "net.model.2.conv"}
_BASIC_LEVELS = 5


class MonaiNet(Net):
    """Pixels in, one score per class and pixel out.

    Parameters
    ----------
    name
        Which of MONAI's.
    n_classes
        Channels of the head; 0 is background.
    channels
        Per level, finest first; each level after the first halves the sides.

    Raises
    ------
    ValueError
        Fewer than two levels, or not five for a BasicUNet.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {
        f"{head}.{leaf}": (0,) for head in _HEADS.values() for leaf in ("weight", "bias")
    }

    def __init__(self, name: MonaiName, n_classes: int, *, channels: Sequence[int] = MONAI_CHANNELS) -> None:
        super().__init__()
        if len(channels) < 2 or (name is MonaiName.BASIC_UNET and len(channels) != _BASIC_LEVELS):
            raise ValueError(f"{name.value} doesn't have {len(channels)} levels: encoder_channels {tuple(channels)}")
        self._levels = len(channels)
        self.net = _with_batch_norm(_make(name, n_classes, channels))

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this."""
        return int(2 ** (self._levels - 1))

    def pretrained_part(self) -> nn.Module | None:
        """Return None: nobody publishes weights of these."""
        return None

    def forward(self, pixels: Tensor) -> Tensor:
        """Return class scores (before softmax), float32, shape (n, n_classes, height, width), of normalized pixels."""
        scores: Tensor = self.net(pixels)
        return scores


def _make(name: MonaiName, n_classes: int, channels: Sequence[int]) -> nn.Module:
    # Here, for it takes two seconds, and only these nets need it.
    from monai.networks.nets.attentionunet import AttentionUnet
    from monai.networks.nets.basic_unet import BasicUNet

    match name:
        case MonaiName.BASIC_UNET:
            net: nn.Module = BasicUNet(2, 3, n_classes, features=(*channels, channels[0]))
        case MonaiName.ATTENTION_UNET:
            net = AttentionUnet(2, 3, n_classes, channels=channels, strides=(2,) * (len(channels) - 1))
    return net


def _with_batch_norm(net: nn.Module) -> nn.Module:
    found = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.InstanceNorm2d)]
    for name, module in found:
        parent, _, leaf = name.rpartition(".")
        net.get_submodule(parent).add_module(leaf, nn.BatchNorm2d(module.num_features))
    return net
