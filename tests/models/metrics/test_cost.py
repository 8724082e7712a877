"""Prices of annotation: counted by hand, and the laws that any price must keep."""

from __future__ import annotations

from itertools import pairwise
from math import cos, sin

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate
from shapely.geometry import MultiPolygon, Polygon, box

from models.metrics.cost import (
    Correction,
    Outlined,
    Price,
    PriceOptions,
    clicks_in_box,
    confirmation_price,
    correction_price,
    drawing_price,
    patch_label_price,
)

PLAIN = PriceOptions(
    tolerance_um=0.1, box_clicks=2, seconds_per_click=1.0, seconds_per_object=10.0, seconds_per_box=100.0
)
BOX = (0.0, 0.0, 100.0, 100.0)
FAR = (-1e4, -1e4, 1e4, 1e4)  # a box that no outline here reaches
DIAMOND = Polygon([(50, 20), (80, 50), (50, 80), (20, 50)])


def polygon_clicks(outline: Polygon, options: PriceOptions) -> int:
    """Return the clicks that draw an outline as a whole."""
    corners, crossings = clicks_in_box(outline, FAR, options)
    assert crossings == 0
    return corners


@st.composite
def stars(draw: st.DrawFn, x: float, y: float, reach: float = 20.0) -> Polygon:
    """A star-shaped outline around a place, nowhere farther from it than ``reach``."""
    count = draw(st.integers(3, 14))
    radii = draw(st.lists(st.floats(0.3 * reach, reach), min_size=count, max_size=count))
    angles = [6.283 * (i + 0.3) / count for i in range(count)]
    return Polygon([(x + r * cos(a), y + r * sin(a)) for r, a in zip(radii, angles, strict=True)])


@st.composite
def scattered(draw: st.DrawFn) -> list[Outlined]:
    """Up to six objects of two classes that don't touch, wholly inside ``BOX``."""
    places = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), unique=True, max_size=4))
    return [(draw(st.integers(1, 2)), draw(stars(25 + 50 * i, 25 + 50 * j))) for i, j in places]


def _drawn(objects: list[Outlined], options: PriceOptions = PLAIN) -> Price:
    return drawing_price(objects, BOX, options)


def _corrected(truth: list[Outlined], predicted: list[Outlined]) -> Correction:
    return correction_price(truth, predicted, BOX, PLAIN)


def test_prices_add_up() -> None:
    assert Price(2, 1.5) + Price(3, 0.5) == Price(5, 2.0)


def test_an_empty_box_costs_its_confirmation_only() -> None:
    assert _drawn([]) == confirmation_price(PLAIN) == Price(2, 102.0)
    assert _corrected([], []) == Correction(Price(2, 102.0), 0, 0, 0, 0)


def test_an_object_inside_costs_its_corners_and_its_class() -> None:
    assert polygon_clicks(DIAMOND, PLAIN) == 4
    assert _drawn([(1, DIAMOND)]) == Price(2 + 4 + 1, 100 + 10 + 7)


def test_a_staircase_costs_what_its_slope_costs_at_the_tolerance() -> None:
    stairs = [(i + d, i) for i in range(20) for d in (0, 1)]
    outline = Polygon([*stairs, (20, 20), (0, 20)])
    assert polygon_clicks(outline, PLAIN) == 42
    coarse = polygon_clicks(outline, PriceOptions(tolerance_um=2))
    assert coarse <= 4
    assert polygon_clicks(outline, PriceOptions(tolerance_um=20, unit_um=10)) == coarse, "the same, in units of 10 µm"


def test_holes_are_drawn_too() -> None:
    assert polygon_clicks(Polygon(box(0, 0, 50, 50).exterior, [box(10, 10, 20, 20).exterior]), PLAIN) == 8


def test_the_edge_of_the_box_is_clicked_where_an_outline_leaves_it_and_nowhere_else() -> None:
    half = translate(DIAMOND, -50, 0)  # its left half lies outside: (0, 20), (0, 80) are where it leaves
    assert clicks_in_box(half, BOX, PLAIN) == (1, 2)
    assert clicks_in_box(box(-10, -10, 30, 40), BOX, PLAIN) == (1, 2), "a corner of the box is no click"
    assert clicks_in_box(box(-10, -10, 300, 400), BOX, PLAIN) == (0, 0), "what fills the box is outlined by it"
    assert clicks_in_box(box(-10, 30, 300, 40), BOX, PLAIN) == (0, 4), "a band leaves four times"


def test_a_part_per_visit_of_the_box_is_drawn() -> None:
    comb = Polygon([(-10, 10), (30, 10), (30, 20), (-5, 20), (-5, 40), (30, 40), (30, 50), (-10, 50)])
    assert clicks_in_box(comb, BOX, PLAIN) == (4, 4)
    twice = MultiPolygon([box(10, 10, 20, 20), box(40, 40, 50, 50)])
    assert clicks_in_box(twice, BOX, PLAIN) == (8, 0)


def test_an_object_that_only_touches_the_box_costs_nothing() -> None:
    assert _drawn([(1, box(100, 0, 150, 50)), (1, box(-20, -20, 0, 0))]) == confirmation_price(PLAIN)


def test_a_patch_label_costs_selecting_and_the_class() -> None:
    assert patch_label_price(PLAIN) == Price(2, 12.0)


def test_a_good_prediction_is_accepted_for_a_look() -> None:
    near = translate(DIAMOND, 2, 0)
    assert _corrected([(1, DIAMOND)], [(1, near)]) == Correction(Price(2, 112.0), 1, 0, 0, 0)


def test_a_fair_prediction_is_corrected_where_it_is_off() -> None:
    true, found = box(10, 10, 50, 30), box(10, 10, 38, 30)  # IoU 0.7: two of four corners are wrong
    assert _corrected([(1, true)], [(1, found)]) == Correction(Price(2 + 1 + 2, 115.0), 0, 1, 0, 0)


def test_what_is_off_between_the_points_takes_one_click() -> None:
    true = box(10, 10, 30, 30)
    bulging = Polygon([(10, 10), (30, 10), (30, 12), (40, 12), (40, 28), (30, 28), (30, 30), (10, 30)])  # IoU 0.71
    assert _corrected([(1, true)], [(1, bulging)]).price.clicks == 2 + 1 + 1


def test_points_that_are_no_clicks_are_not_corrected() -> None:
    true, found = box(-10, -10, 30, 40), box(-10, -10, 20, 40)  # the corner of the box is none of the outline's
    assert _corrected([(1, true)], [(1, found)]).price.clicks == 2 + 1 + 2


def test_a_poor_prediction_is_deleted_and_drawn_anew() -> None:
    true, found = box(10, 10, 50, 30), box(10, 10, 28, 30)  # IoU 0.45
    assert _corrected([(1, true)], [(1, found)]) == Correction(Price(2 + 5 + 1, 128.0), 0, 0, 1, 1)


def test_a_wrong_class_costs_taking_hold_and_the_class() -> None:
    assert _corrected([(1, DIAMOND)], [(2, DIAMOND)]) == Correction(Price(4, 114.0), 0, 1, 0, 0)


def test_each_prediction_serves_one_object() -> None:
    truth: list[Outlined] = [(1, box(10, 10, 30, 30)), (1, box(10, 10, 28, 30))]
    outcome = _corrected(truth, [(1, box(10, 10, 30, 30))])
    assert (outcome.accepted, outcome.missed, outcome.false) == (1, 1, 0)


def test_only_what_lies_in_the_box_is_compared() -> None:
    true, found = box(80, 10, 100, 30), box(80, 10, 1000, 30)
    assert _corrected([(1, true)], [(1, found)]).accepted == 1


@pytest.mark.parametrize(
    "wrong", [{"match_iou": 0.9}, {"match_iou": 0.0}, {"accept_iou": 1.1}, {"unit_um": 0.0}], ids=str
)
def test_impossible_prices_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must"):
        PriceOptions(**wrong)  # type: ignore[arg-type]


@given(scattered())
@settings(max_examples=30, deadline=None)
def test_perfect_predictions_cost_no_more_than_drawing(objects: list[Outlined]) -> None:
    perfect, drawn = _corrected(objects, objects), _drawn(objects)
    assert perfect.accepted == len(objects)
    assert perfect.price.clicks == PLAIN.box_clicks
    assert perfect.price.clicks <= drawn.clicks
    assert perfect.price.seconds <= drawn.seconds


@given(scattered(), scattered())
@settings(max_examples=30, deadline=None)
def test_correcting_nothing_is_drawing_and_every_thing_is_counted_once(
    truth: list[Outlined], predicted: list[Outlined]
) -> None:
    assert _corrected(truth, []).price == _drawn(truth)
    outcome = _corrected(truth, predicted)
    assert outcome.accepted + outcome.corrected + outcome.missed == len(truth)
    assert outcome.accepted + outcome.corrected + outcome.false == len(predicted)
    most = _drawn(truth).clicks + len(predicted) * PLAIN.delete_clicks
    assert outcome.price.clicks <= most, "correcting an object is never dearer than deleting and drawing it"


@given(scattered())
@settings(max_examples=30, deadline=None)
def test_each_object_makes_a_box_dearer(objects: list[Outlined]) -> None:
    prices = [_drawn(objects[:count]) for count in range(len(objects) + 1)]
    assert all(a.clicks < b.clicks and a.seconds < b.seconds for a, b in pairwise(prices))


@given(scattered())
@settings(max_examples=30, deadline=None)
def test_boxes_that_cut_no_object_share_the_price(objects: list[Outlined]) -> None:
    left, right = (drawing_price(objects, side, PLAIN) for side in ((0, 0, 50, 100), (50, 0, 100, 100)))
    together, once = left + right, confirmation_price(PLAIN)
    assert together.clicks == _drawn(objects).clicks + once.clicks
    assert together.seconds == pytest.approx(_drawn(objects).seconds + once.seconds)


@given(stars(70, 50, 60), st.integers(0, 20), st.booleans(), st.floats(0, 15))
@settings(max_examples=60, deadline=None)
def test_neither_start_nor_direction_of_a_ring_matter(
    outline: Polygon, start: int, backwards: bool, tolerance_um: float
) -> None:
    points = shapely.get_coordinates(outline)[:-1].tolist()
    start %= len(points)
    turned = points[start:] + points[:start]
    other = Polygon(turned[::-1] if backwards else turned)
    options = PriceOptions(tolerance_um=tolerance_um)
    assert polygon_clicks(other, options) == polygon_clicks(outline, options)
    assert clicks_in_box(other, BOX, options) == clicks_in_box(outline, BOX, options)


@given(stars(70, 50, 60))
@settings(max_examples=60, deadline=None)
def test_clicks_on_the_edge_are_where_the_outline_crosses_it(outline: Polygon) -> None:
    exact = PriceOptions(tolerance_um=0)
    corners, crossings = clicks_in_box(outline, BOX, exact)
    inside = shapely.contains_properly(box(*BOX), shapely.points(shapely.get_coordinates(outline)[:-1]))
    assert corners == inside.sum()
    met = shapely.get_coordinates(shapely.intersection(outline.boundary, box(*BOX).boundary))
    assert crossings == len(met)


@given(stars(50, 50, 45), st.floats(0.5, 10))
@settings(max_examples=30, deadline=None)
def test_more_tolerance_is_never_dearer_than_every_vertex(outline: Polygon, tolerance_um: float) -> None:
    coarse = polygon_clicks(outline, PriceOptions(tolerance_um=tolerance_um))
    assert 3 <= coarse <= len(shapely.get_coordinates(outline)) - 1
