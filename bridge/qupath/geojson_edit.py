"""Change a few features of a GeoJSON file and leave every other byte as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge.annotations.objects import Rgb
from bridge.annotations.source import Edits
from bridge.errors import GeoJSONFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.geojson_document import OUR_KEY, Document, Form, Item, open_document
from bridge.qupath.geojson_features import machine_features
from bridge.qupath.geojson_layout import BLANKS, JsonLayout
from bridge.qupath.geojson_properties import write_class
from bridge.qupath.geojson_text import BOM, JsonObject, compress, encodable, is_gzip, parse, text_again, to_text, unpack

_OPENING = b'{"type":"FeatureCollection","features":'
_BARE_GEOMETRY = b'{"type":"Feature","properties":{"objectType":"annotation"},"geometry":'


@collector_paused()
def apply_edits(data: bytes, edits: Edits) -> bytes:
    """Return the file with the edits made; features that they don't name go out byte for byte.

    Our new objects come last; child objects of a deleted one move up to its place. The write marker becomes the
    collection's foreign member ``slidebridge``, so an array or a lone feature is wrapped into a FeatureCollection; with
    an empty marker the member is removed and an array stays one. Gzip comes back as gzip.

    Raises
    ------
    GeoJSONFormatError
        Not GeoJSON; an object to delete or promote is not there, or not ours; a repeated key hides features.
    InvalidGeometryError
        A new object has no area.
    """
    if is_gzip(data):
        return compress(apply_edits(unpack(data), edits))
    bom, body = (BOM, data.removeprefix(BOM)) if data.startswith(BOM) else (b"", data)
    document = open_document(parse(body))
    _check_names(document, edits)
    if not (edits.delete or edits.promote or edits.add or edits.write_marker or document.write_marker):
        return data
    if document.form is Form.GEOMETRY:
        body = _BARE_GEOMETRY + body.strip(BLANKS) + b"}"
        document = open_document(parse(body))
    added = [to_text(feature) for feature in machine_features(edits.add, edits.write_marker)]
    edit = {Form.COLLECTION: _edited_collection, Form.ARRAY: _edited_top_array, Form.FEATURE: _edited_lone}
    return bom + edit[document.form](_File.of(body, document), edits, added)


def _check_names(document: Document, edits: Edits) -> None:
    known = {item.object_id: item for item in document.items if not item.is_root}
    missing = sorted((edits.delete | edits.promote.keys()) - known.keys())
    if missing:
        raise GeoJSONFormatError(f"holds no object {missing[0]} ({len(missing)} in all are missing); read it again")
    foreign = sorted(name for name in edits.delete | edits.promote.keys() if not known[name].is_ours)
    if foreign:
        raise GeoJSONFormatError(f"object {foreign[0]} is not ours to change; read the file again")


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed file beside the places of its parts.

    ``containers`` holds the layout's number of each item, ``spans`` its bytes, ``child_arrays`` the number of the array
    that its child objects lie in (None without any), ``below`` the items under each item, and under None.
    """

    text: bytes
    items: tuple[Item, ...]
    layout: JsonLayout
    features_array: int | None
    containers: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    child_arrays: tuple[int | None, ...]
    below: Mapping[int | None, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: bytes, document: Document) -> _File:
        layout = JsonLayout(text)
        features = None
        if document.form is Form.COLLECTION:
            features = layout.member(layout.root, "features")
        elif document.form is Form.ARRAY:
            features = layout.root
        below: dict[int | None, list[int]] = {None: []}
        for place, item in enumerate(document.items):
            below.setdefault(item.parent, []).append(place)
        top = [layout.root] if features is None else layout.children(features)
        containers, arrays = _locate(layout, document, below, top)
        spans = tuple(layout.span(container) for container in containers)
        return cls(text, document.items, layout, features, containers, spans, arrays, below)

    def spans_below(self, parent: int | None) -> dict[int, tuple[int, int]]:
        """Return item → bytes of the items that lie directly under one, or at the top."""
        return {place: self.spans[place] for place in self.below.get(parent, [])}

    def changes(self, edits: Edits) -> dict[int, list[bytes]]:
        """Return, for every item that doesn't stay as it is, the texts that take its place."""
        changed: dict[int, list[bytes]] = {}
        touched = edits.delete | edits.promote.keys()
        # From the end, so that children are done before their parents.
        for place in reversed(range(len(self.items))):
            item, children = self.items[place], self.spans_below(place)
            child_changed = any(child in changed for child in children)
            if item.object_id not in touched and not child_changed:
                continue
            if item.object_id in edits.delete:
                changed[place] = [t for c, span in children.items() for t in changed.get(c, [self.text[slice(*span)]])]
                continue
            text = self._with_children(place, changed)
            promotion = edits.promote.get(item.object_id)
            changed[place] = [text if promotion is None else _promoted(text, item.object_id, *promotion)]
        return changed

    def _with_children(self, place: int, changed: Mapping[int, list[bytes]]) -> bytes:
        start, end = self.spans[place]
        array = self.child_arrays[place]
        if array is None:
            return self.text[start:end]
        span = self.layout.span(array)
        edited = _edited_array(self.text, span, self.spans_below(place), changed, [])
        return self.text[start : span[0]] + edited + self.text[span[1] : end]


def _locate(
    layout: JsonLayout, document: Document, below: Mapping[int | None, list[int]], top: list[int]
) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    containers = [-1] * len(document.items)
    arrays: list[int | None] = [None] * len(document.items)
    _assign(containers, below[None], top)
    for place, children in ((place, below[place]) for place in range(len(document.items)) if place in below):
        properties = layout.member(containers[place], "properties")
        array = None if properties is None else layout.member(properties, document.items[place].children_key)
        arrays[place] = array
        _assign(containers, children, [] if array is None else layout.children(array))
    return tuple(containers), tuple(arrays)


def _assign(containers: list[int], places: list[int], found: list[int]) -> None:
    if len(found) != len(places):
        raise GeoJSONFormatError("a key appears twice and hides features; export the objects again")
    for place, container in zip(places, found, strict=True):
        containers[place] = container


def _edited_array(
    text: bytes,
    span: tuple[int, int],
    items: Mapping[int, tuple[int, int]],
    changed: Mapping[int, list[bytes]],
    added: Iterable[bytes],
) -> bytes:
    """Return a JSON array, brackets included: kept items with the blanks and commas that stood before them."""
    cursor = span[0] + 1
    parts: list[bytes] = [text[span[0] : min((start for start, _ in items.values()), default=cursor)]]
    for place, (start, end) in items.items():
        separator = text[cursor:start] if b"," in text[cursor:start] else b","
        for piece in changed.get(place, (text[start:end],)):
            parts.extend((separator, piece) if len(parts) > 1 else (piece,))
        cursor = end
    for piece in added:
        parts.extend((b",", piece) if len(parts) > 1 else (piece,))
    return b"".join(parts) + text[cursor : span[1]]


def _promoted(text: bytes, object_id: str, path_class: str, color: Rgb) -> bytes:
    """Return a feature's text with another class and without our identity; numbers keep their digits."""
    layout = JsonLayout(text)
    feature: JsonObject = parse(text)
    properties: JsonObject = feature.get("properties") or {}
    metadata = {key: value for key, value in (properties.get("metadata") or {}).items() if key != OUR_KEY}
    feature = _verbatim(layout, layout.root, feature, text)
    inner = layout.member(layout.root, "properties")
    properties = {} if inner is None else _verbatim(layout, inner, properties, text)
    properties.pop("metadata", None)
    properties["classification"] = write_class(encodable(path_class), color)
    if metadata:
        properties["metadata"] = metadata
    return text_again({**feature, "id": object_id, "properties": properties})


def _verbatim(layout: JsonLayout, container: int, value: JsonObject, text: bytes) -> JsonObject:
    copies: dict[str, Any] = dict(value)
    for child in layout.children(container):
        start, end = layout.span(child)
        copies[layout.key(child)] = orjson.Fragment(text[start:end])
    return copies


def _edited_collection(file: _File, edits: Edits, added: list[bytes]) -> bytes:
    assert file.features_array is not None  # a collection has one, or it would be another form
    span = file.layout.span(file.features_array)
    array = _edited_array(file.text, span, file.spans_below(None), file.changes(edits), added)
    splices = sorted([(*span, array), _marker_splice(file, edits.write_marker)])
    parts, cursor = [], 0
    for start, end, piece in splices:
        parts += [file.text[cursor:start], piece]
        cursor = end
    return b"".join(parts) + file.text[cursor:]


def _marker_splice(file: _File, marker: str) -> tuple[int, int, bytes]:
    """Return (start, end, bytes) that set or remove the collection's foreign member."""
    layout, text = file.layout, file.text
    old = layout.member(layout.root, OUR_KEY)
    if old is not None and marker:
        return (*layout.span(old), _marker_value(marker))
    if old is not None:
        return (*_member_span(text, layout.key_span(old)[0], layout.span(old)[1]), b"")
    closing = layout.span(layout.root)[1] - 1
    end = len(text[:closing].rstrip(BLANKS))
    return end, end, b',"slidebridge":' + _marker_value(marker) if marker else b""


def _marker_value(marker: str) -> bytes:
    return orjson.dumps({"write": encodable(marker)})


def _member_span(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the bytes of a member with one of the commas beside it: the one before, if there is one."""
    before = len(text[:start].rstrip(BLANKS))
    if text[before - 1 : before] == b",":
        return before - 1, end
    rest = text[end:].lstrip(BLANKS)
    return (start, len(text) - len(rest) + 1) if rest.startswith(b",") else (start, end)


def _edited_top_array(file: _File, edits: Edits, added: list[bytes]) -> bytes:
    start, end = file.layout.span(file.layout.root)
    array = _edited_array(file.text, (start, end), file.spans_below(None), file.changes(edits), added)
    return file.text[:start] + (_collection(array, edits) if edits.write_marker else array) + file.text[end:]


def _edited_lone(file: _File, edits: Edits, added: list[bytes]) -> bytes:
    """Return a file that held one bare feature, wrapped into a collection if it must be."""
    start, end = file.spans[0]
    pieces = file.changes(edits).get(0, [file.text[start:end]])
    if len(pieces) == 1 and not added and not edits.write_marker:
        return file.text[:start] + pieces[0] + file.text[end:]
    return file.text[:start] + _collection(b"[" + b",".join(pieces + added) + b"]", edits) + file.text[end:]


def _collection(array: bytes, edits: Edits) -> bytes:
    marker = b',"slidebridge":' + _marker_value(edits.write_marker) if edits.write_marker else b""
    return _OPENING + array + marker + b"}"
