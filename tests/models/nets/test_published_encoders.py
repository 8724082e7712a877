"""What every encoder with torchvision's names keeps: the maps that it promises."""

from __future__ import annotations

import pytest
import torch

from models.nets import MobileNetV2, ResNet18


@pytest.mark.parametrize(
    ("make", "depth"),
    [(MobileNetV2, 1), (MobileNetV2, 3), (MobileNetV2, 5), (ResNet18, 1), (ResNet18, 4), (ResNet18, 5)],
)
@pytest.mark.parametrize(("height", "width"), [(64, 96), (45, 71)])
def test_maps_have_the_promised_channels_and_strides(
    make: type[MobileNetV2] | type[ResNet18], depth: int, height: int, width: int
) -> None:
    encoder = make(depth).eval()
    with torch.inference_mode():
        maps = encoder(torch.zeros(1, 3, height, width))
    expected = [(1, c, -(-height // s), -(-width // s)) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(m.shape) for m in maps] == expected
