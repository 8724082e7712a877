"""The contract between an encoder and a decoder, and a small encoder that starts from nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Normalization:
    """How pixels become a net's input: ``(pixel − mean) / scale``, pixels 0–255, one number per channel.

    Channels are red, green, blue, and a heat map where there is a fourth.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) not in (3, 4) or len(self.scale) != len(self.mean) or not all(s > 0 for s in self.scale):
            raise ValueError(f"normalization needs a mean and a positive scale for each of 3 or 4 channels, got {self}")


CENTRED = Normalization((127.0, 127.0, 127.0), (128.0, 128.0, 128.0))
UNIT = Normalization((0.0,) * 4, (255.0,) * 4)  # slide and heat map, each to [0, 1]
UNIT_RGB = Normalization((0.0,) * 3, (255.0,) * 3)  # the slide alone
# Mean and standard deviation of ImageNet's training pictures, as torchvision and timm train with them.
IMAGENET = Normalization((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))


class Encoder(nn.Module):
    """A net that turns pixels into feature maps of falling resolution.

    Attributes
    ----------
    channels
        Channels of each map, finest first.
    strides
        Input pixels per map pixel and side, as many as channels, rising; the input's sides are multiples of the last.
    normalization
        What the weights were trained with.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    normalization: Normalization

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first.

        Parameters
        ----------
        pixels
            Normalized, float32, shape (n, 3, height, width).

        Returns
        -------
        list of Tensor
            Map ``i`` has shape (n, channels[i], height / strides[i], width / strides[i]).
        """
        raise NotImplementedError

    def aliases(self) -> Mapping[str, str]:
        """Return the names that other libraries' weight files give to modules → the names here."""
        return {}

    def beyond(self) -> tuple[str, ...]:
        """Return how names begin, in files of the whole net, that this encoder leaves out: later stages, head."""
        return ()


class ConvUnit(nn.Sequential):
    """3×3 convolution, batch normalization, ReLU; the size is kept with stride 1."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class PlainEncoder(Encoder):
    """One strided 3×3 convolution a stage, random weights: for tests, tiny tasks and low-resolution passes."""

    def __init__(self, channels: Sequence[int] = (8, 16, 24)) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.strides = tuple(2 ** (i + 1) for i in range(len(channels)))
        self.normalization = CENTRED
        self.stages = nn.ModuleList(
            ConvUnit(before, after, stride=2) for before, after in zip((3, *channels), channels, strict=False)
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first; shapes as the contract says."""
        maps = []
        for stage in self.stages:
            pixels = stage(pixels)
            maps.append(pixels)
        return maps
