"""H2G-Net's patch classifier: one class for a tile.

Pedersen et al., "Hybrid guiding: A multi-resolution refinement approach for semantic segmentation of gigapixel
histopathological images" (H2G-Net), section 2.3: MobileNetV2 under a lighter head. Its order is the paper's (dense,
dropout, ReLU, batch normalization, dense); the published code leaves batch normalization out, but the paper's 2.39 M
only fit with it: 2,386,686 = 2,352,374 learned and 34,312 running numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from models.nets.encoder import Encoder
from models.nets.net import Net


class PatchClassifier(Net):
    """Pixels of a tile in, one score per class out (before softmax).

    Parameters
    ----------
    encoder
        Its coarsest map is what the head sees: `MobileNetV2` is the paper's; another stands in where its ImageNet
        weights are at hand.
    n_classes
        Of the scores; the paper has two, non-tumour and tumour.
    hidden
        Neurons of the dense layer.
    dropout
        Share of them dropped in training.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {"head.6.weight": (0,), "head.6.bias": (0,)}

    def __init__(self, encoder: Encoder, n_classes: int = 2, *, hidden: int = 100, dropout: float = 0.5) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(encoder.channels[-1], hidden),
            nn.Dropout(dropout),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(hidden),
            nn.Linear(hidden, n_classes),
        )

    @property
    def stride(self) -> int:
        """Height and width of the input are multiples of this."""
        return self.encoder.strides[-1]

    def pretrained_part(self) -> nn.Module:
        """Return the encoder."""
        return self.encoder

    def forward(self, pixels: Tensor) -> Tensor:
        """Return class scores.

        Parameters
        ----------
        pixels
            Normalized as the encoder wants it, float32, shape (n, 3, height, width); in training n is at least 2.

        Returns
        -------
        Tensor
            float32, shape (n, n_classes).
        """
        scores: Tensor = self.head(self.encoder(pixels)[-1])
        return scores
