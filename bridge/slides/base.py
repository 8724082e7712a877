"""What a slide is, in OpenSlide's words; level arithmetic and resampling live here, once for all backends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from bridge.coords import Pyramid, Window

RgbPixels = npt.NDArray[np.uint8]
"""uint8, shape (height, width, 3)."""

WHITE = 255

# Hamming is the narrowest of Pillow's filters that antialiases at every scale: Box drops or doubles pixels where the
# scale is not whole, Lanczos rings around dark nuclei.
_FILTER = Image.Resampling.HAMMING
_SUPPORT = 1.0
_MAX_SOURCE_SIDE = 2048
_SAME = 1e-6


class Slide(ABC):
    """An open slide. A backend gives the levels and one raw read; everything else is here.

    Reading is safe from several threads. Use as a context manager, or call `close`.

    Parameters
    ----------
    path
        The file that was opened.
    pyramid
        Its levels; ``mpp`` is None where neither the file nor the caller knows it.
    properties
        What the file says of itself, in OpenSlide's keys where it has one.
    """

    def __init__(self, path: Path, pyramid: Pyramid, properties: Mapping[str, str]) -> None:
        self._path = path
        self._pyramid = pyramid
        self._properties = properties

    @property
    def path(self) -> Path:
        """The file that was opened."""
        return self._path

    @property
    def pyramid(self) -> Pyramid:
        """The levels, level 0 first, and the mpp of level 0."""
        return self._pyramid

    @property
    def properties(self) -> Mapping[str, str]:
        """What the file says of itself."""
        return self._properties

    @abstractmethod
    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> RgbPixels:
        """Read a rectangle that lies inside one level; a pixel's value does not depend on the rectangle asked for.

        Parameters
        ----------
        level
            Index into ``pyramid.dimensions``.
        x, y, width, height
            In pixels *of that level*, inside its dimensions.

        Returns
        -------
        uint8 array, shape (height, width, 3)
            RGB; what the slide leaves transparent is white. The array may be read-only.

        Raises
        ------
        SlideError
            The file is damaged there, or the slide was closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the file; reading afterwards raises `SlideError`. Closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read_window(self, window: Window) -> RgbPixels:
        """Read a window of the global grid of any downsample.

        The coarsest level that is fine enough is read and, where its downsample differs from the window's, resampled
        with antialiasing.

        Parameters
        ----------
        window
            May reach over the slide's border, or lie outside.

        Returns
        -------
        uint8 array, shape (window.height, window.width, 3)
            RGB; a pixel that covers nothing of the slide is white, one at its border is mixed with white.

        Raises
        ------
        SlideError
            The file is damaged there, or the slide was closed.

        Notes
        -----
        Two windows of one downsample agree where they overlap: exactly where the downsample is a level's (the level's
        own pixels), else within 1 grey value (rounding of filter weights). Memory beyond the result is bounded by
        some 80 MB, also for a slide of one level.
        """
        level = self._pyramid.best_level_for(window.downsample)
        scale = window.downsample / self._pyramid.downsamples[level]
        inside = window.intersection(self._pyramid.window_at(window.downsample))
        out = np.empty((*window.shape, 3), dtype=np.uint8)
        if inside != window:
            out[:] = WHITE
        if inside is not None:
            for part in inside.tiles(max(1, int(_MAX_SOURCE_SIDE / scale))):
                out[window.slices(part)] = self._read_part(level, scale, part)
        return out

    def thumbnail_window(self, max_px: int) -> Window:
        """Return the window of the whole slide whose longer side has at most ``max_px`` pixels."""
        width, height = self._pyramid.dimensions[0]
        downsample = max(1.0, max(width, height) / max_px)
        columns, rows = (min(max_px, math.ceil(side / downsample - _SAME)) for side in (width, height))
        return Window(0, 0, columns, rows, downsample)

    def thumbnail(self, max_px: int) -> RgbPixels:
        """Read the whole slide, its longer side at most ``max_px`` pixels; uint8, shape (height, width, 3)."""
        return self.read_window(self.thumbnail_window(max_px))

    def _read_part(self, level: int, scale: float, part: Window) -> RgbPixels:
        if abs(scale - 1) < _SAME:
            return self._read_padded(level, part.x, part.y, part.right, part.bottom)
        left, top, right, bottom = part.x * scale, part.y * scale, part.right * scale, part.bottom * scale
        # All pixels that the filter weighs are read, so that no result depends on where a window ends.
        margin = math.ceil(_SUPPORT * max(1.0, scale)) + 1
        x, y = math.floor(left) - margin, math.floor(top) - margin
        source = self._read_padded(level, x, y, math.ceil(right) + margin, math.ceil(bottom) + margin)
        box = (left - x, top - y, right - x, bottom - y)
        return np.asarray(Image.fromarray(source).resize((part.width, part.height), _FILTER, box=box))

    def _read_padded(self, level: int, x: int, y: int, right: int, bottom: int) -> RgbPixels:
        """Read level pixels [x, right) × [y, bottom), white where the level has none."""
        width, height = self._pyramid.dimensions[level]
        inner_x, inner_y = max(x, 0), max(y, 0)
        inner_width, inner_height = min(right, width) - inner_x, min(bottom, height) - inner_y
        if (inner_width, inner_height) == (right - x, bottom - y):
            return self.read_level(level, x, y, inner_width, inner_height)
        out = np.full((bottom - y, right - x, 3), WHITE, dtype=np.uint8)
        if inner_width > 0 and inner_height > 0:
            rows = slice(inner_y - y, inner_y - y + inner_height)
            columns = slice(inner_x - x, inner_x - x + inner_width)
            out[rows, columns] = self.read_level(level, inner_x, inner_y, inner_width, inner_height)
        return out


def flatten_alpha(image: Image.Image) -> RgbPixels:
    """Return an RGBA image laid on white, uint8 of shape (height, width, 3)."""
    alpha = np.frombuffer(image.tobytes("raw", "A"), np.uint8)
    if alpha.min(initial=WHITE) == WHITE:
        # A twelfth of the time of `convert`, which makes another image, and of the array of that: every tile comes by.
        return np.frombuffer(image.tobytes("raw", "RGB"), np.uint8).reshape(image.height, image.width, 3)
    canvas = Image.new("RGB", image.size, (WHITE, WHITE, WHITE))
    canvas.paste(image, mask=image.getchannel("A"))
    return np.asarray(canvas)
