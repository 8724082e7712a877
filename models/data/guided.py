"""A slide with a heat map as its fourth channel: what H2G-Net's refinement sees.

The heat map is what a patch classifier says of each patch, one pixel a patch; the refinement's pixels are smaller.
Between the centres of the patches it is interpolated bilinearly, as the paper resizes it, and any window of any
downsample is answered from the same numbers: tiles agree where they overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import RgbPixels, Slide

_WHITE, _COLD, _HOT = 255, 0, 255


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """How probable it is, patch by patch, that there is anything but background.

    Parameters
    ----------
    values
        uint8, (rows, columns): 0 is background for sure, 255 certainly not.
    window
        Which pixels the array holds, and the downsample of their grid: a patch's side.

    Raises
    ------
    ValueError
        The array is not uint8, or not of the window's shape.
    """

    values: NDArray[np.uint8]
    window: Window

    def __post_init__(self) -> None:
        if self.values.dtype != np.uint8 or self.values.shape != self.window.shape:
            raise ValueError(
                f"a heat map is uint8 of shape {self.window.shape}, not {self.values.dtype} {self.values.shape}"
            )

    @classmethod
    def from_bands(cls, bands: Iterable[ProbabilityMap]) -> Self:
        """Return the heat map of a slide: 1 − P(background), the classes' sum, in steps of 1/255.

        Parameters
        ----------
        bands
            As a patch classifier's ``predict`` yields them, top to bottom; at least one.
        """
        seen = [(band.window, to_heat(band.probabilities)) for band in bands]
        first = seen[0][0]
        height = sum(window.height for window, _ in seen)
        window = Window(first.x, first.y, first.width, height, first.downsample)
        return cls(np.concatenate([values for _, values in seen]), window)

    def over(self, window: Window) -> NDArray[np.uint8]:
        """Return the heat in each pixel of a window of any downsample, uint8 of its shape.

        Beyond the map's outermost pixel centres the outermost values go on.
        """
        return np.asarray(np.rint(interpolate(self.values, self.window, window)), np.uint8)


class GuidedSlide(Slide):
    """An open slide whose windows have a fourth channel, the heat map's; all else is the slide's own.

    Parameters
    ----------
    slide
        Open; `close` closes it.
    heat
        Of the slide.
    """

    def __init__(self, slide: Slide, heat: HeatMap) -> None:
        super().__init__(slide.path, slide.pyramid, slide.properties)
        self._slide = slide
        self.heat = heat

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> RgbPixels:
        """Read a rectangle of one level, without heat; as the slide does."""
        return self._slide.read_level(level, x, y, width, height)

    def close(self) -> None:
        """Close the slide."""
        self._slide.close()

    def read_window(self, window: Window) -> NDArray[np.uint8]:
        """Read a window with its heat.

        Returns
        -------
        uint8 array, shape (window.height, window.width, 4)
            RGB and heat; beyond the slide white and cold.

        Raises
        ------
        SlideError
            The file is damaged there, or the slide was closed.
        """
        pixels = np.empty((*window.shape, 4), np.uint8)
        pixels[..., :3] = self._slide.read_window(window)
        pixels[..., 3] = _COLD
        inside = window.intersection(self.pyramid.window_at(window.downsample))
        if inside is not None:
            rows, columns = window.slices(inside)
            pixels[rows, columns, 3] = self.heat.over(inside)
        return pixels


def pixels_beyond(slide: Slide) -> tuple[int, ...]:
    """Return what a slide shows beyond its borders, by channel: white, and cold where there is a heat map."""
    return (_WHITE,) * 3 + ((_COLD,) if isinstance(slide, GuidedSlide) else ())


def to_heat(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 1 − P(background) in steps of 1/255; uint8 (y, x) of float32 (class, y, x)."""
    return np.asarray(np.rint((1 - probabilities[0]).clip(0, 1) * _HOT), np.uint8)


def interpolate(values: NDArray[np.generic], window: Window, wanted: Window) -> NDArray[np.float32]:
    """Sample an array at the pixel centres of another window, bilinearly.

    Parameters
    ----------
    values
        Any number type, (…, y, x), on ``window``.
    window
        What the array covers.
    wanted
        Of any downsample; beyond the outermost pixel centres of ``window`` the outermost values go on.

    Returns
    -------
    float32, (…, wanted.height, wanted.width)
    """
    rows, row_shares = _neighbours(wanted.y, wanted.height, wanted.downsample, window.y, window.height, window)
    columns, shares = _neighbours(wanted.x, wanted.width, wanted.downsample, window.x, window.width, window)
    part = values[..., rows[0] : rows[-1] + 2, columns[0] : columns[-1] + 2].astype(np.float32)
    above, below = rows - rows[0], np.minimum(rows - rows[0] + 1, part.shape[-2] - 1)
    part = part[..., above, :] * (1 - row_shares)[:, None] + part[..., below, :] * row_shares[:, None]
    left, right = columns - columns[0], np.minimum(columns - columns[0] + 1, part.shape[-1] - 1)
    return np.asarray(part[..., left] * (1 - shares) + part[..., right] * shares, np.float32)


def _neighbours(
    first: int, count: int, downsample: float, origin: int, size: int, window: Window
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each wanted pixel the index of the one before its centre, and the next one's share."""
    centres = (first + np.arange(count) + 0.5) * (downsample / window.downsample) - 0.5 - origin
    centres = centres.clip(0, size - 1)
    before = np.floor(centres).astype(np.int64)
    return before, (centres - before).astype(np.float32)
