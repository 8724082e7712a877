"""Tiles of a slide for a viewer that zooms: JPEG of the slide's own pixels, whatever format it has.

Numbered as Deep Zoom does: level 0 is one pixel, the highest is the slide's level 0; tiles of a level begin at (0, 0)
and share a pixel with each neighbour, or seams would show.
"""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from bridge.coords import Pyramid, Window
from bridge.slides import Slide
from scripts.dashboard.slide_handles import FileVersion, SlideHandles, version_of

TILE_PX = 512
OVERLAP_PX = 1
_QUALITY = 85
_CACHE_BYTES = 64_000_000
_MOST_PIXELS = 100_000_000  # read for a thumbnail
_Key = tuple[FileVersion, int, int, int]


class NoSuchTileError(LookupError):
    """The slide has no such tile."""


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Which tiles a slide has."""

    width: int
    height: int

    @classmethod
    def of(cls, pyramid: Pyramid) -> TileGrid:
        """Return that of a slide."""
        return cls(*pyramid.dimensions[0])

    @property
    def top_level(self) -> int:
        """The level that is the slide's level 0."""
        return max(self.width - 1, self.height - 1, 0).bit_length()

    @property
    def first_level(self) -> int:
        """The largest level that is one tile: smaller ones aren't asked for."""
        return max(0, self.top_level - (max(1, -(-max(self.width, self.height) // TILE_PX)) - 1).bit_length())

    def window(self, level: int, column: int, row: int) -> Window:
        """Return a tile as a window of the slide.

        Raises
        ------
        NoSuchTileError
            There is none of these numbers.
        """
        if not self.first_level <= level <= self.top_level:
            raise NoSuchTileError(f"level {level}")
        downsample = 1 << self.top_level - level
        width, height = -(-self.width // downsample), -(-self.height // downsample)
        x, y = column * TILE_PX, row * TILE_PX
        if not (0 <= x < width and 0 <= y < height):
            raise NoSuchTileError(f"column {column}, row {row}")
        left, top = max(0, x - OVERLAP_PX), max(0, y - OVERLAP_PX)
        right, bottom = min(width, x + TILE_PX + OVERLAP_PX), min(height, y + TILE_PX + OVERLAP_PX)
        return Window(left, top, right - left, bottom - top, float(downsample))

    def as_json(self) -> Mapping[str, int]:
        """Return what the viewer needs."""
        return {
            "width": self.width,
            "height": self.height,
            "tile": TILE_PX,
            "overlap": OVERLAP_PX,
            "minLevel": self.first_level,
            "maxLevel": self.top_level,
        }


@dataclass(slots=True)
class TileCache:
    """Encoded tiles, the newest of them; threads may share it.

    Parameters
    ----------
    most_bytes
        Of all together.
    """

    most_bytes: int = _CACHE_BYTES
    _tiles: OrderedDict[_Key, bytes] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: _Key) -> bytes | None:
        """Return a tile that is kept."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def put(self, key: _Key, data: bytes) -> None:
        """Keep a tile; the ones that were not asked for longest make room."""
        with self._lock:
            self._bytes += len(data) - len(self._tiles.pop(key, b""))
            self._tiles[key] = data
            while self._bytes > self.most_bytes and self._tiles:
                self._bytes -= len(self._tiles.popitem(last=False)[1])

    @property
    def size(self) -> int:
        """Bytes kept now."""
        return self._bytes


@dataclass(frozen=True, slots=True)
class Tiles:
    """Reads tiles of slides."""

    handles: SlideHandles
    cache: TileCache = field(default_factory=TileCache)

    def grid(self, path: Path) -> TileGrid:
        """Return which tiles a slide has.

        Raises
        ------
        OSError, SlideError
            It can't be opened.
        """
        with self.handles.lent(path) as slide:
            return TileGrid.of(slide.pyramid)

    def jpeg(self, path: Path, level: int, column: int, row: int) -> bytes:
        """Return a tile.

        Raises
        ------
        NoSuchTileError
            There is none of these numbers.
        OSError, SlideError
            The slide can't be read there.
        """
        key = (version_of(path), level, column, row)
        kept = self.cache.get(key)
        if kept is not None:
            return kept
        with self.handles.lent(path) as slide:
            data = encoded(slide, TileGrid.of(slide.pyramid).window(level, column, row))
        self.cache.put(key, data)
        return data

    def thumbnail(self, path: Path, side_px: int) -> bytes:
        """Return the whole slide, small, from its pyramid: never its label or its macro picture.

        Raises
        ------
        NoSuchTileError
            It would take long: the slide has no small level.
        OSError, SlideError
            The slide can't be read.
        """
        key = (version_of(path), -1, side_px, 0)
        kept = self.cache.get(key)
        if kept is not None:
            return kept
        with self.handles.lent(path) as slide:
            window = slide.thumbnail_window(side_px)
            level = slide.pyramid.best_level_for(window.downsample)
            if math.prod(slide.pyramid.dimensions[level]) > _MOST_PIXELS:
                raise NoSuchTileError("no level is small enough to be read in a moment")
            data = encoded(slide, window)
        self.cache.put(key, data)
        return data


def encoded(slide: Slide, window: Window) -> bytes:
    """Return a window of a slide as JPEG, its colours at full resolution."""
    out = io.BytesIO()
    Image.fromarray(slide.read_window(window)).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()
