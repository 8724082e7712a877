"""QuPath on one ``data.qpdata``: opens it, keeps whatever is in it, and saves it the way ``DefaultProject`` does.

What is in memory is the whole graph of the file, so that objects and properties which QuPath merely carries along come
back as they were. A save renames the old file to ``data.qpdata.bkp``, writes in place, deletes the ``.bkp``, and writes
``summary.json`` last (QuPath 0.4.4 to 0.7.0).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.errors import QuPathFormatError
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import Item, JavaObject
from bridge.qupath.java_values import Allowance
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import OBJECT_ID, PathObject, open_root, read_metadata, walk
from bridge.qupath.plain import append_annotations
from bridge.qupath.qpdata import QpData, open_qpdata
from scripts.bench.simulators.changes import Changes, Pause, pieces

SUMMARY = "summary.json"
_COLOR = (200, 0, 0)  # of classes that the file doesn't know yet


def backup_of(path: Path) -> Path:
    """Return the name that a save moves the old file to."""
    return path.with_name(f"{path.name}.bkp")


def open_image(path: Path) -> bytes | None:
    """Return what QuPath shows: the file, else the ``.bkp``, else None (QuPath then shows an empty image)."""
    for candidate in (path, backup_of(path)):
        try:
            data = candidate.read_bytes()
            open_qpdata(data)
        except (FileNotFoundError, QuPathFormatError):
            continue
        return data
    return None


def edit_image(data: bytes, changes: Changes) -> bytes:
    """Return the file as it will be saved after some changes; all else goes out as it came in.

    Raises
    ------
    KeyError
        The file has no object of an id.
    """
    qpdata = open_qpdata(data)
    found = _objects(qpdata, len(data))
    graph = GraphBuilder(qpdata.stream.nodes)
    for object_id, name in changes.rename.items():
        found[object_id].items[0] = graph.text(name)
    for object_id, path_class in changes.reclass.items():
        found[object_id].items[found[object_id].class_at] = graph.path_class(path_class, _COLOR)
    for object_id, geometry in changes.reshape.items():
        found[object_id].items[found[object_id].class_at + 1] = _polygon(graph, geometry)
    _remove(qpdata, {found[object_id].node for object_id in changes.remove})
    return append_annotations(write_stream(qpdata.stream.items), changes.add).data


def _polygon(graph: GraphBuilder, geometry: BaseGeometry) -> JavaObject:
    x, y = shapely.get_coordinates(shapely.get_exterior_ring(geometry))[:-1].astype(">f4").T
    return graph.polygon(np.ascontiguousarray(x).tobytes(), np.ascontiguousarray(y).tobytes())


def _objects(qpdata: QpData, size: int) -> Mapping[str, PathObject]:
    allowance = Allowance(size)
    return {
        read_metadata(opened.metadata, allowance).get(OBJECT_ID, ""): opened
        for opened, _ in walk(open_root(qpdata.root))
    }


def _remove(qpdata: QpData, nodes: set[JavaObject]) -> None:
    """Take objects out with all that is below them."""
    for _, parent in list(walk(open_root(qpdata.root))):
        kept: list[Item] = [child for child in parent.children if child not in nodes]
        if len(kept) < len(parent.children):
            parent.replace_children(kept)


def save_image(path: Path, data: bytes, *, count: int, pause: Pause, fails_after: int | None = None) -> bool:
    """Save as QuPath does; return whether the save succeeded.

    Parameters
    ----------
    count
        Pieces that the file is written in.
    pause
        Called before every piece and between the steps; where it ends the process, the file is left as it is then.
    fails_after
        After so many pieces the disk refuses: QuPath moves the ``.bkp`` back. None: it doesn't.
    """
    backup = backup_of(path)
    if path.exists():
        path.replace(backup)
    pause()
    with path.open("wb") as file:
        for number, piece in enumerate(pieces(data, count)):
            if number == fails_after:
                break
            file.write(piece)
            file.flush()
            pause()
        else:
            fails_after = None
    if fails_after is not None:
        backup.replace(path)
        return False
    pause()
    backup.unlink(missing_ok=True)
    pause()
    written_ms = path.stat().st_mtime_ns // 10**6 if path.exists() else 0
    path.with_name(SUMMARY).write_text(json.dumps({"timestamp": written_ms, "imageType": "UNSET"}), "utf-8")
    return True
