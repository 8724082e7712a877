"""Label masks on disk: arrays of class numbers ↔ PNG or TIFF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.errors import AnnotationFileError
from bridge.files import replacing
from bridge.formats.mask_info import MaskInfo
from bridge.formats.mask_png import check_png_size, open_png, write_png
from bridge.formats.mask_tiff import open_tiff, write_tiff

Labels = NDArray[np.uint8]
Band = tuple[int, Labels]
MASK_SUFFIXES = (".png", ".tif", ".tiff")
_MAX_PIXELS = 16 << 30  # of a TIFF, read band by band: 131,000 on a side


class OpenLabelMask(Protocol):
    """A mask that is open for reading, its pixels still in the file."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        ...

    @property
    def info(self) -> MaskInfo:
        """Names, colours and scale, as far as the file says."""
        ...

    @property
    def has_palette(self) -> bool:
        """Whether pixels are numbers of colours: what masks are and greyscale pictures aren't."""
        ...

    def bands(self, rows: int) -> Iterator[Band]:
        """Yield (first row, labels of full width), top to bottom without gaps, at most about ``rows`` high.

        A band ends where a row of tiles does; one is at least a row of tiles high.

        Raises
        ------
        AnnotationFileError
            The file is damaged there.
        """
        ...


def open_label_mask(path: Path, *, max_pixels: int = _MAX_PIXELS) -> AbstractContextManager[OpenLabelMask]:
    """Open a label mask for reading band by band; the suffix says how.

    Memory is bounded by a band; for PNG, which can't be read in parts, by Pillow's limit on pixels.

    Parameters
    ----------
    path
        ``.png`` (indexed or 8-bit grey; black-and-white reads as 0 and 1), ``.tif`` or ``.tiff`` (one channel of 1 or 8
        bits; the first level is read).
    max_pixels
        Larger TIFF files are refused; PNG has Pillow's own limit.

    Raises
    ------
    AnnotationFileError
        A colour picture, 16 bits, too large, broken, another suffix; the message says the way out.
    """
    _check_suffix(path)
    return open_png(path) if path.suffix.lower() == ".png" else open_tiff(path, max_pixels=max_pixels)


def write_label_mask(
    path: Path, labels: Labels | Iterable[Band], info: MaskInfo, *, shape: tuple[int, int] | None = None
) -> None:
    """Write a label mask; the suffix says how.

    ``.png`` has a palette and must fit into memory; ``.tif`` and ``.tiff`` are tiled, with reduced levels, of any size.
    Both carry ``info``. An existing file is replaced once the new one is whole.

    Parameters
    ----------
    path
        Where to.
    labels
        uint8 of shape (height, width), or bands of it: (first row, rows of full width), top to bottom without gaps.
    info
        Names, colours, scale.
    shape
        (height, width); needed for bands only.

    Raises
    ------
    AnnotationFileError
        Another suffix; a PNG of more pixels than Pillow would read again.
    ValueError
        Bands that leave gaps, or are no uint8 of full width.
    """
    _check_suffix(path)
    if isinstance(labels, np.ndarray):
        shape = (labels.shape[0], labels.shape[1])
        bands: Iterable[Band] = [(0, labels)]
    elif shape is None:
        raise ValueError("bands need the shape of the whole mask")
    else:
        bands = labels
    with replacing(path) as unfinished:
        if path.suffix.lower() == ".png":
            check_png_size(path, shape)
            write_png(unfinished, np.concatenate([band for _, band in _checked(bands, shape)]), info)
        else:
            write_tiff(unfinished, _checked(bands, shape), shape, info)


def _checked(bands: Iterable[Band], shape: tuple[int, int]) -> Iterator[Band]:
    done = 0
    for row, band in bands:
        if row != done or band.ndim != 2 or band.shape[1] != shape[1] or band.dtype != np.uint8:
            raise ValueError(f"band at row {row} is {band.dtype} {band.shape}; row {done} of {shape} was expected")
        yield row, band
        done += len(band)
    if done != shape[0]:
        raise ValueError(f"bands end at row {done}, the mask has {shape[0]}")


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in MASK_SUFFIXES:
        raise AnnotationFileError(f"a label mask is one of {', '.join(MASK_SUFFIXES)}, not {path.suffix!r}", path=path)
