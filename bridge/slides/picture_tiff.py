"""Flat TIFF files: which ones make one RGB picture, its pixels, and its mpp."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from bridge.errors import UnsupportedSlideError
from bridge.slides.base import RgbPixels, flatten_alpha
from bridge.slides.picture_files import FlatPicture
from bridge.slides.resolution import Mpp, believable_mpp

if TYPE_CHECKING:  # loaded when the first TIFF is opened
    from tifffile import TiffFile, TiffPage

logger = logging.getLogger(__name__)

_UM_PER_UNIT = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "mm": 1e3, "cm": 1e4}
_MAX_OME_CHARS = 1_000_000


def open_tiff(path: Path) -> FlatPicture:
    """Open the first plane of a TIFF.

    Raises
    ------
    UnsupportedSlideError
        A volume, more than 8 bits, separate channels, colours that aren't RGB, CMYK or grey, or an unknown compression.
    """
    from tifffile import TIFF, TiffFile

    with TiffFile(path) as tiff:
        page = _first_page(tiff, path)
        if page.compression not in TIFF.DECOMPRESSORS:
            raise UnsupportedSlideError(f"picture {path.name} is compressed in an unknown way ({page.compression})")
        planes = _planes(tiff)
        if planes > 1:
            logger.warning("picture has several planes, the first is read: path=%s planes=%d", path.name, planes)
        size, mpp = (page.imagewidth, page.imagelength), _tiff_mpp(tiff, page)
        return FlatPicture(*size, mpp, "TIFF", lambda: _decode_tiff(path), planes == 1 and _is_plain(tiff, page))


def _first_page(tiff: TiffFile, path: Path) -> TiffPage:
    """Return the first page, if it and its siblings make one RGB or grey picture."""
    from tifffile import TiffPage

    series, page = tiff.series[0], tiff.pages.first
    if not isinstance(page, TiffPage) or page.imagedepth != 1:
        raise UnsupportedSlideError(f"picture {path.name} is a volume; save one plane as 8-bit RGB")
    if page.dtype is None or page.dtype not in (np.uint8, np.bool_):
        raise UnsupportedSlideError(f"picture {path.name} has pixels of type {page.dtype}; save it as 8-bit RGB")
    channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
    if channels > 1 or page.samplesperpixel > 4 or page.samplesperpixel == 2:
        raise UnsupportedSlideError(f"picture {path.name} has separate channels; save it as 8-bit RGB")
    if not _is_convertible(page):
        raise UnsupportedSlideError(
            f"picture {path.name} is in colours {_name(page.photometric)}; save it as 8-bit RGB"
        )
    return page


def _name(tag_value: int) -> str:
    return getattr(tag_value, "name", str(tag_value))


def _planes(tiff: TiffFile) -> int:
    series = tiff.series[0]
    return math.prod(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "YXS")


def _is_convertible(page: TiffPage) -> bool:
    from tifffile import COMPRESSION, PHOTOMETRIC

    if page.photometric == PHOTOMETRIC.YCBCR:  # only the JPEG decoder turns it into RGB
        return page.compression in (COMPRESSION.JPEG, COMPRESSION.OJPEG)
    return page.photometric in (
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.PALETTE,
        PHOTOMETRIC.SEPARATED,
    )


def _is_plain(tiff: TiffFile, page: TiffPage) -> bool:
    from tifffile import COMPRESSION, PHOTOMETRIC

    packings = (COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS)
    is_rgb = page.photometric == PHOTOMETRIC.RGB and page.samplesperpixel == 3
    return is_rgb and page.compression in packings and not tiff.is_ome


def _decode_tiff(path: Path) -> RgbPixels:
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        page = _first_page(tiff, path)
        return _tiff_to_rgb(page, page.asarray())


def _tiff_to_rgb(page: TiffPage, pixels: npt.NDArray[np.generic]) -> RgbPixels:
    from tifffile import EXTRASAMPLE, PHOTOMETRIC

    if page.planarconfig == 2 and page.samplesperpixel > 1:  # one plane per sample
        pixels = np.moveaxis(pixels, 0, -1)
    values = np.where(pixels, 255, 0).astype(np.uint8) if pixels.dtype == np.bool_ else pixels.astype(np.uint8)
    if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None:
        return np.ascontiguousarray((page.colormap >> 8).astype(np.uint8).T[values])
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        values = 255 - values
    if page.photometric == PHOTOMETRIC.SEPARATED:
        return np.array(
            Image.frombuffer("CMYK", (values.shape[1], values.shape[0]), np.ascontiguousarray(values)).convert("RGB")
        )
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2)
    if values.shape[2] == 4 and page.extrasamples[0] in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA):
        return flatten_alpha(Image.fromarray(values)).copy()
    return np.ascontiguousarray(values[..., :3])


def _tiff_mpp(tiff: TiffFile, page: TiffPage) -> Mpp | None:
    """Return the mpp by OME-XML, else by ImageJ's unit, else by the resolution tags; None where none makes sense."""
    said = (_ome_mpp(tiff.ome_metadata), _imagej_mpp(tiff.imagej_metadata, page), _tag_mpp(page))
    return next((mpp for mpp in map(believable_mpp, said) if mpp is not None), None)


def _ome_mpp(xml: str | None) -> Mpp | None:
    """Read PhysicalSize of the first Pixels element. By pattern: a file from anywhere is not worth an XML parser."""
    pixels = re.search(r"<(?:\w+:)?Pixels\b([^>]*)>", (xml or "")[:_MAX_OME_CHARS])
    if pixels is None:
        return None
    found = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)["']""", pixels[1]))
    return _size_um(found, "X"), _size_um(found, "Y")


def _size_um(attributes: Mapping[str, str], axis: str) -> float:
    try:
        size = float(attributes[f"PhysicalSize{axis}"])
    except (KeyError, ValueError):  # absent or not a number: unknown
        return 0.0
    return size * _UM_PER_UNIT.get(attributes.get(f"PhysicalSize{axis}Unit", "µm"), 0.0)


def _imagej_mpp(metadata: Mapping[str, object] | None, page: TiffPage) -> Mpp | None:
    unit = str((metadata or {}).get("unit", "")).replace("\\u00B5", "µ")
    if unit not in _UM_PER_UNIT:
        return None
    return _um_per_pixel(page, _UM_PER_UNIT[unit])


def _tag_mpp(page: TiffPage) -> Mpp | None:
    from tifffile import RESUNIT

    um_per_unit = {RESUNIT.INCH: 25_400.0, RESUNIT.CENTIMETER: 10_000.0}.get(RESUNIT(page.resolutionunit))
    return _um_per_pixel(page, um_per_unit) if um_per_unit else None


def _um_per_pixel(page: TiffPage, um_per_unit: float) -> Mpp | None:
    x, y = page.resolution
    return (um_per_unit / x, um_per_unit / y) if x > 0 and y > 0 else None
