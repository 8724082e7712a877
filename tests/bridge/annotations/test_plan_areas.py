"""Areas of a plan: what lies far off the slide ends at its edge, and their order is theirs alone."""

from __future__ import annotations

import random

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from bridge.annotations.geometry import repair_areas
from bridge.annotations.outlines import as_array
from bridge.annotations.plan_areas import cut_far, in_order, places_in_order, share_area

SLIDE = box(0, 0, 1000, 400)
NUMBERS = st.integers(-3000, 3000).map(float) | st.sampled_from([-1000.5, -1000.0, 0.0, 400.0, 1400.5, 2000.0, 1e8])
OUTLINES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=5).map(Polygon)


@pytest.mark.parametrize("side", range(4), ids=["left", "top", "right", "bottom"])
@pytest.mark.parametrize(("over", "is_cut"), [(999, False), (1001, True)], ids=["near", "far"])
def test_what_ends_beyond_the_longer_side_of_the_slide_is_cut_on_every_side(side: int, over: int, is_cut: bool) -> None:
    bounds = [100.0, 100.0, 200.0, 200.0]
    bounds[side] = SLIDE.bounds[side] + (over if side > 1 else -over)
    drawn = box(*bounds)
    (found,) = cut_far(as_array([drawn]), SLIDE)
    assert found.equals(drawn.intersection(SLIDE) if is_cut else drawn)


@given(st.lists(OUTLINES, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_cutting_changes_nothing_on_the_slide(outlines: list[Polygon]) -> None:
    areas = repair_areas(outlines)
    before, after = (shapely.intersection(some, SLIDE) for some in (areas, cut_far(areas, SLIDE)))
    assert shapely.area(shapely.symmetric_difference(before, after)).max() < 1e-3
    assert shapely.is_valid(after).all()


def test_what_only_touches_shares_nothing() -> None:
    areas = as_array([box(-10, 0, 0, 10), box(-10, 0, 1, 10), box(2000, 0, 2010, 10)])
    assert share_area(areas, SLIDE).tolist() == [False, True, False]


@given(st.lists(st.tuples(OUTLINES, st.integers(0, 1), st.booleans()), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_whatever_comes_first_the_order_is_the_same(
    items: list[tuple[Polygon, int, bool]], chance: random.Random
) -> None:
    def ordered(some: list[tuple[Polygon, int, bool]]) -> list[tuple[str, int, bool]]:
        areas, labels, blind = ([item[place] for item in some] for place in range(3))
        return [(areas[i].wkt, labels[i], blind[i]) for i in places_in_order(areas, labels, blind)]

    twins = [*items, *((area.reverse(), label, is_blind) for area, label, is_blind in items)]  # of the same bounds
    assert ordered(twins) == ordered(chance.sample(twins, len(twins)))


def test_areas_go_from_left_to_right() -> None:
    left, middle, right = box(0, 50, 10, 60), box(5, 0, 10, 10), box(5, 1, 10, 10)
    assert in_order([right, middle, left]) == [left, middle, right]
    assert in_order([]) == []
