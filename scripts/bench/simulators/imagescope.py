"""ImageScope's save: the whole XML written anew from what the program keeps in memory.

What it does, as seen in files that ImageScope 12 wrote and by common report: no declaration, no byte order mark, CRLF,
tabs; vertices on whole pixels with ``Z="0"``; lengths and areas computed again from them; layers and regions numbered
anew; attributes and elements that it doesn't know, comments and processing instructions are gone, as are region
attributes for which the layer has no column. Whether it keeps a layer's own attributes is not known for every version:
``keep_marker`` says which of the two is played.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from lxml import etree

_ESCAPES = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_KNOWN_PROPERTY = "Description"
_LAYER: Mapping[str, str] = {
    "Name": "",
    "ReadOnly": "0",
    "NameReadOnly": "0",
    "LineColorReadOnly": "0",
    "Incremental": "0",
    "Type": "4",
    "LineColor": "65280",
    "Visible": "1",
    "Selected": "0",
    "MarkupImagePath": "",
    "MacroName": "",
}
_HEADERS = {"9999": "Region", "9997": "Length", "9996": "Area", "9998": "Text", "1": "Description"}
_FREEHAND, _RECTANGLE, _ELLIPSE = "0", "1", "2"

Points = list[tuple[float, float]]


def resave(xml: bytes, *, keep_marker: bool = True, first_region_id: int = 1) -> bytes:
    """Return a file as ImageScope would save it after having opened it.

    Parameters
    ----------
    xml
        A whole ImageScope file.
    keep_marker
        Whether attributes of layers other than ``Description`` survive.
    first_region_id
        Of each layer's regions, which are numbered on from it. ``InputRegionId`` stays what it was, and so may name
        another region, or none.

    Returns
    -------
    bytes
        UTF-8. Saving it once more changes nothing.

    Raises
    ------
    lxml.etree.XMLSyntaxError
        Not XML.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True)
    root = etree.fromstring(xml, parser)
    mpp = _number(root.get("MicronsPerPixel"))
    lines = [f'<Annotations MicronsPerPixel="{mpp:.6f}">']
    for number, layer in enumerate(root.iterfind("Annotation"), 1):
        lines += _layer(layer, number, mpp, keep_marker=keep_marker, first_region_id=first_region_id)
    return "\r\n".join([*lines, "</Annotations>"]).encode()


def _layer(layer: etree._Element, number: int, mpp: float, *, keep_marker: bool, first_region_id: int) -> Iterator[str]:
    kept = {key: layer.get(key, default) for key, default in _LAYER.items()}
    yield f"\t{_tag('Annotation', {'Id': str(number), **kept})}"
    yield "\t\t<Attributes>"
    for place, found in enumerate(layer.iterfind("Attributes/Attribute")):
        name = found.get("Name", "")
        if keep_marker or name == _KNOWN_PROPERTY:
            yield f"\t\t\t{_tag('Attribute', {'Name': name, 'Id': str(place), 'Value': found.get('Value', '')}, '/')}"
    yield from ("\t\t</Attributes>", "\t\t<Regions>", "\t\t\t<RegionAttributeHeaders>")
    columns = _columns(layer)
    for key, title in columns.items():
        yield f"\t\t\t\t{_tag('AttributeHeader', {'Id': key, 'Name': title, 'ColumnWidth': '-1'}, '/')}"
    yield "\t\t\t</RegionAttributeHeaders>"
    for place, region in enumerate(layer.iterfind("Regions/Region")):
        yield from _region(region, str(first_region_id + place), str(place + 1), mpp, columns)
    yield from ("\t\t</Regions>", "\t\t<Plots/>")
    source = layer.findtext("InputAnnotationId")
    if source:
        yield f"\t\t<InputAnnotationId>{source.strip()}</InputAnnotationId>"
    yield "\t</Annotation>"


def _columns(layer: etree._Element) -> Mapping[str, str]:
    found = layer.iterfind("Regions/RegionAttributeHeaders/AttributeHeader")
    columns = {header.get("Id", ""): header.get("Name", "") for header in found}
    return columns or _HEADERS


def _region(
    region: etree._Element, region_id: str, display_id: str, mpp: float, columns: Mapping[str, str]
) -> Iterator[str]:
    points = [(_whole(v.get("X")), _whole(v.get("Y"))) for v in region.iterfind("Vertices/Vertex")]
    kind = region.get("Type", _FREEHAND)
    length, area = _measure(kind, points)
    attributes = {
        "Id": region_id,
        "Type": kind,
        "Zoom": f"{_number(region.get('Zoom')):.6f}",
        "Selected": region.get("Selected", "0"),
        "ImageLocation": region.get("ImageLocation", ""),
        "ImageFocus": region.get("ImageFocus", "-1"),
        "Length": f"{length:.1f}",
        "Area": f"{area:.1f}",
        "LengthMicrons": f"{length * mpp:.1f}",
        "AreaMicrons": f"{area * mpp * mpp:.1f}",
        "Text": region.get("Text", ""),
        "NegativeROA": region.get("NegativeROA", "0"),
        "InputRegionId": region.get("InputRegionId", "0"),
        "Analyze": region.get("Analyze", "1"),
        "DisplayId": display_id,
    }
    yield f"\t\t\t{_tag('Region', attributes)}"
    kept = [a for a in region.iterfind("Attributes/Attribute") if a.get("Id") in columns and a.get("Value")]
    yield "\t\t\t\t<Attributes>" if kept else "\t\t\t\t<Attributes/>"
    for found in kept:
        key = found.get("Id", "")
        yield f"\t\t\t\t\t{_tag('Attribute', {'Id': key, 'Name': columns[key], 'Value': found.get('Value', '')}, '/')}"
    if kept:
        yield "\t\t\t\t</Attributes>"
    yield "\t\t\t\t<Vertices>"
    for x, y in points:
        yield f'\t\t\t\t\t<Vertex X="{x:.0f}" Y="{y:.0f}" Z="0"/>'
    yield from ("\t\t\t\t</Vertices>", "\t\t\t</Region>")


def _measure(kind: str, points: Points) -> tuple[float, float]:
    """Return the Length and Area columns: a freehand's path as listed, everything else as its shape has it."""
    if not points:
        return 0.0, 0.0
    if kind == _ELLIPSE:
        a, b = ((max(side) - min(side)) / 2 for side in zip(*points, strict=True))
        return math.pi * (3 * (a + b) - math.sqrt((3 * a + b) * (a + 3 * b))), math.pi * a * b
    sides = list(zip(points, [*points[1:], points[0]], strict=True))
    open_length = sum(math.dist(*side) for side in sides[:-1])
    area = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in sides)) / 2
    if kind == _RECTANGLE:
        return open_length + math.dist(*sides[-1]), area
    return open_length, area if kind == _FREEHAND else 0.0


def _tag(name: str, attributes: Mapping[str, str], slash: str = "") -> str:
    pairs = [f'{key}="{escape(value, _ESCAPES)}"' for key, value in attributes.items()]
    return f"<{' '.join([name, *pairs])}{slash}>"


def _whole(text: str | None) -> float:
    return math.floor(_number(text) + 0.5)


def _number(text: str | None) -> float:
    """Read a number as a program in C would: what is none is 0."""
    try:
        value = float((text or "").replace(",", "."))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
