"""What a feature's properties say (kind, class, colour, measurements …), in QuPath's words of 0.2–0.7 and in ours."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import orjson

from bridge.annotations.objects import ObjectKind, Plane, Rgb
from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson_text import JsonObject, text_again
from bridge.qupath.path_classes import is_translucent

_SEPARATOR = ": "
_KINDS = {
    "annotation": ObjectKind.ANNOTATION,
    "detection": ObjectKind.DETECTION,
    "tile": ObjectKind.TILE,
    "cell": ObjectKind.CELL,
    "tmacore": ObjectKind.TMA_CORE,
    "tma_core": ObjectKind.TMA_CORE,
    "pathannotationobject": ObjectKind.ANNOTATION,
    "pathdetectionobject": ObjectKind.DETECTION,
    "pathtileobject": ObjectKind.TILE,
    "pathcellobject": ObjectKind.CELL,
    "tmacoreobject": ObjectKind.TMA_CORE,
}
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "-inf": -math.inf, "-infinity": -math.inf}
PROBABILITY = "classProbability"  # ours: QuPath exports none, and reads over it


def read_kind(feature: JsonObject, properties: JsonObject) -> ObjectKind:
    """Return the object's kind: ``objectType`` (0.4+), ``object_type`` (0.3), ``type``, or the ``id`` (0.2)."""
    for word in (
        properties.get("objectType"),
        properties.get("object_type"),
        properties.get("type"),
        feature.get("id"),
    ):
        kind = _KINDS.get(word.lower()) if isinstance(word, str) else None
        if kind is not None:
            return kind
    return ObjectKind.ANNOTATION


def read_class(value: Any, path: str) -> tuple[str | None, Rgb | None]:
    """Return (full class name, colour) of a ``classification``; None for what it doesn't say.

    Read are text, ``{name}``, ``{names}`` and ``{parentClass, name}``, each with ``color`` or ``colorRGB``, and the
    text that GIS programs make of such an object.

    Raises
    ------
    GeoJSONFormatError
        It is a number or a list.
    """
    if isinstance(value, str):
        value = _object_in_text(value) or {"name": value}
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise GeoJSONFormatError(f"{path}.properties.classification is {value!r:.40}, neither a name nor an object")
    return _SEPARATOR.join(_class_names(value)) or None, read_color(value.get("color", value.get("colorRGB")))


def _object_in_text(text: str) -> JsonObject | None:
    if not text.startswith("{"):
        return None
    for candidate in (text, text.replace("'", '"')):
        try:
            value = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        return value if isinstance(value, dict) else None
    return None


def _class_names(value: JsonObject) -> list[str]:
    names = value.get("names")
    if isinstance(names, list):
        return [str(name) for name in names]
    chain: list[str] = []
    node: Any = value
    while isinstance(node, dict):
        chain.extend([str(node["name"])] if node.get("name") is not None else [])
        node = node.get("parentClass")
    return chain[::-1]


def write_class(path_class: str, color: Rgb) -> JsonObject:
    """Return a ``classification`` that every QuPath since 0.4 reads; without a colour it would refuse the file."""
    names = path_class.split(_SEPARATOR)
    title: JsonObject = {"name": path_class} if len(names) == 1 else {"names": names}
    return {**title, "color": list(color)}


def read_color(value: Any) -> Rgb | None:
    """Return a colour given as ``[r, g, b]``, ``[r, g, b, a]`` or a packed (A)RGB integer; None for anything else."""
    if isinstance(value, list) and len(value) in (3, 4) and all(isinstance(part, int) for part in value):
        red, green, blue = (min(max(part, 0), 255) for part in value[:3])
        return red, green, blue
    if isinstance(value, int):
        return value >> 16 & 255, value >> 8 & 255, value & 255
    return None


def has_translucent_color(properties: JsonObject) -> bool:
    """Say whether an object's own colour or its class's is half transparent."""
    classification = properties.get("classification")
    named = classification if isinstance(classification, dict) else {}
    return any(map(_is_translucent, (properties.get("color"), named.get("color", named.get("colorRGB")))))


def _is_translucent(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 4 and isinstance(value[3], int) and 0 < value[3] < 255
    return isinstance(value, int) and is_translucent(value)


def default_color(path_class: str) -> Rgb:
    """Return a colour for a class that has none: always the same for a name, never near black."""
    red, green, blue = (64 + byte * 3 // 4 for byte in hashlib.sha256(path_class.encode(errors="replace")).digest()[:3])
    return red, green, blue


def read_measurements(value: Any) -> dict[str, float]:
    """Return measurements from a map (0.4+) or a list of ``{name, value}``; what has no name or number is left out."""
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict) and isinstance(row.get("name"), str)]
        value = {row["name"]: row.get("value") for row in rows}
    if not isinstance(value, dict):
        return {}
    pairs = ((str(name), _number(number)) for name, number in value.items())
    return {name: number for name, number in pairs if number is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return _NON_FINITE.get(value.lower()) if value.lower() in _NON_FINITE else float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) else None


def write_measurements(measurements: Mapping[str, float]) -> JsonObject:
    """Return a measurement map; what JSON has no number for goes as the text that Java reads."""
    return {name: value if math.isfinite(value) else _java_text(value) for name, value in measurements.items()}


def _java_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def read_metadata(value: Any) -> dict[str, str]:
    """Return the object's metadata as text; values of other kinds become their JSON."""
    if not isinstance(value, dict):
        return {}
    return {key: text if isinstance(text, str) else text_again(text).decode() for key, text in value.items()}


def read_plane(geometry: JsonObject) -> Plane:
    """Return the plane that a geometry lies on; QuPath leaves the default one out."""
    plane = geometry.get("plane")
    if not isinstance(plane, dict):
        return Plane()
    c, z, t = (plane.get(key, default) for key, default in (("c", -1), ("z", 0), ("t", 0)))
    return Plane(*(int(number) if isinstance(number, int | float) else 0 for number in (c, z, t)))


def read_probability(value: Any) -> float | None:
    """Return our class probability, if the feature carries one."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
