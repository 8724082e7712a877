"""Flat PNG and JPEG files: what the header says, and how to get the pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bridge.errors import UnsupportedSlideError
from bridge.slides.base import RgbPixels, flatten_alpha
from bridge.slides.resolution import Mpp

_PNG_BIT_DEPTH_AT = 24
_MODES_8_BIT = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True, slots=True)
class FlatPicture:
    """What a header says, and how to get the pixels.

    Parameters
    ----------
    width, height
        As the header says; the decoded array may turn out otherwise.
    mpp
        None where the file doesn't say one that makes sense.
    format_name
        ``"PNG"``, ``"JPEG"`` or ``"TIFF"``.
    decode
        Reads the whole picture; on a damaged file it raises whatever its library raises.
    is_plain
        One picture of three colours, packed so that any program reads it: no palette, alpha, further planes.
    """

    width: int
    height: int
    mpp: Mpp | None
    format_name: str
    decode: Callable[[], RgbPixels]
    is_plain: bool = False


# The plug-ins are called by name: Image.open would try every format there is, and refuses by a limit of its own that
# only a global can change.


def open_png(path: Path) -> FlatPicture:
    """Open a PNG of at most 8 bits per channel; others raise `UnsupportedSlideError`."""
    from PIL.PngImagePlugin import PngImageFile

    with path.open("rb") as file:
        head = file.read(_PNG_BIT_DEPTH_AT + 1)
    if head[_PNG_BIT_DEPTH_AT] > 8:  # Pillow would silently keep the upper 8 of 16
        raise UnsupportedSlideError(
            f"picture {path.name} has {head[_PNG_BIT_DEPTH_AT]} bits per channel; save it with 8"
        )
    return _pillow_picture(path, PngImageFile, "PNG")


def open_jpeg(path: Path) -> FlatPicture:
    """Open a JPEG, greyscale, RGB or CMYK; EXIF orientation is ignored."""
    from PIL.JpegImagePlugin import JpegImageFile

    return _pillow_picture(path, JpegImageFile, "JPEG")


def _pillow_picture(path: Path, opener: Callable[[Path], Image.Image], format_name: str) -> FlatPicture:
    with opener(path) as image:
        if image.mode not in _MODES_8_BIT:
            raise UnsupportedSlideError(f"picture {path.name} is of mode {image.mode}; save it as 8-bit RGB")
        width, height = image.size
        is_plain = image.mode == "RGB" and "transparency" not in image.info

    def decode() -> RgbPixels:
        with opener(path) as image:
            return _to_rgb(image)

    return FlatPicture(width, height, None, format_name, decode, is_plain)


def _to_rgb(image: Image.Image) -> RgbPixels:
    if "A" in image.getbands() or "transparency" in image.info:
        return flatten_alpha(image.convert("RGBA")).copy()
    return np.array(image.convert("RGB"))
