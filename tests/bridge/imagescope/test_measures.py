"""Lengths and areas against ImageScope's own columns in real files, and against an independent calculation."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation, MachineObject, MachineRole, Shape
from bridge.imagescope.document import parse_document
from bridge.imagescope.emit import RegionWriter
from bridge.imagescope.measures import ARROW, ELLIPSE, POLYGON, RECTANGLE, RULER, length_and_area
from bridge.imagescope.plain import write_imagescope

ROUNDING = 0.05001  # of a column with one decimal
POINTS = st.lists(st.tuples(*[st.integers(-(10**5), 10**5)] * 2), min_size=3, max_size=30)
# Written by ImageScope itself; the other real files are other programs', with zeros or without the columns.
WRITTEN_BY_IMAGESCOPE = ("segmentation/monuseg/**/*.xml", "aperio_xml/wsi_handling/*.xml")


def test_every_column_of_every_real_region_is_computed_as_imagescope_did(shared_data: Path) -> None:
    """4,099 regions of ten files, two of them with decimals: Length and Area of all of them, the µm columns too."""
    files = [path for pattern in WRITTEN_BY_IMAGESCOPE for path in sorted(shared_data.glob(pattern))]
    regions = 0
    for path in files:
        document = parse_document(path.read_bytes())
        mpp = document.mpp
        assert mpp is not None
        for region in itertools.chain(*(layer.regions for layer in document.layers)):
            stored = [float(region.attributes[key]) for key in ("Length", "Area", "LengthMicrons", "AreaMicrons")]
            length, area = length_and_area(int(region.attributes["Type"]), region.vertices)
            assert (length, area) == (pytest.approx(stored[0], abs=ROUNDING), pytest.approx(stored[1], abs=ROUNDING))
            # The file's mpp has six decimals, the program's more: 10⁻⁶ of a large region is over the rounding.
            assert length * mpp == pytest.approx(stored[2], abs=ROUNDING, rel=2e-6)
            assert area * mpp**2 == pytest.approx(stored[3], abs=ROUNDING, rel=4e-6)
            regions += 1
    assert (len(files), regions) == (10, 4099)


@pytest.mark.parametrize(
    ("kind", "vertices", "length", "area"),
    [
        (POLYGON, [(0, 0), (3, 0), (3, 4)], 7, 6),  # open: the path as listed
        (POLYGON, [(0, 0), (3, 0), (3, 4), (0, 0)], 12, 6),
        (RECTANGLE, [(0, 0), (3, 0), (3, 4), (0, 4)], 14, 12),
        (ELLIPSE, [(10, 10), (52, 44)], 119.7, 1121.5),  # of a real file
        (ELLIPSE, [(52, 10), (10, 44)], 119.7, 1121.5),
        (ELLIPSE, [(1, 1), (1, 1)], 0, 0),
        (ARROW, [(0, 0), (3, 4)], 5, 0),
        (RULER, [(0, 0), (3, 4), (3, 5)], 6, 0),
        (RULER, [(0, 0), (3, 4), (0, 5)], 5 + math.sqrt(10), 0),
        (5, [(0, 0), (3, 0), (3, 4)], 7, 0),
        (POLYGON, [(4, 4)], 0, 0),
        (POLYGON, np.zeros((0, 2)), 0, 0),
    ],
)
def test_columns_by_hand(kind: int, vertices: object, length: float, area: float) -> None:
    found = length_and_area(kind, np.array(vertices))
    assert found == (pytest.approx(length, abs=0.05), pytest.approx(area, abs=0.05))


@given(POINTS, st.booleans())
def test_columns_are_those_of_geos(points: list[tuple[int, int]], closed: bool) -> None:
    vertices = np.array([*points, points[0]] if closed else points)
    length, area = length_and_area(POLYGON, vertices)
    assert length == pytest.approx(shapely.LineString(vertices).length, rel=1e-12)
    assert area == pytest.approx(shapely.Polygon(vertices).area, rel=1e-12)


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_ellipse_is_the_one_of_its_box(width: int, height: int) -> None:
    length, area = length_and_area(ELLIPSE, np.array([(7, 9), (7 + width, 9 + height)]))
    angle = np.linspace(0, 2 * np.pi, 20_001)
    ring = np.column_stack([np.cos(angle) * width / 2, np.sin(angle) * height / 2])
    assert area == pytest.approx(shapely.Polygon(ring).area, rel=1e-6)
    assert length == pytest.approx(shapely.LineString(ring).length, rel=1e-3)


@given(st.tuples(*[st.integers(0, 5000)] * 2), st.integers(3, 400), st.floats(0.05, 4))
def test_what_we_write_agrees_with_its_own_vertices(corner: tuple[int, int], size: int, mpp: float) -> None:
    ring = shapely.Point(corner).buffer(size).difference(shapely.Point(corner).buffer(size / 2))
    added = MachineObject("a", MachineRole.PREDICTION, "Tumor: Predicted", ring, (1, 2, 3))
    square = shapely.box(*corner, *np.add(corner, size))
    proposal = MachineObject("b", MachineRole.PROPOSAL, "Proposed", square, (1, 2, 3))
    writer = RegionWriter("\n", mpp, itertools.count(1))
    texts = [text for item in (added, proposal) for text in writer.write(item, 1)]
    drawn = [Annotation("x", ring, shape=Shape.GEOMETRY), Annotation("y", square, shape=Shape.RECTANGLE)]
    plain = ElementTree.fromstring(write_imagescope(drawn, (mpp, mpp)))
    for region in [*map(ElementTree.fromstring, texts), *plain.iter("Region")]:
        vertices = [(float(v.attrib["X"]), float(v.attrib["Y"])) for v in region.iter("Vertex")]
        is_box = region.attrib["Type"] == "1"
        assert is_box == (len(vertices) == 4) and is_box == (vertices[0] != vertices[-1])
        length, area = shapely.Polygon(vertices).length, shapely.Polygon(vertices).area
        expected = [length, area, length * mpp, area * mpp * mpp]
        stored = [float(region.attrib[key]) for key in ("Length", "Area", "LengthMicrons", "AreaMicrons")]
        assert stored == [pytest.approx(value, abs=ROUNDING) for value in expected]


def test_area_in_um_is_right_where_x_and_y_differ() -> None:
    box = Annotation("x", shapely.box(0, 0, 400, 300), shape=Shape.RECTANGLE)
    root = ElementTree.fromstring(write_imagescope([box], (0.25, 0.5)))
    (region,) = root.iter("Region")
    assert root.attrib["MicronsPerPixel"] == "0.353553"  # the one number that the format has: the geometric mean
    assert float(region.attrib["AreaMicrons"]) == pytest.approx(400 * 0.25 * 300 * 0.5)
