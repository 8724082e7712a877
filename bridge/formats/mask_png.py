"""Label masks as PNG with a palette: small ones, that any program shows in the classes' colours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from bridge.errors import AnnotationFileError
from bridge.formats.mask_info import MaskInfo, plausible_mpp

_TEXT_KEY = "Description"
_UM_PER_INCH = 25_400.0
_MAGIC = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_ADVICE = "save it as PNG or TIFF with one 8-bit channel that holds the class numbers"


def write_png(path: Path, labels: NDArray[np.uint8], info: MaskInfo) -> None:
    """Write a mask whose colours are the classes'; ``check_png_size`` comes first."""
    height, width = labels.shape
    image = Image.frombytes("P", (width, height), np.ascontiguousarray(labels).tobytes())
    image.putpalette([part for color in info.palette() for part in color])
    text = PngImagePlugin.PngInfo()
    text.add_text(_TEXT_KEY, info.to_json())
    dpi = {} if info.mask_mpp is None else {"dpi": tuple(_UM_PER_INCH / mpp for mpp in info.mask_mpp)}
    image.save(path, format="PNG", pnginfo=text, **dpi)


@dataclass(frozen=True, slots=True)
class OpenPng:
    """A PNG mask, decoded once its bands are asked for."""

    path: Path
    image: Image.Image

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.image.height, self.image.width

    @property
    def info(self) -> MaskInfo:
        """Names, colours and scale, as far as the file says."""
        return _info(self.image)

    @property
    def has_palette(self) -> bool:
        """Whether pixels are numbers of colours."""
        return self.image.mode == "P"

    def bands(self, rows: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (first row, labels); the file is decoded whole, which its limit on pixels allows.

        Raises
        ------
        AnnotationFileError
            Broken.
        """
        with _refusals(self.path):
            labels = np.array(self.image, dtype=np.uint8)
        yield from ((row, labels[row : row + rows]) for row in range(0, len(labels), rows))


@contextmanager
def open_png(path: Path) -> Iterator[OpenPng]:
    """Open a PNG mask, indexed or greyscale.

    Raises
    ------
    AnnotationFileError
        Colour, 16 bits, more pixels than Pillow's ``MAX_IMAGE_PIXELS``, broken.
    """
    with _refusals(path):
        with path.open("rb") as file:
            _check_header(path, file.read(26))
        image = Image.open(path, formats=("PNG",))
    with image:
        yield OpenPng(path, image)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except AnnotationFileError:
        raise
    except (OSError, ValueError, SyntaxError) as error:
        raise AnnotationFileError(f"can't be read as PNG ({error}); save it again", path=path) from error


def _check_header(path: Path, head: bytes) -> None:
    # Before Pillow sees it: nothing is unpacked that is too large or no mask.
    if len(head) < 26 or not head.startswith(_MAGIC):
        raise AnnotationFileError("is not a PNG file", path=path)
    width, height, depth, color_type = struct.unpack(">IIBB", head[16:26])
    check_png_size(path, (height, width))
    if color_type not in (_GREY, _PALETTE):
        raise AnnotationFileError(f"is a colour picture, not labels; {_ADVICE}", path=path)
    # Pillow stretches grey of 2 and 4 bits to 0 … 255, so that labels would change.
    if depth == 16 or (color_type == _GREY and depth in (2, 4)):
        raise AnnotationFileError(f"has {depth}-bit pixels; {_ADVICE}", path=path)


def check_png_size(path: Path, shape: tuple[int, int]) -> None:
    """Refuse masks that Pillow would not read (again).

    Raises
    ------
    AnnotationFileError
        (height, width) are more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
    """
    height, width = shape
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        message = f"{width} x {height} pixels are too many for PNG ({limit:,}); use .tif instead"
        raise AnnotationFileError(message, path=path)


def _info(image: Image.Image) -> MaskInfo:
    info = MaskInfo.from_json(str(image.info.get(_TEXT_KEY, ""))) or MaskInfo()
    dpi = image.info.get("dpi")
    if info.mask_mpp is not None or dpi is None or not min(dpi) > 0:
        return info
    return replace(info, mask_mpp=plausible_mpp(_UM_PER_INCH / dpi[0], _UM_PER_INCH / dpi[1]))
