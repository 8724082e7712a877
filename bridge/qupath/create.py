"""A first ``data.qpdata`` from nothing: whole, without objects, as QuPath 0.5.1 would have saved it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from struct import pack
from typing import Any

from bridge.qupath import class_table as table
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import Item, JavaObject
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import OBJECT_ID
from bridge.qupath.qpdata import WRITABLE_VERSION

QUPATH_VERSION = "0.5.1"  # its files are read by 0.4 to 0.7
UNSET = "UNSET"  # image type: QuPath asks the user
IMAGE_TYPES = ("BRIGHTFIELD_H_E", "BRIGHTFIELD_H_DAB", "BRIGHTFIELD_OTHER", "FLUORESCENCE", "OTHER", UNSET)

_HEMATOXYLIN = "0.65111 0.70119 0.29049"
_STAINS = {  # QuPath's own defaults
    "BRIGHTFIELD_H_E": ("H&E default", "Eosin", "0.2159 0.8012 0.5581"),
    "BRIGHTFIELD_H_DAB": ("H-DAB default", "DAB", "0.26917 0.56824 0.77759"),
}


def create_qpdata(
    builder_json: Mapping[str, Any],
    *,
    file_path: str,
    project_path: str,
    entry_id: str,
    image_type: str = UNSET,
    version: str = QUPATH_VERSION,
) -> bytes:
    """Return the bytes of a ``data.qpdata`` without objects; the same arguments give the same bytes.

    Parameters
    ----------
    builder_json
        The entry's ``serverBuilder`` of the project file.
    file_path, project_path
        Where the file and the project file will be; QuPath notes both and believes neither.
    image_type
        One of ``IMAGE_TYPES``: Java reads no other. H&E and H-DAB get QuPath's default stain vectors.
    """
    graph = GraphBuilder()
    header = {
        "dataVersion": WRITABLE_VERSION,
        "qupathVersion": version,
        "server": builder_json,
        "id": file_path,
    }
    title = f"Data file version {WRITABLE_VERSION}".encode()
    owner = f"{project_path}::{entry_id}"
    return write_stream(
        [
            pack(">H", len(title)) + title,
            graph.text(json.dumps(header, ensure_ascii=False, separators=(",", ":"))),
            _locale(graph),
            graph.enum(table.IMAGE_TYPE, image_type),
            _stains(graph, image_type),
            graph.object(table.WORKFLOW, [pack(">ii", 1, 0)]),  # version, number of steps
            graph.object(table.HIERARCHY, _root(graph, owner), None),
            graph.hash_map({"PROJECT_ENTRY_ID": owner}),
            graph.text("EOF"),
        ]
    )


def _locale(graph: GraphBuilder) -> JavaObject:
    texts: dict[str, Item] = {name: graph.text("") for name in ("country", "extensions", "script", "variant")}
    texts["language"] = graph.text("en")
    return graph.object(table.LOCALE, pack(">i", -1), *(texts[name] for name in sorted(texts)), [])


def _stains(graph: GraphBuilder, image_type: str) -> JavaObject | None:
    if image_type not in _STAINS:
        return None
    name, second, values = _STAINS[image_type]
    stains = {
        "Name": name,
        "Stain 1": "Hematoxylin",
        "Values 1": _HEMATOXYLIN,
        "Stain 2": second,
        "Values 2": values,
        "Background": " 255 255 255",
    }
    text = "{" + ", ".join(f'"{key}" : "{value}"' for key, value in stains.items()) + "}"
    return graph.object(table.STAINS, [pack(">i", 1), graph.text(text)])


def _root(graph: GraphBuilder, owner: str) -> JavaObject:
    # QuPath reads an empty hierarchy where the root has no metadata map.
    root_id = str(uuid.uuid5(uuid.NAMESPACE_URL, owner))
    metadata = graph.metadata(graph.texts((OBJECT_ID,)), graph.texts((root_id,)))
    return graph.object(table.ROOT, [None, None, metadata, None, pack(">i", 0)])
