"""The small picture of a slide that QuPath shows in a project's list."""

from __future__ import annotations

import io
import math

from PIL import Image

from bridge.coords import Region, Window
from bridge.slides.base import Slide

THUMBNAIL_PX = (1000, 600)
"""(width, height) that QuPath fits a thumbnail into; smaller images stay as they are."""

_QUALITY = 75  # the tables of Java's own JPEG writer
_MOST_PIXELS = 100_000_000


def thumbnail_jpeg(slide: Slide, region: Region | None = None) -> bytes | None:
    """Return a thumbnail as QuPath makes it, JPEG bytes.

    Parameters
    ----------
    region
        The part that QuPath shows, level-0 pixels; None: the whole slide.

    Returns
    -------
    bytes or None
        None where the slide has no level small enough to be read in a few seconds; QuPath makes its own then.

    Raises
    ------
    SlideError
        The slide opens, but is damaged.
    """
    region = region or slide.pyramid.bounds
    downsample = max(1.0, region.width / THUMBNAIL_PX[0], region.height / THUMBNAIL_PX[1])
    level = slide.pyramid.best_level_for(downsample)
    if math.prod(slide.pyramid.dimensions[level]) > _MOST_PIXELS:
        return None
    size = (max(1, round(region.width / downsample)), max(1, round(region.height / downsample)))
    window = Window(math.floor(region.x / downsample), math.floor(region.y / downsample), *size, downsample)
    out = io.BytesIO()
    Image.fromarray(slide.read_window(window)).save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
