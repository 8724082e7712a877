"""A slide, small: its pyramid's pixels as JPEG, and over it the outlines of its annotation file as SVG paths.

The label and macro images of a slide file, which may show a patient's name, are never read.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from PIL import Image

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, SlideError
from bridge.ingest import locate_slide
from bridge.slides import RgbPixels, Slide, open_slide
from bridge.store import Store
from scripts.project import Project
from scripts.report.facts import Picture, PictureShape
from scripts.web.layers import Layer, Outline, simplified, slide_outlines
from scripts.web.svg import path_data

SIDE_PX = 320
MOST_JPEG_BYTES = 26_000
MOST_PATH_CHARS = 48_000
_QUALITIES = (72, 58, 44, 30, 18)
_MOST_PIXELS = 100_000_000  # of the level that is read: more takes minutes
_TOLERANCES = (1.0, 1.7, 2.5)  # pixels of the picture: coarser where many outlines are to be drawn
_FIRST = (Layer.PROPOSAL, Layer.EXPERT, Layer.PREDICTION)  # what is drawn while there is room


@dataclass(frozen=True, slots=True)
class Drawn:
    """Outlines made ready for a picture.

    Parameters
    ----------
    undrawn
        Outlines that are in none of the shapes.
    """

    shapes: tuple[PictureShape, ...]
    undrawn: int


def picture_of(project: Project, store: Store, entry: SlideEntry) -> Picture:
    """Return a slide's picture; where only its annotation file can't be read, without outlines and with the reason.

    Raises
    ------
    BridgeError
        The slide can't be found, opened or read, or it has no level small enough.
    """
    with open_slide(locate_slide(entry, project.settings.slides)) as slide:
        pixels, unit_px = _small(slide, entry.name)
    height, width = pixels.shape[:2]
    jpeg = jpeg_of(pixels)
    try:
        outlines = slide_outlines(project, store, entry)
    except BridgeError as error:
        return Picture(jpeg, width, height, note=str(error))
    drawn = draw(outlines, unit_px)
    counts = Counter(outline.layer for outline in outlines)
    return Picture(jpeg, width, height, drawn.shapes, dict(counts), drawn.undrawn)


def jpeg_of(pixels: RgbPixels) -> bytes:
    """Return a picture as JPEG without metadata, of at most ``MOST_JPEG_BYTES`` where any quality is that small."""
    data = b""
    for quality in _QUALITIES:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=quality, optimize=True)
        data = out.getvalue()
        if len(data) <= MOST_JPEG_BYTES:
            break
    return data


def draw(outlines: Sequence[Outline], unit_px: float) -> Drawn:
    """Return outlines as paths of a picture's pixels: proposals one by one, all others one path a class.

    They hold no more than ``MOST_PATH_CHARS``: many are drawn coarser, and of too many the smallest are left out.

    Parameters
    ----------
    unit_px
        Level-0 pixels per pixel of the picture.
    """
    paths = list[tuple[Outline, str]]()
    for tolerance in _TOLERANCES:
        paths = _paths(outlines, unit_px, tolerance)
        if sum(len(path) for _, path in paths) <= MOST_PATH_CHARS:
            break
    chosen = list(_within(paths, MOST_PATH_CHARS))
    return Drawn(tuple(_merged(chosen)), len(outlines) - len(chosen))


def _paths(outlines: Sequence[Outline], unit_px: float, tolerance: float) -> list[tuple[Outline, str]]:
    """Return what can be seen of outlines, what matters most first."""
    found = simplified(outlines, unit_px * tolerance)
    drawn = ((outline, path_data(outline.geometry, unit_px=unit_px)) for outline in _by_importance(found))
    return [(outline, path) for outline, path in drawn if path]


def _within(paths: Iterable[tuple[Outline, str]], room: int) -> Iterator[tuple[Outline, str]]:
    for outline, path in paths:
        if len(path) <= room:  # one that is too much by itself leaves its room to the others
            room -= len(path)
            yield outline, path


def _small(slide: Slide, name: str) -> tuple[RgbPixels, float]:
    """Return the whole slide's pixels, and how many of level 0 one of them is."""
    window = slide.thumbnail_window(SIDE_PX)
    level = slide.pyramid.best_level_for(window.downsample)
    if math.prod(slide.pyramid.dimensions[level]) > _MOST_PIXELS:
        raise SlideError(f"slide {name} has no small level to make a picture from; save it as a pyramid")
    return slide.read_window(window), window.downsample


def _by_importance(outlines: Sequence[Outline]) -> Iterable[Outline]:
    if not outlines:
        return ()
    bounds = shapely.bounds(np.array([outline.geometry for outline in outlines], dtype=object))
    sides = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]).tolist()
    ranked = sorted(zip(outlines, sides, strict=True), key=lambda pair: (_FIRST.index(pair[0].layer), -pair[1]))
    return (outline for outline, _ in ranked)


def _merged(chosen: Sequence[tuple[Outline, str]]) -> Iterator[PictureShape]:
    """Yield one shape a layer, class and colour: predictions first, so that what people drew lies on top."""
    groups: dict[tuple[Layer, str, str, str], list[str]] = {}
    for outline, path in chosen:
        note = outline.note if outline.layer is Layer.PROPOSAL else ""
        groups.setdefault((outline.layer, outline.path_class, outline.colour, note), []).append(path)
    order = (Layer.PREDICTION, Layer.PROPOSAL, Layer.EXPERT)
    for key, paths in sorted(groups.items(), key=lambda group: (order.index(group[0][0]), group[0])):
        layer, path_class, colour, note = key
        yield PictureShape(layer, path_class, colour, "".join(paths), len(paths), note)
