"""``summary.json``, which QuPath writes last in a save, after the ``data.qpdata`` that it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bridge.annotations import ObjectKind
from bridge.qupath.java_values import Allowance
from bridge.qupath.json_file import to_json
from bridge.qupath.path_classes import PathClassReader
from bridge.qupath.path_objects import kind_of, open_root, walk
from bridge.qupath.qpdata import QpData

_TITLES = {
    ObjectKind.ANNOTATION: "Annotations",
    ObjectKind.DETECTION: "Detections",
    ObjectKind.TILE: "Tiles",
    ObjectKind.CELL: "Cells",
    ObjectKind.TMA_CORE: "TMA cores",
}
_UNCLASSIFIED = "Unclassified"


def summarize(
    qpdata: QpData,
    stream_bytes: int,
    *,
    timestamp_ms: int,
    earlier: Mapping[str, Any],
    server: Mapping[str, Any] | None,
) -> bytes:
    """Return the summary of a file.

    Parameters
    ----------
    timestamp_ms
        Modification time of the ``data.qpdata``, where it is known.
    earlier
        The summary that was there; what we don't count is kept from it.
    server
        Metadata of the image (``width``, ``height``, ``channels`` …) for where there was no summary; None: unknown.
    """
    summary = dict(earlier)
    summary["timestamp"] = timestamp_ms
    summary["imageType"] = qpdata.image_type or summary.get("imageType", "UNSET")
    if "server" not in summary and server is not None:
        summary["server"] = _server(server)
    summary["hierarchy"] = _count(qpdata, stream_bytes)
    return to_json(summary, indent=None)


def _server(metadata: Mapping[str, Any]) -> dict[str, Any]:
    channels = metadata.get("channels")
    return {
        "width": metadata.get("width"),
        "height": metadata.get("height"),
        "sizeC": len(channels) if isinstance(channels, list) else 3,
        "sizeZ": metadata.get("sizeZ", 1),
        "sizeT": metadata.get("sizeT", 1),
    }


def _count(qpdata: QpData, stream_bytes: int) -> dict[str, Any]:
    classes = PathClassReader(Allowance(stream_bytes))
    titles = Counter({"Root objects": 1})
    annotations: Counter[str] = Counter()
    detections: Counter[str] = Counter()
    for opened, _ in walk(open_root(qpdata.root)):
        kind = kind_of(opened.node.desc)
        titles[_TITLES[kind]] += 1
        if kind is not ObjectKind.TMA_CORE:
            name = classes.read(opened.path_class)[0] or _UNCLASSIFIED
            (annotations if kind is ObjectKind.ANNOTATION else detections)[name] += 1
    return {
        "nObjects": titles.total(),
        "objectTypeCounts": titles,
        "annotationClassificationCounts": annotations,
        "detectionClassificationCounts": detections,
    }
