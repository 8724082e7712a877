"""The simulated expert at ImageScope: a program of its own that touches one XML file and nothing else.

Reads the proposals, outlines what is inside from the true outlines, corrects or deletes the predictions there, types
``ROI`` into the box's Text, and saves. As ImageScope does, it regenerates the whole file: new ids, its own number
format (six decimals), unknown region attributes dropped.

Usage: ``python -m scripts.demo.expert_imagescope TRUTH.json FILE.xml IGNORE_FROM_X WIDTH HEIGHT MOST_BOXES``
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import shapely
from lxml import etree
from shapely.geometry.base import BaseGeometry

from scripts.demo.material import MPP
from scripts.demo.truth import Action, Shown, Work, load_truth, rank_of, work_off

_PREDICTED = " (predicted)"
_LAYER_KEYS = (
    "Id", "Name", "ReadOnly", "NameReadOnly", "LineColorReadOnly", "Incremental", "Type", "LineColor", "Visible",
    "Selected", "MarkupImagePath", "MacroName",
)  # fmt: skip


@dataclass
class _Shape:
    """One drawn shape, as ImageScope holds it in memory while the file is open."""

    vertices: list[tuple[float, float]]
    kind: str = "0"
    text: str = ""
    is_negative: bool = False

    @property
    def polygon(self) -> BaseGeometry:
        return shapely.make_valid(shapely.Polygon(self.vertices)) if len(self.vertices) > 2 else shapely.Polygon()


@dataclass
class _Layer:
    name: str
    color: str
    attributes: list[tuple[str, str]] = field(default_factory=list)
    shapes: list[_Shape] = field(default_factory=list)


def _open(path: Path) -> tuple[str, list[_Layer]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(path.read_bytes(), parser)
    return root.get("MicronsPerPixel", "0"), [_open_layer(layer) for layer in root.iterfind("Annotation")]


def _open_layer(element: etree._Element) -> _Layer:
    layer = _Layer(element.get("Name", ""), element.get("LineColor", "65280"))
    for attribute in element.iterfind("Attributes/Attribute"):
        layer.attributes.append((attribute.get("Name", ""), attribute.get("Value", "")))
    for region in element.iterfind("Regions/Region"):
        vertices = [(float(v.get("X", "0")), float(v.get("Y", "0"))) for v in region.iterfind("Vertices/Vertex")]
        is_negative = region.get("NegativeROA") == "1"
        layer.shapes.append(_Shape(vertices, region.get("Type", "0"), region.get("Text", ""), is_negative))
    return layer


def _save(path: Path, mpp: str, layers: list[_Layer]) -> None:
    root = etree.Element("Annotations", MicronsPerPixel=mpp)
    for number, layer in enumerate(layers, start=1):
        values = (str(number), layer.name, "0", "0", "0", "0", "4", layer.color, "1", str(int(number == 1)), "", "")
        element = etree.SubElement(root, "Annotation", dict(zip(_LAYER_KEYS, values, strict=True)))
        attributes = etree.SubElement(element, "Attributes")
        for i, (name, value) in enumerate(layer.attributes):
            etree.SubElement(attributes, "Attribute", Name=name, Id=str(i), Value=value)
        regions = etree.SubElement(element, "Regions")
        headers = etree.SubElement(regions, "RegionAttributeHeaders")
        for id_, name in (("9999", "Region"), ("9997", "Length"), ("9996", "Area"), ("9998", "Text")):
            etree.SubElement(headers, "AttributeHeader", Id=id_, Name=name, ColumnWidth="-1")
        for i, shape in enumerate(layer.shapes, start=1):
            _save_shape(regions, i, shape, float(mpp))
        etree.SubElement(element, "Plots")
    data = etree.tostring(root, pretty_print=True)
    with path.open("r+b" if path.exists() else "wb") as file:  # in place, as ImageScope does
        file.truncate(0)
        file.write(data.replace(b"\n", b"\r\n"))
        file.flush()
        os.fsync(file.fileno())


def _save_shape(regions: etree._Element, number: int, shape: _Shape, mpp: float) -> None:
    ring = shapely.Polygon(shape.vertices)
    values = {
        "Id": number, "Type": shape.kind, "Zoom": "0.5", "Selected": 0, "ImageLocation": "", "ImageFocus": 0,
        "Length": f"{ring.length:.1f}", "Area": f"{ring.area:.1f}", "LengthMicrons": f"{ring.length * mpp:.1f}",
        "AreaMicrons": f"{ring.area * mpp * mpp:.1f}", "Text": shape.text, "NegativeROA": int(shape.is_negative),
        "InputRegionId": 0, "Analyze": 1, "DisplayId": number,
    }  # fmt: skip
    region = etree.SubElement(regions, "Region", {key: str(value) for key, value in values.items()})
    etree.SubElement(region, "Attributes")
    vertices = etree.SubElement(region, "Vertices")
    for x, y in shape.vertices:
        etree.SubElement(vertices, "Vertex", X=f"{x:.6f}", Y=f"{y:.6f}")


def _layer_named(layers: list[_Layer], name: str, color: str = "65280") -> _Layer:
    found = next((layer for layer in layers if layer.name == name), None)
    if found is None:
        found = _Layer(name, color)
        layers.append(found)
    return found


def _apply(work: Work, layers: list[_Layer], places: Mapping[int, tuple[_Layer, _Shape]]) -> None:
    for step in work.steps:
        layer, shape = places[step.key]
        if step.action in (Action.DELETE, Action.RESHAPE):
            holes = [s for s in layer.shapes if s.is_negative and shape.polygon.contains(s.polygon)]
            layer.shapes = [s for s in layer.shapes if not any(s is hole for hole in holes)]
        if step.action is Action.DELETE:
            layer.shapes = [s for s in layer.shapes if s is not shape]
        elif step.action is Action.CONFIRM:
            shape.text = "ok"
        elif step.action is Action.RECLASS:
            shape.text = step.path_class
        elif step.action is Action.RESHAPE:
            shape.vertices = _ring(step.geometry)
            shape.text = "" if layer.name == step.path_class + _PREDICTED else step.path_class
    for name, geometry in work.drawn:
        _layer_named(layers, name).shapes.append(_Shape(_ring(geometry)))


def _ring(geometry: BaseGeometry) -> list[tuple[float, float]]:
    largest = max(shapely.get_parts(geometry), key=lambda part: part.area)
    return [(float(x), float(y)) for x, y in shapely.get_coordinates(shapely.get_exterior_ring(largest))[:-1]]


def label(path: Path, truth_path: Path, ignore_from_x: float, width: float, height: float, most: int = 100) -> int:
    """Work off the proposals in the file, the first ones by rank; return how many boxes were labelled.

    The first time, when there is no file yet, the part right of ``ignore_from_x`` is put into a layer ``Ignore``: it is
    never labelled, so nobody should propose boxes there.
    """
    mpp, layers = _open(path) if path.exists() else (f"{MPP:.6f}", [])
    truth = load_truth(truth_path)
    proposals = [layer for layer in layers if layer.name == "Proposed"]
    offered = [shape for layer in proposals for shape in layer.shapes if shape.text.startswith("#")]
    boxes = sorted(offered, key=lambda shape: rank_of(shape.text))[:most]
    if not any(layer.name == "Ignore" for layer in layers):
        corner = [(ignore_from_x, 0.0), (width, 0.0), (width, height), (ignore_from_x, height)]
        _layer_named(layers, "Ignore").shapes.append(_Shape(corner, kind="1"))
    for box in boxes:
        predicted = [layer for layer in layers if layer.name.endswith(_PREDICTED)]
        places = {id(s): (la, s) for la in predicted for s in la.shapes if not s.text and not s.is_negative}
        shown = [
            Shown(key, layer.name.removesuffix(_PREDICTED), shape.polygon) for key, (layer, shape) in places.items()
        ]
        human = [s.polygon for la in layers if la.name in {n for n, _ in truth} for s in la.shapes]
        edited = [s.polygon for la in predicted for s in la.shapes if s.text]
        _apply(work_off(box.polygon, truth, shown, shapely.union_all(human + edited)), layers, places)
        box.text = "ROI"
    _save(path, mpp, layers)
    return len(boxes)


if __name__ == "__main__":
    truth_file, xml_file, from_x, slide_width, slide_height, most_boxes = sys.argv[1:]
    size = float(slide_width), float(slide_height)
    print(label(Path(xml_file), Path(truth_file), float(from_x), *size, int(most_boxes)))
