from __future__ import annotations

import pytest
import torch
from torch import nn

from models.nets import Normalization, Segmenter


def test_pixels_are_normalized_per_channel_and_probabilities_sum_to_one() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return x

    rule = Normalization((10.0, 20.0, 30.0), (1.0, 2.0, 4.0))
    pixels = torch.tensor([11, 24, 42], dtype=torch.uint8).expand(2, 4, 5, 3)
    result = Segmenter(Spy(), rule)(pixels)
    assert seen[0][0, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert result.shape == (2, 3, 4, 5)
    assert torch.allclose(result.sum(dim=1), torch.ones(2, 4, 5))


def test_normalization_without_a_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="a positive scale"):
        Normalization((0.0, 0.0, 0.0), (1.0, 0.0, 1.0))
