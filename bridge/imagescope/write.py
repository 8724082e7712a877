"""Edits → ImageScope XML: our layers are cut out, changed and put last; everything else keeps its bytes."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Sequence

from bridge.annotations.objects import Rgb
from bridge.annotations.source import Edits, MachineObject
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import Document, LayerElement
from bridge.imagescope.emit import RegionWriter, layer_text, tag
from bridge.imagescope.encoding import to_utf8
from bridge.imagescope.layers import MARKER, MARKER_COLOR, MARKER_LAYER, SELF_CLOSED, is_our_layer, layer_of_class
from bridge.imagescope.selection import Leaving, is_marker_layer, is_ours, leaving_regions, user_layer
from bridge.imagescope.splice import (
    Splice,
    append_layers,
    apply_splices,
    cut_layer,
    cut_line,
    insert_regions,
    unselect,
)

logger = logging.getLogger(__name__)

_MAX_ID = 2**31 - 10_000_000  # ids from here on are not counted on from: ImageScope's are 32 bits


def create_imagescope(mpp: tuple[float, float] | None) -> bytes:
    """Return a first file: no layers, UTF-8, no XML declaration, CRLF as ImageScope writes on Windows.

    Parameters
    ----------
    mpp
        (x, y) µm per level-0 pixel; the format has one number, which becomes their geometric mean. None leaves it out.
    """
    attributes = {} if mpp is None else {"MicronsPerPixel": f"{math.sqrt(mpp[0] * mpp[1]):.6f}"}
    return f"{tag('Annotations', attributes, closed=False)}\r\n</Annotations>".encode()


def apply_edits(data: bytes, edits: Edits) -> bytes:
    """Return the file with the edits made and our write marker in it.

    What is ours is known by layer name. Our layers end up last, in the order they had, then new ones, then
    ``SlideBridge`` with the marker; a layer of ours that holds no region any more is gone, one that still holds some
    keeps their bytes. Promoted regions move with their holes, byte for byte, into the first user layer named like the
    class, or into a new one after the last layer that isn't ours.

    Raises
    ------
    ImageScopeFormatError
        The input is not an ImageScope file, or an ``object_id`` names no region of ours in it.
    ValueError
        An object to add is of a class that isn't the machine's, or one to promote goes to one that is.
    """
    document = parse_document(data)
    leaving = leaving_regions(document, edits)
    ids = FreeIds(document)
    splices = [cut_layer(document, layer) for layer in document.layers if is_ours(layer)]
    splices += _cut_markers(document)
    splices += _promotions(document, leaving, edits, ids)
    kept = _our_layers(document, leaving, edits.add, ids)
    marker = _marker_layer(document, edits.write_marker, ids)
    splices.append(append_layers(document, [*kept, marker]))
    return _packed(document, apply_splices(document.body, splices))


def _packed(document: Document, body: bytes) -> bytes:
    """Return the file's bytes, having checked that its texts will be read as they were.

    Where the encoding was guessed from odd bytes, and those lay in a layer of ours that goes, the rest would be read
    as another encoding.
    """
    data = document.encoding.pack(body)
    if to_utf8(data)[1] != document.encoding:
        raise ImageScopeFormatError("nothing says its encoding, and its bytes are odd; save it again in ImageScope")
    return data


class FreeIds:
    """Ids that a file doesn't use yet, for layers and regions: iterators that never end."""

    def __init__(self, document: Document) -> None:
        self.layers = _unused(layer.attributes.get("Id", "") for layer in document.layers)
        self.regions = _unused(region.id for layer in document.layers for region in layer.regions)


def _cut_markers(document: Document) -> list[Splice]:
    """Take our attributes out of a marker layer that a person has drawn in; the layer is theirs from now on."""
    layers = [layer for layer in document.layers if is_marker_layer(layer) and layer.regions]
    properties = [found for layer in layers for found in layer.properties if found.name in (MARKER, SELF_CLOSED)]
    return [cut_line(document, found.element) for found in properties]


def _promotions(document: Document, leaving: Leaving, edits: Edits, ids: FreeIds) -> list[Splice]:
    """Put promoted regions where their class lies; the cut of our layers takes them out of there."""
    moved: dict[str, list[bytes]] = {}
    for (layer, region), path_class in leaving.targets.items():
        if path_class is not None:
            element = document.layers[layer].regions[region].element
            moved.setdefault(path_class, []).append(document.text(element))
    colors = dict(edits.promote.values())
    splices = []
    for path_class, regions in moved.items():
        if is_our_layer(path_class) or path_class == MARKER_LAYER:
            raise ValueError(f"class {path_class!r} is the machine's own; promote to a plain class")
        lines = b"".join(b"\t\t\t" + region + document.newline.encode() for region in regions)
        existing = user_layer(document, path_class)
        if existing is not None:
            splices.append(insert_regions(document, existing, lines))
        else:
            splices.append(_new_user_layer(document, path_class, colors[path_class], lines, ids))
    return splices


def _new_user_layer(document: Document, name: str, color: Rgb, regions: bytes, ids: FreeIds) -> Splice:
    text = layer_text(name, next(ids.layers), color, [regions.decode()], newline=document.newline)
    human = [layer for layer in document.layers if not is_ours(layer)]
    place = human[-1].element.end if human else document.root.open_end
    return Splice(place, place, f"{document.newline}\t{text}".encode())


def _our_layers(document: Document, leaving: Leaving, add: tuple[MachineObject, ...], ids: FreeIds) -> list[bytes]:
    """Return the text of our layers as they will be, without those that hold no region."""
    new: dict[str, list[MachineObject]] = {}
    for machine_object in add:
        new.setdefault(_our_name(machine_object), []).append(machine_object)
    texts = []
    cut = leaving.by_layer()
    for index, layer in enumerate(document.layers):
        if is_our_layer(layer.name) and len(cut.get(index, ())) < len(layer.regions):
            texts.append(_changed_layer(document, layer, cut.get(index, ()), new.pop(layer.name, []), ids))
    for name, objects in new.items():
        regions = region_texts(document, objects, ids, first_display_id=1)
        if regions:
            text = layer_text(name, next(ids.layers), objects[0].color, regions, newline=document.newline)
            texts.append(text.encode())
    return texts


def _our_name(machine_object: MachineObject) -> str:
    name = layer_of_class(machine_object.path_class)
    if not is_our_layer(name):
        raise ValueError(
            f"class {machine_object.path_class!r} is a person's; the machine writes predictions and proposals"
        )
    return name


def _changed_layer(
    document: Document, layer: LayerElement, cut: Sequence[int], add: list[MachineObject], ids: FreeIds
) -> bytes:
    splices = unselect(document, layer)
    splices += [cut_line(document, layer.regions[i].element) for i in cut]
    shown = [_number(region.attributes.get("DisplayId", "")) for region in layer.regions]
    regions = region_texts(document, add, ids, first_display_id=1 + max(shown, default=0))
    if regions:
        splices.append(insert_regions(document, layer, "".join(regions).encode()))
    return apply_splices(document.body, splices, layer.element.start, layer.element.end)


def region_texts(
    document: Document, objects: Iterable[MachineObject], ids: FreeIds, *, first_display_id: int
) -> list[str]:
    """Return objects as ``<Region>`` elements, whole lines; those without area on whole pixels are left out, logged."""
    writer = RegionWriter(document.newline, document.mpp or 0.0, ids.regions)
    texts: list[str] = []
    for machine_object in objects:
        written = writer.write(machine_object, first_display_id + len(texts))
        if not written:
            logger.info("object left out, no area on whole pixels object_id=%s", machine_object.object_id)
        texts += written
    return texts


def _marker_layer(document: Document, write_marker: str, ids: FreeIds) -> bytes:
    properties = [(MARKER, write_marker)]
    if document.root.is_self_closed or _was_self_closed(document):
        properties.append((SELF_CLOSED, "self-closed"))
    text = layer_text(MARKER_LAYER, next(ids.layers), MARKER_COLOR, (), newline=document.newline, properties=properties)
    return text.encode()


def _was_self_closed(document: Document) -> bool:
    """Say whether the root was ``<Annotations/>`` before we wrote: the marker layer remembers it."""
    return any(is_marker_layer(layer) and layer.property_value(SELF_CLOSED) is not None for layer in document.layers)


def _unused(ids: Iterable[str]) -> Iterator[int]:
    return itertools.count(1 + max(map(_number, ids), default=0))


def _number(text: str) -> int:
    """Return an id as a number; 0 for what is none, or too large to count on from."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    return number if number < _MAX_ID else 0
