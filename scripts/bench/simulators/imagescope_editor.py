"""ImageScope on one XML file: opens it, changes regions, and saves it: truncated, then written in place.

What a save makes of the whole document (``imagescope.resave``) is apart from this: here is what a person does, and what
happens to the file while it is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import shapely
from lxml import etree
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation
from scripts.bench.simulators.changes import Changes, Pause, pieces

_END = b"</Annotations>"


def open_xml(path: Path) -> bytes | None:
    """Return what ImageScope opens; None where it isn't there or was cut off, which ImageScope refuses."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return data if data.rstrip().endswith(_END) else None


def edit_xml(data: bytes, changes: Changes) -> bytes:
    """Return the document after some changes; ids are those of ``read_imagescope``, ``L{layer}R{region}``.

    Raises
    ------
    KeyError
        The document has no region of an id.
    """
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True))
    found = _regions(root)
    for object_id, text in changes.rename.items():
        found[object_id].set("Text", text)
    for object_id, geometry in changes.reshape.items():
        _draw(found[object_id], geometry)
    for object_id, path_class in changes.reclass.items():
        _layer(root, path_class).append(found[object_id])
    for object_id in changes.remove:
        region = found[object_id]
        parent = region.getparent()
        assert parent is not None, "regions lie in layers"
        parent.remove(region)
    for annotation in changes.add:
        _add(root, annotation)
    return etree.tostring(root)


def _regions(root: etree._Element) -> Mapping[str, etree._Element]:
    return {
        f"L{i}R{j}": region
        for i, layer in enumerate(root.findall("Annotation"))
        for j, region in enumerate(layer.findall("Regions/Region"))
    }


def _layer(root: etree._Element, name: str) -> etree._Element:
    """Return the regions of the first layer of a name, made at the end where there is none."""
    layers = root.findall("Annotation")
    layer = next((layer for layer in layers if layer.get("Name") == name), None)
    if layer is None:
        number = 1 + max((int(layer.get("Id", "0")) for layer in layers), default=0)
        layer = etree.SubElement(root, "Annotation", Id=str(number), Name=name, Type="4", LineColor="255", Visible="1")
        for part in ("Attributes", "Regions", "Plots"):
            etree.SubElement(layer, part)
    regions = layer.find("Regions")
    return etree.SubElement(layer, "Regions") if regions is None else regions


def _add(root: etree._Element, annotation: Annotation) -> None:
    regions = _layer(root, annotation.path_class or "")
    number = 1 + max((int(region.get("Id", "0")) for region in root.iterfind(".//Region")), default=0)
    region = etree.SubElement(regions, "Region", Id=str(number), Type="0", Zoom="1", NegativeROA="0", Analyze="1")
    region.set("Text", annotation.name or "")
    region.set("InputRegionId", "0")
    etree.SubElement(region, "Attributes")
    _draw(region, annotation.geometry)


def _draw(region: etree._Element, geometry: BaseGeometry) -> None:
    for old in region.findall("Vertices"):
        region.remove(old)
    region.set("Type", "0")
    vertices = etree.SubElement(region, "Vertices")
    for x, y in shapely.get_coordinates(shapely.get_exterior_ring(geometry)).tolist():
        etree.SubElement(vertices, "Vertex", X=f"{x:g}", Y=f"{y:g}", Z="0")


def save_xml(
    path: Path,
    data: bytes,
    *,
    count: int,
    pause: Pause,
    hold: Pause | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """Write in place; return the seconds between opening the file and changing it.

    Parameters
    ----------
    count
        Pieces that the file is written in.
    pause
        Called before every piece; where it ends the process, the file is left cut.
    hold
        Called between opening the file and truncating it, so that it may have been replaced in between; None: it is
        truncated in the moment of opening.
    clock
        Seconds: looked at before the file is opened and when it has been changed.
    """
    began = clock()  # before it is opened: a busy machine may stop us between any two lines
    with path.open("wb" if hold is None or not path.exists() else "r+b") as file:
        if hold is not None:
            hold()
        file.truncate(0)
        seconds = clock() - began
        for piece in pieces(data, count):
            file.write(piece)
            file.flush()
            pause()
    return seconds
