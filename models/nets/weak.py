"""Learning to segment with patch labels: one net, a mask head and a label head.

Ciga and Martel, "Learning to segment images with classification labels", Medical Image Analysis 2021
(arXiv:1912.12533): encoder ResNet-18 through its third layer, decoder of table A.2, classifier of table A.3. The label
is inferred from the low-resolution scores of the mask, so that labels teach the mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from models.nets.encoder import Encoder
from models.nets.label_head import LABEL_HEAD_AXES, LabelHead, MaskAndLabel, build_label_head
from models.nets.net import Net

_DECODER_CHANNELS = 64


class WeakNet(Net):
    """Pixels in; a score per class and pixel, or per class and patch, out (before softmax).

    A mask step calls the net itself (encoder and decoder), a label step `classify` (everything).

    Parameters
    ----------
    encoder
        ``ResNet18(4)``, through its third layer, is the paper's; any other's coarsest map serves.
    n_classes
        C of the tables.
    label_head
        The paper's or its code's.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {
        "head.weight": (0,),
        "head.bias": (0,),
        **LABEL_HEAD_AXES,
    }

    def __init__(self, encoder: Encoder, n_classes: int, *, label_head: LabelHead = LabelHead.TABLE_A3) -> None:
        super().__init__()
        self.encoder = encoder
        # Table A.2, without its last row; the paper's ×2 is bilinear in its code.
        self.decoder = nn.Sequential(
            nn.Conv2d(encoder.channels[-1], _DECODER_CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm2d(_DECODER_CHANNELS),
            nn.ReLU(inplace=True),
            # Corners not aligned, unlike the code's: a patch's scores don't stretch with its size.
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        )
        self.head = nn.Conv2d(_DECODER_CHANNELS, n_classes, 1)
        self.classifier = build_label_head(label_head, n_classes)

    @property
    def stride(self) -> int:
        """Input pixels per cell of the encoder's coarsest map; other sides are rounded up to multiples of it."""
        return self.encoder.strides[-1]

    def pretrained_part(self) -> nn.Module:
        """Return the encoder."""
        return self.encoder

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the mask's scores (table A.2).

        Parameters
        ----------
        pixels
            Normalized as the encoder wants it, float32, shape (n, 3, height, width); the paper's sides are 128.

        Returns
        -------
        Tensor
            float32, shape (n, n_classes, height, width): the low map, each score repeated.
        """
        return self._spread(self.low_scores(pixels), pixels)

    def classify(self, pixels: Tensor) -> Tensor:
        """Return the label's scores (table A.3), shape (n, n_classes); in training n is at least 2."""
        scores: Tensor = self.classifier(self.low_scores(pixels))
        return scores

    def both(self, pixels: Tensor) -> MaskAndLabel:
        """Return the scores of both heads from one pass through encoder and decoder."""
        low = self.low_scores(pixels)
        return MaskAndLabel(self._spread(low, pixels), self.classifier(low))

    def low_scores(self, pixels: Tensor) -> Tensor:
        """Return the scores before they are spread: (n, n_classes, 2 · height / stride, 2 · width / stride)."""
        scores: Tensor = self.head(self.decoder(self.encoder(pixels)[-1]))
        return scores

    @staticmethod
    def _spread(low: Tensor, pixels: Tensor) -> Tensor:
        return functional.interpolate(low, size=pixels.shape[-2:], mode="nearest")
