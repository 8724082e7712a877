from __future__ import annotations

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from imagescope_support import whole_pixel_parts
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from bridge.annotations import MachineObject, MachineRole, Shape, is_same_outline
from bridge.imagescope.document import parse_document
from bridge.imagescope.emit import RegionWriter, layer_text
from bridge.imagescope.holes import draw_layer


def layer_of(*objects: MachineObject, mpp: float = 0.25):
    writer = RegionWriter("\n", mpp, itertools.count(7))
    regions: list[str] = []
    for machine_object in objects:
        regions += writer.write(machine_object, len(regions) + 1)
    text = layer_text("Tumor (predicted)", 3, (1, 2, 3), regions, newline="\n")
    return parse_document(f"<Annotations>{text}</Annotations>".encode()).layers[0]


def prediction(geometry, **more) -> MachineObject:
    return MachineObject("id", MachineRole.PREDICTION, "Tumor: Predicted", geometry, (1, 2, 3), **more)


def proposal(geometry, **more) -> MachineObject:
    return MachineObject("id", MachineRole.PROPOSAL, "Proposed", geometry, (1, 2, 3), **more)


def test_outline_is_closed_and_carries_its_columns() -> None:
    triangle = Polygon([(0.4, -0.4), (30.2, 0), (30.2, 0.1), (0, 40)])
    (region,) = layer_of(prediction(triangle)).regions
    assert region.vertices.tolist() == [[0, 0], [30, 0], [0, 40], [0, 0]]
    columns = {key: region.attributes[key] for key in ("Length", "Area", "LengthMicrons", "AreaMicrons")}
    assert columns == {"Length": "120.0", "Area": "600.0", "LengthMicrons": "30.0", "AreaMicrons": "37.5"}


def test_without_resolution_the_columns_in_um_are_zero() -> None:
    (region,) = layer_of(prediction(box(0, 0, 3, 3)), mpp=0.0).regions
    assert (region.attributes["LengthMicrons"], region.attributes["AreaMicrons"]) == ("0.0", "0.0")


def test_proposal_is_a_rectangle_of_four_corners() -> None:
    (region,) = layer_of(proposal(box(10, 20, 522, 532), name="#1")).regions
    assert region.attributes["Type"] == "1"
    assert region.vertices.tolist() == [[10, 20], [522, 20], [522, 532], [10, 532]]
    assert float(region.attributes["Length"]) == 4 * 512


def test_prediction_that_is_a_box_stays_a_polygon() -> None:
    (region,) = layer_of(prediction(box(0, 0, 9, 9))).regions
    assert region.attributes["Type"] == "0"


def test_holes_follow_their_region_and_name_it() -> None:
    ring = box(0, 0, 100, 100) - box(10, 10, 30, 30) - box(50, 50, 60, 60)
    parts = MultiPolygon([*ring.geoms] if ring.geom_type == "MultiPolygon" else [ring, box(200, 0, 210, 10)])
    regions = layer_of(prediction(parts, name="text")).regions
    assert [region.is_negative for region in regions] == [False, True, True, False]
    assert [region.id for region in regions] == ["7", "8", "9", "10"]
    assert [region.attributes["InputRegionId"] for region in regions] == ["0", "7", "7", "0"]
    assert [region.attributes["DisplayId"] for region in regions] == ["1", "2", "3", "4"]
    assert [region.attributes["Text"] for region in regions] == ["text", "", "", "text"]
    assert float(regions[1].attributes["Area"]) == 400


def test_text_comes_back_whatever_it_holds() -> None:
    text = "\t#1 <Tumor> & \"Läsion\" 'α' 肿瘤 \U0001f52c\r\nline 2"
    (region,) = layer_of(prediction(box(0, 0, 9, 9), name=text)).regions
    assert region.attributes["Text"] == text


def test_characters_that_xml_lacks_are_replaced() -> None:
    (region,) = layer_of(prediction(box(0, 0, 9, 9), name="a\x00b\ud800c\uffff")).regions
    assert region.attributes["Text"] == "a\ufffdb\ufffdc\ufffd"


def test_layer_is_visible_and_not_selected() -> None:
    layer = layer_of()
    assert layer.regions == ()
    assert layer.attributes | {"Visible": "1", "Selected": "0", "Type": "4", "LineColor": "197121"} == layer.attributes


@pytest.mark.parametrize(
    "geometry",
    [Polygon(), LineString([(0, 0), (9, 9)]), box(0.1, 0.1, 0.3, 0.3), box(0, 0, 100, 0.2), Point(5, 5)],
)
def test_what_has_no_area_on_whole_pixels_is_left_out(geometry) -> None:
    assert whole_pixel_parts(geometry) == ()
    assert layer_of(prediction(geometry)).regions == ()


def test_ring_thinner_than_a_pixel_is_left_out() -> None:
    assert whole_pixel_parts(box(0, 0, 50.3, 50.3) - box(0.1, 0.1, 50.2, 50.2)) == ()


def test_hole_smaller_than_a_pixel_is_left_out() -> None:
    (part,) = whole_pixel_parts(box(0, 0, 50, 50) - box(10.1, 10.1, 10.3, 10.3))
    assert part.equals(box(0, 0, 50, 50))


@st.composite
def blobs(draw):
    """Unions and differences of discs and boxes on a grid finer than pixels: holes, islands, thin necks."""
    number = st.floats(0, 60).map(lambda v: round(v, 1))
    area = shapely.Polygon()
    for _ in range(draw(st.integers(1, 6))):
        x, y, size = draw(number), draw(number), draw(st.floats(0.2, 25))
        shape = box(x, y, x + size, y + size / 2) if draw(st.booleans()) else Point(x, y).buffer(size, quad_segs=4)
        area = area - shape if draw(st.booleans()) else area | shape
    return area


@settings(max_examples=60, deadline=None)
@given(blobs())
def test_what_is_written_is_read_back_within_a_pixel(area) -> None:
    drawn = draw_layer(layer_of(prediction(area)).regions)
    back = [drawing.geometry for i, drawing in enumerate(drawn.drawings) if i not in drawn.parents]
    expected = whole_pixel_parts(area)
    assert len(back) == len(expected)
    assert all(is_same_outline(a, b, tolerance_px=0) for a, b in zip(back, expected, strict=True))
    assert all(drawing.shape is not Shape.NONE for drawing in drawn.drawings)
    written = shapely.union_all([shapely.make_valid(part) for part in back])
    # No point of the area may move by more than half a pixel's diagonal.
    assert written.difference(area.buffer(0.75)).area < 1e-6
    assert area.buffer(-0.75).difference(written.buffer(1e-6)).area < 1e-6


def test_vertices_at_half_pixels_round_alike() -> None:
    left, right = box(0.5, 0.5, 2.5, 9.5), box(2.5, 0.5, 3.5, 9.5)
    (a,), (b,) = whole_pixel_parts(left), whole_pixel_parts(right)
    np.testing.assert_array_equal(a.bounds, (1, 1, 3, 10))
    np.testing.assert_array_equal(b.bounds, (3, 1, 4, 10))
