"""A slide of any size that is made at once and takes hardly any disk: many tiles of it share the bytes of a few.

::

    TIFF   level 0  ─ offsets ─┬─▶ JPEG of glass                A square of tissue in the middle of glass. The tissue
           level 1  ─ offsets ─┼─▶ JPEG of tissue               repeats one picture, so that each level has some ten
           …                   └─▶ JPEGs of the tissue's edges  tiles that differ, whatever the slide's side.

A reader can't tell: it decodes every tile that it is asked for, as on a scanner's slide.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from bridge.coords import Region
from bridge.slides import RgbPixels

SIDE = 100_000
DOWNSAMPLES = (1, 2, 4, 8, 16, 32)
TILE_PX = 512
_PERIOD = 2048  # level-0 pixels after which the tissue repeats itself; a multiple of a tile at every level but the last
_BLOCK = 32  # level-0 pixels: edges of tissue lie on pixels of every level
_QUALITY = 80
_GLASS = 243
_UM_PER_CM = 10_000
_SHORT, _LONG, _RATIONAL = 3, 4, 5  # types of TIFF fields
_FIELD_SIZES = {_SHORT: 2, _LONG: 4, _RATIONAL: 8}
_PACKING = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}


@dataclass(frozen=True, slots=True)
class HugeSlide:
    """What is to be made.

    Parameters
    ----------
    tissue_side
        Level-0 pixels of the square of tissue in the middle, rounded to 32; 0: glass alone.
    side
        Of the slide, a multiple of 32.
    mpp
        µm per level-0 pixel.

    Raises
    ------
    ValueError
        The side is no multiple of 32, or the tissue reaches over it.
    """

    tissue_side: int
    side: int = SIDE
    mpp: float = 0.25

    def __post_init__(self) -> None:
        if self.side % _BLOCK or not 0 <= self.tissue_side <= self.side:
            raise ValueError(
                f"a slide of {self.side} px with tissue of {self.tissue_side} px: the side has to be a multiple of"
                f" {_BLOCK}, and hold the tissue"
            )

    @property
    def tissue(self) -> Region | None:
        """Where the tissue is; None where there is none."""
        side = round(self.tissue_side / _BLOCK) * _BLOCK
        start = (self.side - side) // 2 // _BLOCK * _BLOCK
        return Region(start, start, side, side) if side else None


def write_huge_slide(path: Path, slide: HugeSlide) -> None:
    """Write a tiled pyramidal TIFF that OpenSlide opens; the same slide gives the same bytes.

    Parameters
    ----------
    path
        Replaced if it exists.
    """
    texture = _tissue_texture(np.random.default_rng(0))
    with path.open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 0))
        link = file.tell() - 4  # where the place of the next directory is to be written
        for downsample in DOWNSAMPLES:
            level = _Level(slide, downsample, _halved(texture, downsample))
            link = _write_directory(file, _fields(level, *_write_tiles(file, level)), link)


@dataclass(frozen=True)
class _Level:
    """One level: what its tiles show.

    Parameters
    ----------
    texture
        The tissue at this downsample, to be repeated.
    """

    slide: HugeSlide
    downsample: int
    texture: RgbPixels

    @property
    def side(self) -> int:
        return self.slide.side // self.downsample

    @property
    def tiles_across(self) -> int:
        return math.ceil(self.side / TILE_PX)

    def kind(self, row: int, column: int) -> tuple[int, ...]:
        """Return what decides the pixels of a tile: where tissue is in it, and which part of the picture."""
        tissue = self.slide.tissue
        if tissue is None:
            return ()
        first, last = tissue.x // self.downsample, tissue.right // self.downsample
        spans = [
            tuple(min(max(edge - place * TILE_PX, 0), TILE_PX) for edge in (first, last)) for place in (row, column)
        ]
        if any(start == stop for start, stop in spans):
            return ()
        repeats = max(1, len(self.texture) // TILE_PX)
        return (*spans[0], *spans[1], row % repeats, column % repeats)

    def pixels(self, kind: tuple[int, ...]) -> RgbPixels:
        """Return a tile of a kind."""
        out = np.full((TILE_PX, TILE_PX, 3), _GLASS, np.uint8)
        if kind:
            top, bottom, left, right, row, column = kind
            rows = (np.arange(top, bottom) + row * TILE_PX) % len(self.texture)
            columns = (np.arange(left, right) + column * TILE_PX) % len(self.texture)
            out[top:bottom, left:right] = self.texture[np.ix_(rows, columns)]
        return out


def _write_tiles(file: BinaryIO, level: _Level) -> tuple[list[int], list[int]]:
    """Write each kind of tile once; return the offset and the size of every tile of the level."""
    places: dict[tuple[int, ...], tuple[int, int]] = {}
    found = []
    for row in range(level.tiles_across):
        for column in range(level.tiles_across):
            kind = level.kind(row, column)
            if kind not in places:
                places[kind] = _append(file, _jpeg(level.pixels(kind)))
            found.append(places[kind])
    return [offset for offset, _ in found], [size for _, size in found]


def _jpeg(pixels: RgbPixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY, subsampling="4:2:0")
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Field:
    """One entry of a directory."""

    tag: int
    kind: int
    values: Sequence[int]

    @property
    def data(self) -> bytes:
        return struct.pack(f"<{len(self.values)}{_PACKING[self.kind]}", *self.values)

    @property
    def count(self) -> int:
        return len(self.data) // _FIELD_SIZES[self.kind]


def _fields(level: _Level, offsets: Sequence[int], sizes: Sequence[int]) -> Iterator[_Field]:
    """Yield what a directory says, in the order of the tags."""
    pixels_per_cm = (round(_UM_PER_CM * 1000 / (level.slide.mpp * level.downsample)), 1000)
    yield _Field(254, _LONG, [int(level.downsample > 1)])  # a reduced copy
    yield _Field(256, _LONG, [level.side])
    yield _Field(257, _LONG, [level.side])
    yield _Field(258, _SHORT, [8, 8, 8])  # bits
    yield _Field(259, _SHORT, [7])  # JPEG
    yield _Field(262, _SHORT, [6])  # YCbCr
    yield _Field(277, _SHORT, [3])  # samples per pixel
    yield _Field(282, _RATIONAL, pixels_per_cm)
    yield _Field(283, _RATIONAL, pixels_per_cm)
    yield _Field(284, _SHORT, [1])  # samples of a pixel side by side
    yield _Field(296, _SHORT, [3])  # centimetres
    yield _Field(322, _LONG, [TILE_PX])
    yield _Field(323, _LONG, [TILE_PX])
    yield _Field(324, _LONG, offsets)
    yield _Field(325, _LONG, sizes)
    yield _Field(530, _SHORT, [2, 2])  # how much coarser colours are than brightness


def _write_directory(file: BinaryIO, fields: Iterable[_Field], link: int) -> int:
    """Write a directory and point to it; return where the next one's place goes."""
    entries = []
    for one in fields:
        data = one.data
        inline = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", _append(file, data)[0])
        entries.append(struct.pack("<HHI", one.tag, one.kind, one.count) + inline)
    start, _ = _append(file, struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))
    file.seek(link)
    file.write(struct.pack("<I", start))
    file.seek(0, io.SEEK_END)
    return file.tell() - 4


def _append(file: BinaryIO, data: bytes) -> tuple[int, int]:
    """Write at the end, on an even place as TIFF wants it; return where, and how much."""
    file.seek(0, io.SEEK_END)
    file.write(bytes(file.tell() % 2))
    start = file.tell()
    file.write(data)
    return start, len(data)


def _tissue_texture(generator: np.random.Generator) -> RgbPixels:
    """Return pink tissue with dark nuclei that can be laid side by side without a seam."""
    pixels = np.empty((_PERIOD, _PERIOD, 3), np.float32)
    pixels[:] = (222, 150, 190)
    pixels += generator.normal(0, 6, (_PERIOD, _PERIOD, 1)).astype(np.float32)
    reach = np.arange(-16, 17)
    across, down = np.meshgrid(reach, reach)
    for x, y, radius in generator.integers((0, 0, 7), (_PERIOD, _PERIOD, 15), (3000, 3)).tolist():
        inside = across**2 + down**2 <= radius**2
        pixels[(y + down[inside]) % _PERIOD, (x + across[inside]) % _PERIOD] = (105, 70, 150)
    return pixels.clip(0, 255).astype(np.uint8)


def _halved(texture: RgbPixels, downsample: int) -> RgbPixels:
    side = len(texture) // downsample
    blocks = texture.reshape(side, downsample, side, downsample, 3)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32).round(), np.uint8)
