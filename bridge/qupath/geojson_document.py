"""A parsed GeoJSON file as a flat list of features, each with the id that names it in this revision."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson_text import JsonObject, encodable, text_again

OUR_KEY = "slidebridge"
CHILDREN = "childObjects"
GEOMETRY_TYPES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)
# QuPath 0.2 and 0.3 wrote the object's Java class where the id belongs.
LEGACY_IDS = frozenset(
    {
        "PathAnnotationObject",
        "PathDetectionObject",
        "PathTileObject",
        "PathCellObject",
        "TMACoreObject",
        "PathRootObject",
    }
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_SPACE = uuid.UUID("6f0d4f0e-5bd1-5c54-9d4e-3b8f4b1d8f11")
# JSON of other programs, by keys that the outermost object has (or, in a list, the first one).
_FOREIGN = (
    ({"content", "slideId"}, "Sectra"),
    ({"content", "rowVersion"}, "Sectra"),
    ({"annotation"}, "Cytomine"),
    ({"collection"}, "Cytomine"),
    ({"annotations", "images", "categories"}, "COCO"),
    ({"schema_ref", "annotations"}, "Darwin (V7)"),
    ({"annotations", "item"}, "Darwin (V7)"),
    ({"annotations", "dataset", "image"}, "Darwin (V7)"),
    ({"shapes", "imagePath"}, "labelme"),
    ({"objects", "arcs"}, "TopoJSON"),
    ({"images", "createTimestamp"}, "QuPath project"),
    ({"pathClasses"}, "QuPath class list"),
    ({"builderType"}, "QuPath server"),
    ({"hierarchy", "timestamp"}, "QuPath summary"),
)


class Form(Enum):
    """What the outermost value of a file is; QuPath reads all four."""

    COLLECTION = "FeatureCollection"
    ARRAY = "array"  # QuPath's default for several objects
    FEATURE = "Feature"  # QuPath's default for one object
    GEOMETRY = "geometry"


@dataclass(frozen=True, slots=True)
class Item:
    """One feature.

    Parameters
    ----------
    feature
        As parsed; for a bare geometry a feature made around it.
    object_id
        The feature's own UUID, or one made from its other id or its geometry; unlike every other in the file.
    parent
        Index of the item whose child object it is, or None.
    path
        Where it is, for messages: ``features[2].childObjects[0]``.
    """

    feature: JsonObject
    object_id: str
    parent: int | None
    path: str

    @property
    def properties(self) -> JsonObject:
        """The feature's properties; empty where it has none."""
        return self.feature.get("properties") or {}

    @property
    def children_key(self) -> str:
        """Where the child objects are: ``childObjects``, or ``children``, which QuPath reads as well."""
        alias = self.properties.get("children")
        is_alias = CHILDREN not in self.properties and isinstance(alias, list) and all(map(_is_feature, alias))
        return "children" if is_alias else CHILDREN

    @property
    def children(self) -> list[Any]:
        """The child objects, as parsed."""
        return self.properties.get(self.children_key) or []

    @property
    def is_root(self) -> bool:
        """Whether it stands for the whole image: QuPath's root object, which is no annotation."""
        return self.properties.get("objectType") == "root" or self.feature.get("id") == "PathRootObject"

    @property
    def is_ours(self) -> bool:
        """Whether it bears our identity."""
        metadata = self.properties.get("metadata")
        return isinstance(metadata, dict) and OUR_KEY in metadata


@dataclass(frozen=True, slots=True)
class Document:
    """All features of a file, parents before children, in the order of the text."""

    form: Form
    items: tuple[Item, ...]
    write_marker: str | None = None


def open_document(value: Any) -> Document:
    """Find the features in a parsed file.

    Raises
    ------
    GeoJSONFormatError
        The value is no GeoJSON (another program's file is named), or one of its features is not one.
    """
    form, features = _form(value)
    marker = value.get(OUR_KEY) if form is Form.COLLECTION else None
    write = marker.get("write") if isinstance(marker, dict) else None
    return Document(form, _items(features), write if isinstance(write, str) and write else None)


def _form(value: Any) -> tuple[Form, list[Any]]:
    if isinstance(value, list) and (not value or _is_feature(value[0])):
        return Form.ARRAY, value
    if isinstance(value, dict):
        if isinstance(value.get("features"), list):
            return Form.COLLECTION, value["features"]
        if _type(value) in GEOMETRY_TYPES:
            return Form.GEOMETRY, [value]
        if _is_feature(value):
            return Form.FEATURE, [value]
    raise GeoJSONFormatError(f"{_what_is(value)}, not GeoJSON; export the objects as GeoJSON from QuPath")


def _is_feature(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return "geometry" in value or _type(value) == "Feature" or _type(value) in GEOMETRY_TYPES


def _type(value: JsonObject) -> str | None:
    name = value.get("type")
    return name if isinstance(name, str) else None


def _what_is(value: Any) -> str:
    sample = value[0] if isinstance(value, list) and value else value
    if isinstance(sample, dict):
        name = next((name for keys, name in _FOREIGN if keys <= sample.keys()), None)
        return f"a {name} file" if name else f"JSON with {', '.join(sorted(sample)[:4]) or 'nothing'} inside"
    return f"JSON with a {type(sample).__name__} inside"


def _items(features: list[Any]) -> tuple[Item, ...]:
    items: list[Item] = []
    used: dict[str, int] = {}
    # A stack, not recursion: children of children go as deep as the parser lets them.
    waiting: list[tuple[Any, int | None, str]] = []
    waiting.extend([(feature, None, f"features[{i}]") for i, feature in enumerate(features)][::-1])
    while waiting:
        value, parent, path = waiting.pop()
        feature = _feature(value, path)
        item = Item(feature, _object_id(feature, used), parent, path)
        items.append(item)
        waiting.extend([(child, len(items) - 1, where) for child, where in _children(item)][::-1])
    return tuple(items)


def _feature(value: Any, path: str) -> JsonObject:
    if not _is_feature(value):
        raise GeoJSONFormatError(f"{path} is not a GeoJSON feature; export the objects again")
    feature: JsonObject = value
    if _type(feature) in GEOMETRY_TYPES:
        return {"type": "Feature", "geometry": value, "properties": {}}
    if not isinstance(feature.get("properties"), dict | None):
        raise GeoJSONFormatError(f"{path}.properties is not an object; export the objects again")
    return feature


def _children(item: Item) -> Iterator[tuple[Any, str]]:
    if not isinstance(item.children, list):
        raise GeoJSONFormatError(f"{item.path}.{CHILDREN} is not a list; export the objects again")
    return ((child, f"{item.path}.{CHILDREN}[{i}]") for i, child in enumerate(item.children))


def _object_id(feature: JsonObject, used: dict[str, int]) -> str:
    object_id = _own_id(feature)
    repeat = used.get(object_id, 0)
    used[object_id] = repeat + 1
    # QuPath itself would keep both under one id; ours must tell them apart, the same way each time the file is read.
    return object_id if repeat == 0 else str(uuid.uuid5(_ID_SPACE, f"{object_id} again {repeat}"))


def _own_id(feature: JsonObject) -> str:
    given = "" if feature.get("id") is None else str(feature["id"])
    if _UUID.fullmatch(given):
        return given.lower()
    if not given or given in LEGACY_IDS:
        text = text_again(feature.get("geometry"), orjson.OPT_SORT_KEYS).decode()
        return str(uuid.uuid5(_ID_SPACE, f"geometry {text}"))
    return to_uuid(given)


def to_uuid(text: str) -> str:
    """Return the text if it is a UUID, else a UUID that always comes from this text."""
    return text if _UUID.fullmatch(text) else str(uuid.uuid5(_ID_SPACE, f"id {encodable(text)}"))
