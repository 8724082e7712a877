"""Opening a slide by its path, whatever it is."""

from __future__ import annotations

from pathlib import Path

from bridge.errors import SlideError, SlideNotFoundError, UnsupportedSlideError
from bridge.files import no_file, open_plain
from bridge.slides.base import Slide
from bridge.slides.openslide_slide import OpenSlideSlide
from bridge.slides.picture import PictureSlide
from bridge.slides.resolution import Mpp


def open_slide(path: Path, *, mpp: tuple[float, float] | None = None) -> Slide:
    """Open a slide with OpenSlide, or else as a flat picture.

    Parameters
    ----------
    path
        A slide file; for slides of several files the one that OpenSlide takes as the name.
    mpp
        (x, y) µm per level-0 pixel, to override what the slide says; values that are not finite and positive count
        as not given.

    Raises
    ------
    SlideNotFoundError
        There is no such file.
    UnsupportedSlideError
        Neither opens it; the message tells what both said.
    SlideError
        The file may not be read.
    """
    _check_readable(path)
    try:
        return OpenSlideSlide(path, mpp=mpp)
    except UnsupportedSlideError as error:
        return _open_picture(path, mpp, error)


def _check_readable(path: Path) -> None:
    try:
        found = no_file(path)
        if found is not None:
            raise SlideError(f"slide {path.name} is {found}, not a file; name the slide itself")
        with open_plain(path):
            pass
    except SlideError:
        raise
    except FileNotFoundError as error:
        raise SlideNotFoundError(
            f"slide {path.name} is not in {path.parent}; move it there or add its folder to [slides] search"
        ) from error
    except OSError as error:
        raise SlideError(
            f"slide {path.name} can't be opened: {error.strerror}; check the file's permissions"
        ) from error


def _open_picture(path: Path, mpp: Mpp | None, refusal: UnsupportedSlideError) -> Slide:
    try:
        return PictureSlide(path, mpp=mpp)
    except UnsupportedSlideError as error:
        raise UnsupportedSlideError(f"{error}; OpenSlide says: {refusal.__cause__}") from error
