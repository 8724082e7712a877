"""Where a tool's (0, 0) lies on a slide whose scanned part begins elsewhere (MRXS, SCN …)."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.coords import Region
from bridge.errors import SlideError
from bridge.slides.base import Slide

_KEYS = tuple(f"openslide.bounds-{key}" for key in ("x", "y", "width", "height"))
Size = tuple[int, int]


def stated_bounds(properties: Mapping[str, str]) -> Region | None:
    """Return the scanned part as ``openslide.bounds-*`` state it, also where it reaches over the slide.

    None unless all four are whole numbers and the part has an area: QuPath crops to them only then.

    Examples
    --------
    >>> stated_bounds({f"openslide.bounds-{key}": "7" for key in ("x", "y", "width", "height")})
    Region(x=7, y=7, width=7, height=7)
    """
    try:
        x, y, width, height = (int(properties[key]) for key in _KEYS)
        return Region(x, y, width, height)
    except (KeyError, ValueError):
        return None


def tool_corner(slide: Slide, *, crops_to_bounds: bool, tool_size: Size | None) -> tuple[int, int]:
    """Return the level-0 (x, y) of the slide that a tool calls (0, 0).

    Parameters
    ----------
    crops_to_bounds
        The tool's settings let it show the scanned part only, where the slide states one.
    tool_size
        (width, height) that the tool has noted for the image, to check that; None if it hasn't.

    Raises
    ------
    SlideError
        The noted size is neither that of the slide nor that of its scanned part, or not the one that the settings
        lead to: what lies where can't be told, or it is another slide.

    Notes
    -----
    A size of the whole slide says that nothing was cropped, whatever the settings: QuPath up to 0.1.2 never did.
    """
    whole, part = slide.pyramid.dimensions[0], stated_bounds(slide.properties)
    shown = part if crops_to_bounds else None
    if tool_size is None or (shown is not None and tool_size == (shown.width, shown.height)):
        return (shown.x, shown.y) if shown is not None else (0, 0)
    if tool_size == whole:
        return (0, 0)
    scanned = f", its scanned part {_text((part.width, part.height))}" if part is not None else ""
    raise SlideError(
        f"slide {slide.path}: QuPath's project has an image of {_text(tool_size)} pixels, this slide has"
        f" {_text(whole)}{scanned}; if it is another slide, correct [slides] search or relocate; if it is the right"
        f" one, say in [slides] offset_of where QuPath's (0, 0) lies on it"
    )


def _text(size: Size) -> str:
    return f"{size[0]} × {size[1]}"
