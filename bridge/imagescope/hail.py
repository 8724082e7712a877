"""H-AI-L's dialect of ImageScope XML: a layer's ``Id`` is its class, layers have no names, and every class has a layer.

H-AI-L takes the number of classes from the count of layers. So nothing of ours may be a layer of its own: our objects
lie in the layers of their classes, and the write marker is an attribute of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.annotations.objects import Annotation, AnnotationSet, Layer, Rgb
from bridge.annotations.scheme import IGNORED, ROI, plain_class, predicted_class
from bridge.annotations.source import Edits, MachineObject
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import Document, LayerElement, Property
from bridge.imagescope.emit import layer_text, tag
from bridge.imagescope.layers import MARKER, from_line_color, is_our_layer
from bridge.imagescope.read import read_document
from bridge.imagescope.selection import leaving_regions
from bridge.imagescope.splice import Splice, append_layers, apply_splices, cut_line, insert_regions
from bridge.imagescope.write import FreeIds, create_imagescope, region_texts

MAX_CLASS = 254  # labels of a mask
_HAILS_MPP = 0.252  # H-AI-L writes it into every file, whatever the slide: it says nothing
_SPARE_COLOR: Rgb = (128, 128, 128)  # of a layer that only keeps the count right


@dataclass(frozen=True, slots=True)
class LayerClass:
    """What the layers of one ``Id`` hold, in every file of an H-AI-L project."""

    id: int
    name: str
    color: Rgb


def list_layers(data: bytes) -> tuple[Layer, ...]:
    """Return the layers of a file, those without regions too: they count.

    Raises
    ------
    ImageScopeFormatError
        As ``read_imagescope``.
    """
    return tuple(
        Layer(layer.name, _id(layer), from_line_color(layer.attributes.get("LineColor")))
        for layer in parse_document(data).layers
    )


def read_hail(data: bytes, classes: Sequence[LayerClass], *, is_offered: bool) -> AnnotationSet:
    """Read a file of an H-AI-L project.

    A layer whose name says its class (one of the project's, ``ROI``, ``Ignore``) is that; of all others the ``Id``
    says it.

    Parameters
    ----------
    is_offered
        The file is one that we write predictions to: what lies in a class's layer is a prediction, ours until a person
        has changed it. Else all is a person's.

    Raises
    ------
    ImageScopeFormatError
        As ``read_imagescope``.
    """
    document = parse_document(data)
    found = read_document(document)
    names = {str(known.id): known.name for known in classes}
    read = tuple(_classified(annotation, names, is_offered=is_offered) for annotation in found.annotations)
    markers = _markers(document)
    mpp = None if document.mpp is not None and math.isclose(document.mpp, _HAILS_MPP) else found.mpp
    return replace(found, annotations=read, write_marker=markers[-1].value if markers else None, mpp=mpp)


def create_hail(classes: Sequence[LayerClass], mpp: tuple[float, float] | None) -> bytes:
    """Return a first file: one layer per class, by ``Id``, and none left out below the highest.

    Parameters
    ----------
    mpp
        As for ``create_imagescope``.
    """
    document = parse_document(create_imagescope(mpp))
    return document.encoding.pack(apply_splices(document.body, _new_layers(document, classes)))


def apply_hail(data: bytes, edits: Edits, classes: Sequence[LayerClass]) -> bytes:
    """Return the file with the edits made, everything else byte for byte.

    New predictions go after what lies in the layer of their class; a class that has none gets one.

    Raises
    ------
    ImageScopeFormatError
        The input is not an ImageScope file, an ``object_id`` names no region in a class's layer, a class has no layer
        ``Id``, or a prediction is to be made plain: that is done by moving the file to ``TRAINING_data``.
    """
    if edits.promote:
        raise ImageScopeFormatError("predictions become annotations by moving the file to TRAINING_data")
    ids = {known.name: known.id for known in reversed(classes)}  # of two layers of a class the first is written to
    added: dict[int, list[MachineObject]] = {}
    for item in edits.add:
        added.setdefault(_layer_of(item, ids), []).append(item)
    document = _with_layers(parse_document(data), classes)
    document = parse_document(document.encoding.pack(_marked(document, edits.write_marker)))
    body = apply_splices(document.body, _region_splices(document, edits, added, classes))
    return document.encoding.pack(body)


def _classified(annotation: Annotation, names: Mapping[str, str], *, is_offered: bool) -> Annotation:
    layer = annotation.layer
    if layer is None:
        return annotation
    name = _class_of(layer.name, layer.id.strip(), names)
    if name is None:
        return annotation
    return replace(annotation, path_class=predicted_class(name) if is_offered else name, is_ours=is_offered)


def _class_of(layer_name: str, layer_id: str, names: Mapping[str, str]) -> str | None:
    """Return the class of a layer, None where it holds none."""
    said = layer_name.strip()
    if said in (ROI, *IGNORED) or is_our_layer(said):
        return None
    return said if said in names.values() else names.get(layer_id)


def _id(layer: LayerElement) -> str:
    return layer.attributes.get("Id", "").strip()


def _layer_of(item: MachineObject, ids: Mapping[str, int]) -> int:
    name = plain_class(item.path_class)
    if name is None:
        raise ValueError(f"class {item.path_class!r}: H-AI-L's files hold predictions only")
    if name not in ids:
        raise ImageScopeFormatError(f'no layer stands for class {name!r}; add "id:N" = "{name}" to [classes.map]')
    return ids[name]


def _with_layers(document: Document, classes: Sequence[LayerClass]) -> Document:
    """Return the file with a layer for every class."""
    splices = _new_layers(document, classes)
    return parse_document(document.encoding.pack(apply_splices(document.body, splices))) if splices else document


def _new_layers(document: Document, classes: Sequence[LayerClass]) -> list[Splice]:
    there = {_id(layer) for layer in document.layers}
    colors = {known.id: known.color for known in classes}
    missing = [number for number in range(1, max(colors, default=0) + 1) if str(number) not in there]
    texts = [
        layer_text("", number, colors.get(number, _SPARE_COLOR), (), newline=document.newline).encode()
        for number in missing
    ]
    return [append_layers(document, texts)] if texts else []


def _markers(document: Document) -> list[Property]:
    return [found for layer in document.layers for found in layer.properties if found.name == MARKER]


def _marked(document: Document, write_marker: str) -> bytes:
    """Return the body with the marker in it: in place of an earlier one, else as an attribute of the first layer."""
    layers = [layer for layer in document.layers if any(found.name == MARKER for found in layer.properties)]
    if layers:
        first, *others = _markers(document)
        place = layers[0].properties.index(first)
        splices = [Splice(first.element.start, first.element.end, _attribute(place, write_marker))]
        splices += [cut_line(document, other.element) for other in others]
    elif document.layers:
        splices = [_mark(document, document.layers[0], write_marker)]
    else:
        raise ImageScopeFormatError("no class has a layer; name the layers' classes in [classes.map]")
    return apply_splices(document.body, splices)


def _attribute(place: int, write_marker: str) -> bytes:
    return tag("Attribute", {"Name": MARKER, "Id": place, "Value": write_marker}).encode()


def _mark(document: Document, layer: LayerElement, write_marker: str) -> Splice:
    newline, attribute = document.newline.encode(), _attribute(len(layer.properties), write_marker)
    if layer.properties:
        place = layer.properties[-1].element.end
        return Splice(place, place, newline + b"\t\t\t" + attribute)
    lines = newline.join([b"", b"\t\t<Attributes>", b"\t\t\t" + attribute, b"\t\t</Attributes>"])
    element = layer.element
    if element.is_self_closed:
        return Splice(element.end - 2, element.end, b">" + lines + newline + b"\t</Annotation>")
    return Splice(element.open_end, element.open_end, lines)


def _region_splices(
    document: Document, edits: Edits, added: Mapping[int, Sequence[MachineObject]], classes: Sequence[LayerClass]
) -> list[Splice]:
    names = {str(known.id): known.name for known in classes}
    leaving = leaving_regions(
        document, edits, holds_ours=lambda layer: _class_of(layer.name, _id(layer), names) is not None
    )
    regions = (document.layers[layer].regions[region] for layer, region in leaving.targets)
    splices = [cut_line(document, region.element) for region in regions]
    free = FreeIds(document)
    for number, objects in added.items():
        splices += _insertions(document, _layer(document.layers, number), objects, free)
    return splices


def _layer(layers: Iterable[LayerElement], number: int) -> LayerElement:
    return next(layer for layer in layers if _id(layer) == str(number))


def _insertions(
    document: Document, layer: LayerElement, objects: Sequence[MachineObject], free: FreeIds
) -> list[Splice]:
    texts = region_texts(document, objects, free, first_display_id=len(layer.regions) + 1)
    if not texts:
        return []
    return [insert_regions(document, layer, "".join(texts).encode())]
