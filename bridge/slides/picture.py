"""Flat PNG, JPEG and TIFF pictures as slides of one level."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from bridge.coords import Pyramid
from bridge.errors import SlideError, UnsupportedSlideError
from bridge.slides.base import RgbPixels, Slide
from bridge.slides.picture_files import FlatPicture, open_jpeg, open_png
from bridge.slides.picture_tiff import open_tiff
from bridge.slides.resolution import Mpp, usable_mpp

MAX_PICTURE_PIXELS = 250_000_000
"""Larger pictures are refused: they are held in memory whole (3 bytes a pixel) and want a pyramid anyway."""

PLAIN = "slidebridge.plain"
"""Property: ``"true"`` for one RGB picture that any program reads; else its colours were converted, or it has more."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class PictureSlide(Slide):
    """A flat picture. Its pixels are decoded at the first read and kept until `close`.

    Greyscale, palette and CMYK pictures become RGB, transparency is laid on white, of a stack the first plane is read.

    Parameters
    ----------
    path
        PNG, JPEG or TIFF, told by its first bytes, of 8 bits per channel.
    mpp
        Overrides what the picture says. PNG and JPEG never say it; a TIFF by OME-XML, ImageJ's unit, or resolution
        tags that a microscope could have written.

    Raises
    ------
    UnsupportedSlideError
        Another format, more than 8 bits, fluorescence channels, an unknown compression, or more than
        ``MAX_PICTURE_PIXELS``.
    """

    def __init__(self, path: Path, *, mpp: Mpp | None = None) -> None:
        picture = _open(path)
        if picture.width * picture.height > MAX_PICTURE_PIXELS:
            raise UnsupportedSlideError(
                f"picture {path.name} has {picture.width} × {picture.height} pixels, too many for a flat picture;"
                " save it as a tiled pyramidal TIFF"
            )
        pyramid = Pyramid(((picture.width, picture.height),), (1.0,), usable_mpp(mpp) or picture.mpp)
        properties = {"slidebridge.format": picture.format_name, PLAIN: str(picture.is_plain).lower()}
        super().__init__(path, pyramid, MappingProxyType(properties))
        self._decode = picture.decode
        self._pixels: RgbPixels | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> RgbPixels:
        """Read a rectangle; see `Slide.read_level`. The array is a view of the decoded picture."""
        if level != 0:
            raise SlideError(f"picture {self.path.name} has one level, no level {level}")
        return self._decoded()[y : y + height, x : x + width]

    def close(self) -> None:
        """Let go of the decoded pixels."""
        with self._lock:
            self._is_closed = True
            self._pixels = None

    def _decoded(self) -> RgbPixels:
        with self._lock:
            if self._is_closed:
                raise SlideError(f"picture {self.path.name} was closed; open it again to read")
            if self._pixels is None:
                self._pixels = self._decode_checked()
            return self._pixels

    def _decode_checked(self) -> RgbPixels:
        with _as_slide_error(self.path, SlideError, "can't be read"):
            pixels = self._decode()
        width, height = self.pyramid.dimensions[0]
        if pixels.shape != (height, width, 3):
            raise SlideError(f"picture {self.path.name} decodes to shape {pixels.shape}, not to the size in its header")
        pixels.setflags(write=False)
        return pixels


@contextmanager
def _as_slide_error(path: Path, kind: type[SlideError], what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of ours: on damaged files they raise anything, SyntaxError included."""
    try:
        yield
    except SlideError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"picture {path.name} {what}: {reason}") from error


def _open(path: Path) -> FlatPicture:
    with _as_slide_error(path, UnsupportedSlideError, "can't be opened"):
        with path.open("rb") as file:
            head = file.read(8)
        if head.startswith(_PNG):
            return open_png(path)
        if head.startswith(_JPEG):
            return open_jpeg(path)
        if head.startswith(_TIFF):
            return open_tiff(path)
    raise UnsupportedSlideError(f"slide {path.name} is neither a PNG, JPEG or TIFF picture nor of an OpenSlide format")
