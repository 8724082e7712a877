"""Slides that OpenSlide reads: SVS, NDPI, MRXS, SCN, DICOM, tiled pyramidal TIFF and others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from bridge.coords import Pyramid
from bridge.errors import SlideError, UnsupportedSlideError
from bridge.slides.base import RgbPixels, Slide, flatten_alpha
from bridge.slides.resolution import Mpp, believable_mpp, usable_mpp

if TYPE_CHECKING:  # the library is loaded when the first slide is opened
    from openslide import OpenSlide

_BLOCK_PX = 512
_WHOLE = 1e-6


class OpenSlideSlide(Slide):
    """A slide opened by OpenSlide.

    Parameters
    ----------
    path
        Any file that OpenSlide takes as the slide's name (``.mrxs``, one of the DICOM files, …).
    mpp
        Overrides what the slide says.

    Raises
    ------
    UnsupportedSlideError
        OpenSlide does not know the format, or knows it and can't open this file.
    """

    def __init__(self, path: Path, *, mpp: Mpp | None = None) -> None:
        handle = _open(path)
        properties = MappingProxyType(dict(handle.properties))
        pyramid = Pyramid(
            tuple(handle.level_dimensions), tuple(handle.level_downsamples), usable_mpp(mpp) or _stated_mpp(properties)
        )
        super().__init__(path, pyramid, properties)
        self._handle: OpenSlide | None = handle  # None after an error; the next read opens it again
        self._is_closed = False
        self._lock = threading.Lock()

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> RgbPixels:
        """Read level pixels; see `Slide.read_level`.

        OpenSlide positions a read on whole *level-0* pixels and interpolates where that falls between two level
        pixels. On levels whose downsample is not whole the result would then depend on where a read begins, so there
        all reads begin on one lattice (at most half a level-0 pixel off).
        """
        downsample = self.pyramid.downsamples[level]
        if abs(downsample - round(downsample)) < _WHOLE:
            return self._read_from(level, x, y, (x, y, width, height))
        out = np.empty((height, width, 3), dtype=np.uint8)
        for block_y, top, bottom in _spans(y, height):
            for block_x, left, right in _spans(x, width):
                piece = self._read_from(level, block_x, block_y, (left, top, right - left, bottom - top))
                out[top - y : bottom - y, left - x : right - x] = piece
        return out

    def close(self) -> None:
        """Release the file as soon as no read is under way any more."""
        with self._lock:
            self._is_closed = True
            self._handle = None

    def _read_from(self, level: int, x: int, y: int, part: tuple[int, int, int, int]) -> RgbPixels:
        """Read a part of a level as seen by a read that begins at level pixel (x, y)."""
        downsample = self.pyramid.downsamples[level]
        left, top, width, height = part
        size = (left - x + width, top - y + height)
        pixels = self._read_region((round(x * downsample), round(y * downsample)), level, size)
        return pixels[top - y :, left - x :]

    def _read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> RgbPixels:
        from openslide import OpenSlideError

        handle = self._opened()
        try:
            return flatten_alpha(handle.read_region(location, level, size))
        except OpenSlideError as error:
            self._drop(handle)
            raise SlideError(
                f"slide {self.path.name} can't be read at ({location[0]}, {location[1]}), level {level}: {error};"
                " the file may be damaged, copy it again from the scanner"
            ) from error

    def _opened(self) -> OpenSlide:
        with self._lock:
            if self._is_closed:
                raise SlideError(f"slide {self.path.name} was closed; open it again to read")
            if self._handle is None:
                self._handle = _open(self.path)
            return self._handle

    def _drop(self, handle: OpenSlide) -> None:
        """Forget a handle: after one error OpenSlide refuses everything else on it.

        It is not closed here, since another thread may be reading from it; the last user's reference closes it.
        """
        with self._lock:
            if self._handle is handle:
                self._handle = None


def _open(path: Path) -> OpenSlide:
    from openslide import OpenSlide, OpenSlideError, OpenSlideUnsupportedFormatError

    try:
        return OpenSlide(path)
    except OpenSlideUnsupportedFormatError as error:
        raise UnsupportedSlideError(f"slide {path.name} is of no format that OpenSlide knows") from error
    except OpenSlideError as error:
        raise UnsupportedSlideError(f"slide {path.name} can't be opened by OpenSlide: {error}") from error


def _stated_mpp(properties: Mapping[str, str]) -> Mpp | None:
    try:
        return believable_mpp((float(properties["openslide.mpp-x"]), float(properties["openslide.mpp-y"])))
    except (KeyError, ValueError):  # absent, or not a number
        return None


def _spans(start: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Yield (block begin, from, to) of the lattice blocks that [start, start + length) touches."""
    for block in range(start - start % _BLOCK_PX, start + length, _BLOCK_PX):
        yield block, max(block, start), min(block + _BLOCK_PX, start + length)
