"""Label masks as tiled pyramidal TIFF: any size, written band by band, opened by OpenSlide and QuPath."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class OpenTiff:
    """A TIFF mask whose first level is read row of tiles by row of tiles."""

    path: Path
    page: tifffile.TiffPage

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.page.shape[0], self.page.shape[1]

    @property
    def info(self) -> MaskInfo:
        """Names, colours and scale, as far as the file says."""
        with _refusals(self.path):
            return _info(self.page)

    @property
    def has_palette(self) -> bool:
        """Whether pixels are numbers of colours."""
        return int(self.page.photometric) == int(tifffile.PHOTOMETRIC.PALETTE)

    def bands(self, rows: int) -> Iterator[Band]:
        """Yield (first row, labels); each ends where a row of tiles does.

        Raises
        ------
        AnnotationFileError
            Broken; what comes before the damage has been given.
        """
        height, width = self.shape
        segment = self.page.tilelength if self.page.is_tiled else self.page.rowsperstrip
        across = -(-width // self.page.tilewidth) if self.page.is_tiled else 1
        at_once = max(1, rows // segment)  # rows of segments
        for first in range(0, -(-height // segment), at_once):
            top, bottom = first * segment, min(height, (first + at_once) * segment)
            band = np.zeros((bottom - top, width), dtype=np.uint8)
            with _refusals(self.path):
                for index in range(first * across, -(-bottom // segment) * across):
                    self._decode_into(band, top, index)
            yield top, band

    def _decode_into(self, band: Labels, top: int, index: int) -> None:
        page, size = self.page, self.page.databytecounts[index]
        if not size:  # a tile that was never written is empty
            return
        page.parent.filehandle.seek(page.dataoffsets[index])
        data, (_, _, y, x, _), (_, height, width, _) = page.decode(
            page.parent.filehandle.read(size), index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
        )
        if data is None:
            return
        inside = band[y - top : y - top + height, x : x + width]
        inside[:] = data[0, : inside.shape[0], : inside.shape[1], 0]


@contextmanager
def open_tiff(path: Path, *, max_pixels: int) -> Iterator[OpenTiff]:
    """Open the first level of a TIFF mask.

    Raises
    ------
    AnnotationFileError
        Colour, more than 8 bits, larger than ``max_pixels``, broken.
    """
    with ExitStack() as opened:
        with _refusals(path):
            file = opened.enter_context(tifffile.TiffFile(path))
            page = file.pages.first
            _check_page(path, page, max_pixels)
        yield OpenTiff(path, page)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
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
    segment = page.tilewidth * page.tilelength if page.is_tiled else page.shape[1] * page.rowsperstrip
    if page.shape[0] * page.shape[1] > max_pixels or segment > _MAX_TILE_PIXELS:
        raise AnnotationFileError(f"is {page.shape[1]} x {page.shape[0]} pixels, more than {max_pixels:,}", path=path)


def _info(page: tifffile.TiffPage) -> MaskInfo:
    info = MaskInfo.from_json(page.description or "") or MaskInfo()
    unit = _UM_PER_UNIT.get(int(page.resolutionunit)) if "XResolution" in page.tags else None
    x, y = page.resolution if unit else (0.0, 0.0)
    if info.mask_mpp is not None or not unit or not (x > 0 and y > 0):
        return info
    return replace(info, mask_mpp=plausible_mpp(unit / x, unit / y))
