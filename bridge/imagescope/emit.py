"""Our objects as ImageScope text: the newer dialect (12.x) with tabs, integer vertices and ``Z="0"``.

Outlines are closed (the last vertex repeats the first), because ImageScope's Length of a freehand region is that of the
path as listed; rectangles have their four corners, as ImageScope draws them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.objects import Rgb
from bridge.annotations.source import CHECKPOINT_KEY, MachineObject, MachineRole
from bridge.imagescope.layers import HINT, PROBABILITY, to_line_color
from bridge.imagescope.measures import POLYGON, RECTANGLE, length_and_area, ring_area

Vertices = NDArray[np.int64]

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_TO_ESCAPE = re.compile('[&<>"\t\n\r]')
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLUMNS = (("9999", "Region"), ("9997", "Length"), ("9996", "Area"), ("9998", "Text"), ("1", "Description"))


@dataclass(frozen=True, slots=True)
class RegionWriter:
    """Writes objects as ``<Region>`` elements.

    Parameters
    ----------
    newline
        Line end of the file.
    mpp
        µm per level-0 pixel for the columns in µm; 0 where the file has none, as other tools write it.
    ids
        Region ids that the file doesn't use yet; one is taken per region.
    """

    newline: str
    mpp: float
    ids: Iterator[int]

    def write(self, machine_object: MachineObject, first_display_id: int) -> list[str]:
        """Return the object's regions: each part followed by its holes, which name it by ``InputRegionId``.

        Parameters
        ----------
        first_display_id
            Number of the first region in ImageScope's table; the others follow.
        """
        texts: list[str] = []
        for shell, *holes in _rings(machine_object.geometry):
            parent = next(self.ids)
            texts.append(self._region(machine_object, shell, parent, first_display_id + len(texts)))
            for hole in holes:
                display = first_display_id + len(texts)
                texts.append(self._region(machine_object, hole, next(self.ids), display, parent=parent))
        return texts

    def _region(
        self, machine_object: MachineObject, ring: Vertices, region_id: int, display_id: int, *, parent: int = 0
    ) -> str:
        box = _box_corners(ring) if machine_object.role is MachineRole.PROPOSAL and not parent else None
        corners = box if box is not None else np.concatenate([ring, ring[:1]])
        kind = POLYGON if box is None else RECTANGLE
        length, area = length_and_area(kind, corners)
        attributes = {
            "Id": region_id,
            "Type": kind,
            "Zoom": 1,
            "Selected": 0,
            "ImageLocation": "",
            "ImageFocus": -1,
            "Length": f"{length:.1f}",
            "Area": f"{area:.1f}",
            "LengthMicrons": f"{length * self.mpp:.1f}",
            "AreaMicrons": f"{area * self.mpp**2:.1f}",
            "Text": "" if parent else machine_object.name or "",
            "NegativeROA": int(parent > 0),
            "InputRegionId": parent,
            "Analyze": 1,
            "DisplayId": display_id,
        }
        lines = [f"\t\t\t{tag('Region', attributes, closed=False)}", "\t\t\t\t<Attributes>"]
        lines += [f"\t\t\t\t\t{tag('Attribute', found)}" for found in _hints(machine_object)]
        lines += ["\t\t\t\t</Attributes>", "\t\t\t\t<Vertices>"]
        lines += [vertex_lines(corners, self.newline), "\t\t\t\t</Vertices>", "\t\t\t</Region>", ""]
        return self.newline.join(lines)


def layer_text(
    name: str,
    layer_id: int,
    color: Rgb,
    regions: Iterable[str],
    *,
    newline: str,
    properties: Sequence[tuple[str, str]] = (("Description", ""),),
) -> str:
    """Return an ``<Annotation>``, visible, not selected; its first line is not indented, its last has no line end."""
    attributes = {
        "Id": layer_id,
        "Name": name,
        "ReadOnly": 0,
        "NameReadOnly": 0,
        "LineColorReadOnly": 0,
        "Incremental": 0,
        "Type": 4,
        "LineColor": to_line_color(color),
        "Visible": 1,
        "Selected": 0,
        "MarkupImagePath": "",
        "MacroName": "",
    }
    lines = [tag("Annotation", attributes, closed=False), "\t\t<Attributes>"]
    lines += [
        f"\t\t\t{tag('Attribute', {'Name': key, 'Id': i, 'Value': value})}" for i, (key, value) in enumerate(properties)
    ]
    lines += ["\t\t</Attributes>", "\t\t<Regions>", "\t\t\t<RegionAttributeHeaders>"]
    lines += [
        f"\t\t\t\t{tag('AttributeHeader', {'Id': key, 'Name': title, 'ColumnWidth': -1})}" for key, title in _COLUMNS
    ]
    head = newline.join([*lines, "\t\t\t</RegionAttributeHeaders>", ""])
    return head + "".join(regions) + newline.join(["\t\t</Regions>", "\t\t<Plots/>", "\t</Annotation>"])


def vertex_lines(vertices: NDArray[np.float64] | NDArray[np.int64], newline: str) -> str:
    """Return vertices, one a line, without a line end after the last; the fewest digits that tell a number apart.

    Parameters
    ----------
    vertices
        Shape (n, 2), x and y, in C order.
    """
    start, end = '\t\t\t\t\t<Vertex X="', '" Z="0"/>'
    pairs = orjson.dumps(vertices, option=orjson.OPT_SERIALIZE_NUMPY).decode()[2:-2]  # 1.5,2.0],[3.0,4.25
    # Four replacements of the whole text: far faster than to format number by number.
    lines = pairs.replace("],[", "|").replace(",", '" Y="').replace("|", f"{end}{newline}{start}")
    return f"{start}{lines}{end}".replace('.0"', '"')  # whole pixels are written as such


def tag(name: str, attributes: Mapping[str, object], *, closed: bool = True) -> str:
    """Return a tag with its attributes escaped; characters that XML can't hold become U+FFFD."""
    pairs = ((key, escaped(value) if isinstance(value, str) else value) for key, value in attributes.items())
    text = "".join([f' {key}="{value}"' for key, value in pairs])
    return f"<{name}{text}/>" if closed else f"<{name}{text}>"


def escaped(text: str) -> str:
    """Return a text as the value of an attribute; characters that XML can't hold become U+FFFD."""
    if text.isascii() and text.isalnum():
        return text
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], _NOT_XML.sub("\ufffd", text))


def _hints(machine_object: MachineObject) -> Iterator[dict[str, object]]:
    yield {"Name": HINT, "Id": 0, "Value": machine_object.object_id}
    if machine_object.probability is not None:
        yield {"Name": PROBABILITY, "Id": 1, "Value": f"{machine_object.probability:.4f}"}
    if machine_object.checkpoint is not None:
        yield {"Name": CHECKPOINT_KEY, "Id": 2, "Value": machine_object.checkpoint}


def _rings(geometry: BaseGeometry) -> Iterator[list[Vertices]]:
    """Yield, per polygon, its outer ring and its holes on whole pixels, none closed."""
    for polygon in shapely.get_parts(geometry):
        if polygon.geom_type != "Polygon" or polygon.is_empty:
            continue
        rings = [_whole_pixels(shapely.get_coordinates(ring)) for ring in shapely.get_rings(polygon)]
        shell, holes = rings[0], [ring for ring in rings[1:] if ring is not None]
        if shell is not None and ring_area(shell) > sum(map(ring_area, holes)):
            yield [shell, *holes]


def _whole_pixels(ring: NDArray[np.float64]) -> Vertices | None:
    """Return the ring on whole pixels without repeated vertices, not closed; None where nothing is left of it."""
    whole = np.floor(ring + 0.5).astype(np.int64)  # not to even: neighbours that meet at x.5 must round alike
    is_new = np.append((whole[1:] != whole[:-1]).any(axis=1), (whole[0] != whole[-1]).any())  # from the next one
    kept = whole[is_new]
    return kept if len(kept) >= 3 and ring_area(kept) > 0 else None


def _box_corners(ring: Vertices) -> Vertices | None:
    """Return left-top, right-top, right-bottom, left-bottom of a ring that is its own bounding box, else None."""
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    if len(ring) != 4 or ring_area(ring) != (right - left) * (bottom - top):
        return None
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
