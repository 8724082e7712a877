"""A net with its input rule inside: raw pixels in, probabilities out; what both runtimes run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.nets.encoder import Normalization


class Normalize(nn.Module):
    """``(pixel − mean) / scale`` per channel."""

    mean: Tensor
    scale: Tensor

    def __init__(self, normalization: Normalization) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(normalization.scale).view(1, -1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the net's input; pixels are float 0–255 of shape (n, channels, height, width)."""
        return (pixels - self.mean) / self.scale


class Segmenter(nn.Module):
    """Pixels as slides give them → class probabilities.

    Parameters
    ----------
    net
        Normalized pixels in, class scores out.
    normalization
        The one that the net was trained with.
    """

    def __init__(self, net: nn.Module, normalization: Normalization) -> None:
        super().__init__()
        self.net = net
        self.normalize = Normalize(normalization)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities.

        Parameters
        ----------
        pixels
            uint8, shape (n, height, width, channels), RGB and, where the net wants it, a heat map; sides multiples of
            the net's stride.

        Returns
        -------
        Tensor
            float32, summing to 1 over the classes: (n, classes, height, width), or (n, classes) of a patch classifier.
        """
        scores = self.net(self.normalize(pixels.permute(0, 3, 1, 2).float()))
        return torch.softmax(scores, dim=1)
