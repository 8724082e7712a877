"""Label masks as tiled pyramidal TIFF: any size, written band by band, opened by OpenSlide and QuPath."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from bridge.errors import AnnotationFileError
from bridge.formats.mask_info import MaskInfo, plausible_mpp

Labels = NDArray[np.uint8]
Band = tuple[int, Labels]
_TILE_PX = 512
_STEP = 4  # between levels; with 2 the first reduced level of a 100k × 100k mask would be held in 2.5 GB
_SMALLEST_PX = 1024  # no further level once the longer side is at most this
_MAX_TILE_PIXELS = 1 << 28
_CLASSIC_BYTES = 3 << 30  # uncompressed; beyond it 32-bit offsets might not do
_UM_PER_UNIT = {int(tifffile.RESUNIT.CENTIMETER): 10_000.0, int(tifffile.RESUNIT.INCH): 25_400.0}


def write_tiff(path: Path, bands: Iterable[Band], shape: tuple[int, int], info: MaskInfo) -> None:
    """Write a mask with a palette, deflated tiles and reduced levels by nearest neighbour.

    Parameters
    ----------
    path
        Is overwritten.
    bands
        (first row, labels of shape (rows, width)), top to bottom without gaps; not checked here.
    shape
        (height, width) of the whole.
    info
        Goes into the description and, as pixels per centimetre, into the resolution tags.
    """
    reduced = _Reduced(shape)
    colormap = np.array(info.palette(), dtype=np.uint16).T * 257
    with tifffile.TiffWriter(path, bigtiff=shape[0] * shape[1] * 1.1 > _CLASSIC_BYTES) as writer:

        def write(tiles: Iterator[Labels], level_shape: tuple[int, int], level: int) -> None:
            pixels_per_cm = None if info.mask_mpp is None else tuple(1e4 / mpp / _STEP**level for mpp in info.mask_mpp)
            writer.write(
                tiles,
                shape=level_shape,
                dtype=np.uint8,
                tile=(_TILE_PX, _TILE_PX),
                photometric="palette",
                colormap=colormap,
                compression="zlib",
                resolution=pixels_per_cm,
                resolutionunit="CENTIMETER" if pixels_per_cm else None,
                subfiletype=tifffile.FILETYPE.REDUCEDIMAGE if level else None,
                description=info.to_json() if level == 0 else None,
                metadata=None,
                software=False,
            )

        write(_tiles(_strips(bands, shape, reduced.collect)), shape, 0)
        for level, labels in enumerate(reduced.levels(), start=1):
            write(_tiles([(0, labels)]), (labels.shape[0], labels.shape[1]), level)


class _Reduced:
    """Every fourth row and column, gathered while level 0 streams by."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._rows, self._columns = (_centres(length) for length in shape)
        self._labels = np.empty((len(self._rows), len(self._columns)), dtype=np.uint8)
        self._is_needed = max(shape) > _SMALLEST_PX

    def collect(self, row: int, strip: Labels) -> None:
        """Keep what the first reduced level takes from rows ``row`` … of level 0."""
        first, last = np.searchsorted(self._rows, (row, row + len(strip)))
        self._labels[first:last] = strip[self._rows[first:last, None] - row, self._columns]

    def levels(self) -> Iterator[Labels]:
        """Yield the reduced levels, the largest first."""
        labels, is_needed = self._labels, self._is_needed
        while is_needed:
            yield labels
            is_needed = max(labels.shape) > _SMALLEST_PX
            labels = labels[_centres(labels.shape[0])[:, None], _centres(labels.shape[1])]


def _centres(length: int) -> NDArray[np.intp]:
    count = -(-length // _STEP)
    return np.minimum(np.arange(count) * _STEP + _STEP // 2, length - 1)


def _strips(bands: Iterable[Band], shape: tuple[int, int], collect: Callable[[int, Labels], None]) -> Iterator[Band]:
    """Cut bands of any height into strips of one tile's height; the last may be lower."""
    waiting: list[Labels] = []
    done = 0
    for row, band in bands:
        waiting.append(band)
        end = row + len(band)
        if end - done < _TILE_PX and end < shape[0]:
            continue
        joined = np.concatenate(waiting)
        ready = len(joined) if end == shape[0] else len(joined) // _TILE_PX * _TILE_PX
        for top in range(0, ready, _TILE_PX):
            strip = joined[top : min(top + _TILE_PX, ready)]
            collect(done + top, strip)
            yield done + top, strip
        done += ready
        waiting = [joined[ready:]]


def _tiles(strips: Iterable[Band]) -> Iterator[Labels]:
    for _, strip in strips:
        for top in range(0, strip.shape[0], _TILE_PX):
            for left in range(0, strip.shape[1], _TILE_PX):
                part = strip[top : top + _TILE_PX, left : left + _TILE_PX]
                below, right = _TILE_PX - part.shape[0], _TILE_PX - part.shape[1]
                yield np.ascontiguousarray(np.pad(part, ((0, below), (0, right))) if below or right else part)


def read_tiff(path: Path, *, max_pixels: int) -> tuple[Labels, MaskInfo]:
    """Read the first level of a TIFF mask and what it says of itself.

    Raises
    ------
    AnnotationFileError
        Colour, more than 8 bits, larger than ``max_pixels``, broken.
    """
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check_page(path, page, max_pixels)
            return np.ascontiguousarray(page.asarray(), dtype=np.uint8), _info(page)
    except AnnotationFileError:
        raise
    except Exception as error:  # decoders raise whatever they like on broken input
        raise AnnotationFileError(f"can't be read as TIFF ({error}); save it again", path=path) from error


def _check_page(path: Path, page: tifffile.TiffPage, max_pixels: int) -> None:
    if page.samplesperpixel != 1 or len(page.shape) != 2:
        raise AnnotationFileError(
            "is a colour picture, not labels; save it with one 8-bit channel that holds the class numbers", path=path
        )
    if page.bitspersample not in (1, 8) or page.dtype not in (np.dtype(np.uint8), np.dtype(bool)):
        raise AnnotationFileError(f"has {page.dtype} pixels; save it with 8 bits, labels 0 to 255", path=path)
    if page.shape[0] * page.shape[1] > max_pixels or page.tilewidth * page.tilelength > _MAX_TILE_PIXELS:
        raise AnnotationFileError(f"is {page.shape[1]} x {page.shape[0]} pixels, more than {max_pixels:,}", path=path)


def _info(page: tifffile.TiffPage) -> MaskInfo:
    info = MaskInfo.from_json(page.description or "") or MaskInfo()
    unit = _UM_PER_UNIT.get(int(page.resolutionunit)) if "XResolution" in page.tags else None
    x, y = page.resolution if unit else (0.0, 0.0)
    if info.mask_mpp is not None or not unit or not (x > 0 and y > 0):
        return info
    return replace(info, mask_mpp=plausible_mpp(unit / x, unit / y))
