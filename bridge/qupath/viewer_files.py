"""The files that QuPath with our script and we leave for each other, below ``<project>/.slidebridge/viewer/``.

    open-<session>.json              script   what one QuPath has open: a heartbeat, every second
    inbox/<entry>/<marker>.json      we       a delivery: edits for the open image
    inbox/<entry>/<marker>.<session>.taken    the script's, which took it by renaming it
    inbox/<entry>/<marker>.done      script   a receipt: what it did; the heartbeat before it has the marker already
    outbox/<time>-<session>-<n>.json script   something that a person asked for

Every file is written under another name and renamed, so it is there whole or not at all. Those of the script are
untrusted: limits on size, every value checked. ``hooks/qupath/slidebridge.groovy`` is the other side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bridge.annotations.objects import Annotation
from bridge.annotations.viewer import Delivery, Promotion, ViewerRequest
from bridge.coords import Region
from bridge.errors import QuPathFormatError
from bridge.files import open_plain
from bridge.qupath.geojson_features import annotation_features, machine_features
from bridge.qupath.geojson_properties import write_class
from bridge.qupath.geojson_text import encodable, to_text
from bridge.qupath.json_file import parse_json

PROTOCOL = 1
FOLDER = "viewer"  # below ``.slidebridge``
HEARTBEATS, INBOX, OUTBOX = "open-*.json", "inbox", "outbox"
OFFERED, TAKEN, DONE = ".json", ".taken", ".done"
PREDICT = "predict"

_MAX_BYTES = 4 * 2**20
_MAX_ENTRIES = 1_000  # open in one QuPath
_MAX_LEFT = 100_000
_MAX_TEXT = 300
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of an entry, a session, a marker: no way out of the folder
_FARTHEST = 2**31
_MOST = 2**31  # of processes, and of beats: some 68 years
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """One image that a QuPath has open; ``marker`` is the write of ours that it has in memory."""

    entry: str
    is_changed: bool
    is_on_screen: bool
    marker: str | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What one QuPath has open; ``count`` goes up with every beat."""

    session: str
    pid: int
    host: str
    count: int
    entries: tuple[OpenEntry, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery in a QuPath."""

    session: str
    left: frozenset[str]
    trouble: str | None


def is_name(text: object) -> bool:
    """Say whether a text may name a file of the protocol: no path, nothing hidden, short."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None and not text.endswith(".")


def read_heartbeat(path: Path) -> Heartbeat:
    """Read what one QuPath has open; images whose id can't name a file are passed over.

    Raises
    ------
    QuPathFormatError
        No heartbeat that we know.
    OSError
        It can't be read, or is gone.
    """
    return _read(path, _heartbeat)


def read_receipt(path: Path) -> Receipt:
    """Read what became of a delivery.

    Raises
    ------
    QuPathFormatError, OSError
        As for ``read_heartbeat``.
    """
    return _read(path, _receipt)


def read_request(path: Path) -> ViewerRequest:
    """Read what a person asked for.

    Raises
    ------
    QuPathFormatError, OSError
        As for ``read_heartbeat``.
    """
    return _read(path, _request)


def delivery_bytes(slide_key: str, delivery: Delivery) -> bytes:
    """Return a delivery as the script reads it: QuPath's own GeoJSON inside.

    Raises
    ------
    InvalidGeometryError
        A new object has no area that QuPath could show.
    """
    content = {
        "protocol": PROTOCOL,
        "marker": delivery.marker,
        "entry": slide_key,
        "add": machine_features(delivery.add, delivery.marker),
        "remove": _features(delivery.remove),
        "promote": _promotions(delivery.promote),
    }
    return to_text(content)


def _features(annotations: Sequence[Annotation]) -> list[Mapping[str, Any]]:
    features = annotation_features([_as_expected(a) for a in annotations], None)
    return [feature for feature in features if feature is not None]


def _as_expected(annotation: Annotation) -> Annotation:
    """Return what of an object is compared: its id, class, name and outline."""
    name = None if annotation.name is None else encodable(annotation.name)
    return replace(annotation, name=name, metadata={}, measurements={}, probability=None)


def _promotions(promotions: Sequence[Promotion]) -> list[Mapping[str, Any]]:
    features = annotation_features([_as_expected(p.annotation) for p in promotions], None)
    return [
        {"object": feature, "classification": write_class(promotion.path_class, promotion.color)}
        for promotion, feature in zip(promotions, features, strict=True)
        if feature is not None
    ]


def _read(path: Path, convert: Callable[[Mapping[str, Any]], _T]) -> _T:
    with open_plain(path) as file:
        data = file.read(_MAX_BYTES + 1)
    try:
        if len(data) > _MAX_BYTES:
            raise QuPathFormatError(f"the file has more than {_MAX_BYTES} bytes")
        content = parse_json(data)
        if not isinstance(content, dict) or content.get("protocol") != PROTOCOL:
            raise QuPathFormatError(f"it doesn't speak version {PROTOCOL}; install the QuPath script again")
        return convert(content)
    except QuPathFormatError as error:
        raise error.at(path) from error


def _heartbeat(content: Mapping[str, Any]) -> Heartbeat:
    rows = content.get("open")
    if not isinstance(rows, list) or len(rows) > _MAX_ENTRIES:
        raise QuPathFormatError("`open` is no list of images")
    return Heartbeat(
        _name(content, "session"),
        _number(content, "pid"),
        _text(content, "host"),
        _number(content, "count"),
        tuple(_open_entry(row) for row in rows if isinstance(row, dict) and is_name(row.get("entry"))),
    )


def _open_entry(row: Mapping[str, Any]) -> OpenEntry:
    marker = row.get("marker")
    return OpenEntry(
        row["entry"], row.get("changed") is True, row.get("on_screen") is True, marker if is_name(marker) else None
    )


def _receipt(content: Mapping[str, Any]) -> Receipt:
    left, trouble = content.get("left"), content.get("trouble")
    if not isinstance(left, list) or len(left) > _MAX_LEFT:
        raise QuPathFormatError("`left` is no list of ids")
    said = " ".join(trouble.split())[:_MAX_TEXT] if isinstance(trouble, str) else None
    return Receipt(_name(content, "session"), frozenset(i for i in left if is_name(i)), said)


def _request(content: Mapping[str, Any]) -> ViewerRequest:
    if content.get("ask") != PREDICT:
        raise QuPathFormatError(f"it asks for {content.get('ask')!r:.40}, which we can't do")
    return ViewerRequest(_name(content, "entry"), _region(content.get("region")))


def _region(value: object) -> Region | None:
    if value is None:
        return None
    is_right = isinstance(value, list) and len(value) == 4 and all(_is_pixel(v) for v in value)
    if not is_right or not isinstance(value, list) or value[2] < 1 or value[3] < 1:
        raise QuPathFormatError("`region` is not x, y, width and height in whole pixels")
    return Region(*value)


def _is_pixel(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _FARTHEST


def _name(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not is_name(value):
        raise QuPathFormatError(f"`{key}` is {value!r:.40}, which can't be a name")
    return value


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise QuPathFormatError(f"`{key}` is no short text")
    return value


def _number(content: Mapping[str, Any], key: str) -> int:
    value = content.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise QuPathFormatError(f"`{key}` is no number that counts something")
    return value
