"""Annotations of one slide → label mask of one region."""

from __future__ import annotations

from collections.abc import Iterator

from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    IGNORE_LABEL,
    Annotation,
    AnnotationSet,
    ClassScheme,
    LabelOptions,
    ObjectKind,
)
from bridge.coords import Region, Window
from bridge.raster.masks import LabelMask
from bridge.raster.shape_index import ShapeIndex

LabelledGeometry = tuple[BaseGeometry, int]


def rasterize(
    annotations: AnnotationSet,
    region: Region,
    scheme: ClassScheme,
    *,
    downsample: float = 1.0,
    outside: int = 0,
    options: LabelOptions | None = None,
) -> LabelMask:
    """Burn annotations into a mask of label indices over one region.

    For masks of a whole file as it stands (conversion, figures); what a slide *teaches* is ``PlanRaster``'s to say.

    Parameters
    ----------
    annotations
        Level-0 geometry, as drawn. Annotation objects with an area and a class count; detections, lines, points and
        objects without a class are left out.
    region
        Level-0 pixels.
    scheme
        Names the labels; later entries of ``scheme.priority`` overwrite earlier ones, within a class file order.
    downsample
        Level-0 pixels per mask pixel and side, at least 1. The mask starts on the global grid of the downsample, so
        that it may reach a little beyond the region on every side.
    outside
        Label of pixels that are neither labelled nor inside an ROI; ``IGNORE_LABEL`` where labelling is complete in
        ROIs only.
    options
        Which classes are ROIs and which are ignored; those of the defaults if None.

    Returns
    -------
    LabelMask
        uint8, [y, x], over ``Window.covering(region, downsample)``; ``IGNORE_LABEL`` in ignored areas.

    Raises
    ------
    UnknownPathClassError
        An annotation carries a class that is neither the scheme's nor an ROI or ignore class.
    InvalidGeometryError
        An outline that can't be repaired.

    Notes
    -----
    A pixel belongs to a polygon when its centre lies inside; a hole shows what was drawn beneath it.
    """
    classes = options or LabelOptions()
    rois: list[LabelledGeometry] = []
    shapes: list[LabelledGeometry] = []
    ignored: list[LabelledGeometry] = []
    for annotation, path_class in _classified(annotations, scheme):
        if path_class in scheme:
            shapes.append((annotation.geometry, scheme.label(path_class)))
        elif path_class in classes.ignore_classes:
            ignored.append((annotation.geometry, IGNORE_LABEL))
        elif path_class in classes.roi_classes:
            rois.append((annotation.geometry, 0))
        else:
            scheme.label(path_class)  # raises, naming the class and what is known
    rank = {label: position for position, label in enumerate(scheme.labels_by_priority())}
    shapes.sort(key=lambda shape: rank[shape[1]])
    window = Window.covering(region, downsample)
    labels = ShapeIndex([*rois, *shapes, *ignored], downsample).burn(window, fill=outside)
    return LabelMask(labels, window, scheme.names)


def _classified(annotations: AnnotationSet, scheme: ClassScheme) -> Iterator[tuple[Annotation, str]]:
    for annotation in annotations.annotations:
        if annotation.kind is ObjectKind.ANNOTATION and annotation.shape.is_area:
            path_class = scheme.classify(annotation)
            if path_class is not None:
                yield annotation, path_class
