from __future__ import annotations

import pytest
from shapely.geometry import Polygon, box

from bridge.annotations import Shape, repair_area
from bridge.errors import ImageScopeFormatError
from bridge.imagescope import holes
from bridge.imagescope.document import parse_document
from bridge.imagescope.holes import LayerDrawing, draw_layer


@pytest.fixture
def layer(region_xml, file_xml, square):
    """One layer drawn from squares (x, y, side, attributes)."""

    def build(*drawn: tuple[int, int, int, dict[str, object]]) -> LayerDrawing:
        texts = [region_xml(square(x, y, side), **attributes) for x, y, side, attributes in drawn]
        return draw_layer(parse_document(file_xml({"layer": texts})).layers[0].regions)

    return build


def negative(**attributes: object) -> dict[str, object]:
    return {"NegativeROA": 1, **attributes}


def test_hole_is_cut_by_geometry_wherever_it_stands_in_the_file(layer) -> None:
    drawn = layer((10, 10, 20, negative(Id=1)), (0, 0, 100, {"Id": 2}), (200, 0, 100, {"Id": 3}))
    assert drawn.parents == {0: (1,)}
    assert drawn.drawings[1].shape is Shape.GEOMETRY
    assert drawn.drawings[1].geometry.equals(box(0, 0, 100, 100) - box(10, 10, 30, 30))
    assert drawn.drawings[2].geometry.equals(box(200, 0, 300, 100))


def test_hole_cuts_all_that_hold_it_and_spares_the_island_inside(layer) -> None:
    drawn = layer((0, 0, 100, {}), (10, 10, 80, {}), (20, 20, 60, negative()), (30, 30, 40, {}))
    assert drawn.parents == {2: (0, 1)}
    assert [drawing.geometry.area for drawing in drawn.drawings] == [6400, 2800, 3600, 1600]


def test_input_region_id_chooses_among_the_areas_that_hold_it(layer) -> None:
    drawn = layer((0, 0, 100, {"Id": 5}), (10, 10, 80, {"Id": 6}), (20, 20, 60, negative(InputRegionId=6)))
    assert drawn.parents == {2: (1,)}


def test_input_region_id_may_name_an_area_that_holds_less_than_half(layer) -> None:
    drawn = layer((0, 0, 100, {"Id": 5}), (90, 0, 40, negative(InputRegionId=5)))
    assert drawn.drawings[0].geometry.equals(box(0, 0, 100, 100) - box(90, 0, 130, 40))


@pytest.mark.parametrize("stale", ["0", "", "99", "7"])
def test_stale_input_region_id_leaves_it_to_geometry(layer, stale: str) -> None:
    drawn = layer((0, 0, 100, {"Id": 5}), (500, 0, 100, {"Id": 7}), (20, 20, 60, negative(InputRegionId=stale)))
    assert drawn.parents == {2: (0,)}


def test_negative_that_lies_in_nothing_is_kept_verbatim(layer) -> None:
    drawn = layer((0, 0, 100, {}), (95, 0, 40, negative()), (300, 300, 10, negative()), (-5, -5, 120, negative()))
    assert drawn.parents == {}
    assert [drawing.verbatim for drawing in drawn.drawings] == [None, "negative", "negative", "negative"]
    assert [drawing.shape for drawing in drawn.drawings[1:]] == [Shape.NONE] * 3


@pytest.mark.parametrize(("share", "cut"), [(0.5, (0, 1)), (0.4, (0, 1)), (0.1, (0, 1)), (0.05, (0,)), (0, (0,))])
def test_hole_over_an_edge_cuts_the_neighbour_that_holds_a_tenth_of_it(
    layer, share: float, cut: tuple[int, ...]
) -> None:
    hole = (int(180 + 20 * share), 50, 20, negative())
    drawn = layer((0, 0, 200, {}), (200, 0, 200, {}), hole)
    assert drawn.parents == {2: cut}
    taken = [40_000 - drawing.geometry.area for drawing in drawn.drawings[:2]]
    assert taken == [400 * (1 - share), 400 * share if 1 in cut else 0]


def test_hole_over_many_areas_none_of_which_holds_half(layer) -> None:
    areas = [(x, 0, 30, {}) for x in (0, 30)] + [(x, 30, 30, {}) for x in (0, 30)]
    drawn = layer(*areas, (20, 20, 20, negative()))
    assert drawn.parents == {4: (0, 1, 2, 3)}
    assert [drawing.geometry.area for drawing in drawn.drawings[:4]] == [800] * 4


def test_hole_in_a_hole_is_one_hole(layer) -> None:
    drawn = layer((0, 0, 100, {}), (10, 10, 80, negative()), (30, 30, 20, negative()))
    assert drawn.parents == {1: (0,), 2: (0,)}
    assert repair_area(drawn.drawings[0].geometry).area == 10_000 - 6400


def test_regions_that_share_the_id_which_a_hole_names_are_told_apart_by_place(layer) -> None:
    drawn = layer((0, 0, 50, {"Id": 1}), (200, 0, 50, {"Id": 1}), (210, 10, 9, negative(Id=1, InputRegionId=1)))
    assert drawn.parents == {2: (1,)}


def test_hostile_heap_of_holes_is_refused(monkeypatch: pytest.MonkeyPatch, layer) -> None:
    monkeypatch.setattr(holes, "_MAX_PAIRS", 30)
    fine = [(0, 0, 100 + i, {}) for i in range(5)] + [(10, 10, 9, negative())] * 6
    assert len(layer(*fine).parents) == 6
    with pytest.raises(ImageScopeFormatError, match="more than 30 pairs"):
        layer(*fine, (10, 10, 9, negative()))


def test_negatives_alone_draw_nothing(layer) -> None:
    assert layer((0, 0, 10, negative())).drawings[0].verbatim == "negative"


def test_hole_over_the_edge_takes_away_and_adds_nothing(layer) -> None:
    drawn = layer((0, 0, 100, {}), (80, 10, 30, negative()))
    assert drawn.drawings[0].geometry.equals(box(0, 0, 100, 100) - box(80, 10, 110, 40))


def test_overlapping_holes_are_one_hole(layer) -> None:
    drawn = layer((0, 0, 100, {}), (10, 10, 30, negative()), (30, 30, 30, negative()))
    assert repair_area(drawn.drawings[0].geometry).area == 10_000 - 900 - 900 + 100


def test_hole_along_the_edge_is_taken_out_all_the_same(layer) -> None:
    drawn = layer((0, 0, 100, {}), (0, 10, 30, negative()))
    assert repair_area(drawn.drawings[0].geometry).area == 9100
    assert not drawn.drawings[0].is_valid


def test_holes_may_leave_nothing(layer) -> None:
    drawn = layer((0, 0, 100, {}), *[(x, y, 60, negative()) for x in (0, 50) for y in (0, 50)])
    assert drawn.drawings[0].verbatim == "no area"


def test_hole_cuts_a_crossing_outline(region_xml, file_xml) -> None:
    bow_tie = region_xml([(0, 0), (100, 100), (100, 0), (0, 100)])
    hole = region_xml([(80, 40), (95, 40), (95, 60), (80, 60)], NegativeROA=1)
    regions = parse_document(file_xml({"layer": [bow_tie, hole]})).layers[0].regions
    (parent, _) = draw_layer(regions).drawings
    assert not parent.is_valid
    assert repair_area(parent.geometry).area == pytest.approx(5000 - 15 * 20)


def test_many_holes_are_cut_in_one_go(region_xml, file_xml, square) -> None:
    texts = [region_xml(square(0, 0, 1000))]
    texts += [region_xml(square(x, y, 5), NegativeROA=1) for x in range(10, 900, 10) for y in range(10, 900, 30)]
    (parent, *_) = draw_layer(parse_document(file_xml({"a": texts})).layers[0].regions).drawings
    assert isinstance(parent.geometry, Polygon)
    assert parent.geometry.area == 1_000_000 - 25 * (len(texts) - 1)
