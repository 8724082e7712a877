"""ImageScope XML → annotations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from bridge.annotations.objects import Annotation, AnnotationSet, Layer, ObjectKind, ReadCounts
from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import Document, LayerElement, RegionElement
from bridge.imagescope.holes import draw_layer
from bridge.imagescope.layers import (
    MARKER,
    PROBABILITY,
    class_of_layer,
    from_line_color,
    is_our_layer,
)
from bridge.imagescope.selection import is_marker_layer, object_id
from bridge.imagescope.shapes import Drawing

_RESULT_LAYERS = frozenset({"3", "8"})  # Annotation/@Type: an algorithm's result, a report's image
_ALGORITHM = "algorithm result"


def read_imagescope(data: bytes) -> AnnotationSet:
    """Read the bytes of an ImageScope file, either dialect.

    One annotation per positive region, named ``L{layer}R{region}`` by its place in the file; its class is the layer's
    name. Regions that cover no area (arrows, rulers, one or two vertices, unknown types, negative regions that lie in
    nothing) come along and are counted as verbatim; so are those in layers of an algorithm's (Type 3) or a report's
    (Type 8), which nobody drew: detections, as QuPath would call them.

    Returns
    -------
    AnnotationSet
        Level-0 pixels as ImageScope shows the slide. ``counts.read`` counts the regions, so that it exceeds the number
        of annotations by the negative regions that became holes.

    Raises
    ------
    ImageScopeFormatError
        Cut off, not XML, another tool's XML, with a document type, or beyond the limits; the message has the line.
    """
    return read_document(parse_document(data))


def read_document(document: Document) -> AnnotationSet:
    """Return the annotations of a parsed file; see ``read_imagescope``."""
    annotations: list[Annotation] = []
    verbatim: Counter[str] = Counter()
    repaired = regions = 0
    for index, layer in enumerate(document.layers):
        regions += len(layer.regions)
        for annotation, drawing in _annotations(index, layer):
            annotations.append(annotation)
            is_drawn = annotation.kind is ObjectKind.ANNOTATION
            why = drawing.verbatim if drawing.verbatim is not None or is_drawn else _ALGORITHM
            verbatim.update([why] if why is not None else [])
            repaired += not drawing.is_valid
    counts = ReadCounts(regions, repaired, dict(verbatim))
    mpp = document.mpp
    return AnnotationSet(tuple(annotations), counts, write_marker(document), None if mpp is None else (mpp, mpp))


def write_marker(document: Document) -> str | None:
    """Return the marker that our last write left in layer ``SlideBridge``, or None."""
    layers = [layer for layer in document.layers if is_marker_layer(layer)]
    return layers[-1].property_value(MARKER) if layers else None


def _annotations(index: int, layer: LayerElement) -> Iterator[tuple[Annotation, Drawing]]:
    drawn = draw_layer(layer.regions)
    color = from_line_color(layer.attributes.get("LineColor"))
    shared = Layer(layer.name, layer.attributes.get("Id", ""), color)
    is_result = layer.attributes.get("Type", "").strip() in _RESULT_LAYERS and not is_our_layer(layer.name)
    kind = ObjectKind.DETECTION if is_result else ObjectKind.ANNOTATION
    for position, (region, drawing) in enumerate(zip(layer.regions, drawn.drawings, strict=True)):
        if position not in drawn.parents:
            yield _annotation(object_id(index, position), region, drawing, shared, kind), drawing


def _annotation(name: str, region: RegionElement, drawing: Drawing, layer: Layer, kind: ObjectKind) -> Annotation:
    metadata = {found.name: found.value for found in region.properties if found.name}
    return Annotation(
        object_id=name,
        geometry=drawing.geometry,
        path_class=class_of_layer(layer.name),
        shape=drawing.shape,
        kind=kind,
        name=region.attributes.get("Text") or None,
        is_ours=is_our_layer(layer.name),
        color=layer.color,
        layer=layer,
        probability=_probability(metadata.get(PROBABILITY)),
        metadata=metadata,
    )


def _probability(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 1 else None
