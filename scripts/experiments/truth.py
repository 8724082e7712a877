"""The truth of a generated slide on disk: GeoJSON and label mask, and its areas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import shapely

from bridge.annotations import ClassScheme
from bridge.coords import Region, Window
from bridge.files import replace_whole
from bridge.formats.label_mask import Band, write_label_mask
from bridge.formats.mask_info import MaskInfo
from bridge.qupath import write_geojson
from bridge.raster import ShapeIndex
from scripts.experiments.painting import COLORS, GeneratedSlide

_BAND_PX = 1024


def scheme_of(generated: GeneratedSlide) -> ClassScheme:
    """Return the classes of a slide's truth, in the order in which they cover one another."""
    names = tuple(dict.fromkeys(a.path_class or "" for a in generated.truth.annotations))
    return ClassScheme({name: COLORS[name] for name in names}, priority=names)


def class_areas_px(generated: GeneratedSlide) -> dict[str, float]:
    """Return the area of each class in level-0 px², as drawn: what lies on top of another class counts for both."""
    areas: dict[str, float] = {}
    for annotation in generated.truth.annotations:
        name = annotation.path_class or ""
        areas[name] = areas.get(name, 0.0) + float(shapely.area(annotation.geometry))
    return areas


def write_truth(path: Path, generated: GeneratedSlide) -> None:
    """Write the truth as QuPath's GeoJSON, atomically."""
    replace_whole(path, write_geojson(generated.truth), is_shared=False)


def write_truth_mask(path: Path, generated: GeneratedSlide, downsample: int) -> None:
    """Write the truth as a label mask, band by band; label 0 is background, the others follow ``scheme_of``."""
    scheme = scheme_of(generated)
    whole = Region(0, 0, generated.bounds.width, generated.bounds.height)
    labels = [(a.geometry, scheme.label(a.path_class or "")) for a in generated.truth.annotations]
    order = {label: rank for rank, label in enumerate(scheme.labels_by_priority())}
    index = ShapeIndex(sorted(labels, key=lambda item: order[item[1]]), downsample)
    mpp = generated.options.mpp * downsample
    colors = ((0, 0, 0), *(COLORS[name] for name in scheme.names[1:]))
    info = MaskInfo(scheme.names, colors, (mpp, mpp), downsample)
    window = Window.covering(whole, downsample)
    write_label_mask(path, _bands(index, window), info, shape=window.shape)


def _bands(index: ShapeIndex, window: Window) -> Iterator[Band]:
    for row in range(0, window.height, _BAND_PX):
        band = Window(0, row, window.width, min(_BAND_PX, window.height - row), window.downsample)
        yield row, index.burn(band)
