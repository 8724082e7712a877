"""Seams between neighbours, slivers and tiny holes: closed where asked for, and nowhere else."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import MultiPolygon, Polygon

from bridge.annotations.geometry import Defect, Repaired, repair
from bridge.annotations.outlines import as_array
from bridge.annotations.seams import snap_neighbours, without_slivers, without_tiny_holes

MPP = (0.5, 0.5)
few = settings(max_examples=50, deadline=None)


def snapped(*shapes: Polygon, tolerance_px: float) -> tuple[Repaired, ...]:
    return snap_neighbours([repair(shape) for shape in shapes], tolerance_um=tolerance_px * MPP[0], mpp=MPP)


def is_coverage(items: tuple[Repaired, ...]) -> bool:
    return bool(shapely.coverage_is_valid(as_array([item.area for item in items])))


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Polygon, Polygon]:
    """Two halves of a square whose common border was drawn twice, each time up to 0.4 px off."""
    number = draw(st.integers(3, 30))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = np.linspace(0, 100, number)
    border = 50 + draw(st.floats(0, 8)) * np.sin(x / 9)
    upper, lower = (np.column_stack([x, border + generator.uniform(-0.4, 0.4, number)]).round(2) for _ in range(2))
    return Polygon([*upper, (100, 100), (0, 100)]), Polygon([*lower, (100, 0), (0, 0)])


@few
@given(neighbours())
def test_borders_drawn_to_touch_become_one_and_nothing_moves_farther(pair: tuple[Polygon, Polygon]) -> None:
    found = snapped(*pair, tolerance_px=1)
    assert is_coverage(found)
    assert shapely.union_all([item.area for item in found]).geom_type == "Polygon"
    for item, drawn in zip(found, pair, strict=True):
        assert item.drawn is drawn and item.area.is_valid and item.defects == {Defect.SEAM: 1}
        assert shapely.hausdorff_distance(item.area.boundary, drawn.boundary, densify=0.05) <= 1.001
        assert abs(item.area_px2 - drawn.area) <= drawn.length * 1


@few
@given(neighbours())
def test_order_doesn_t_matter_and_a_second_time_changes_nothing(pair: tuple[Polygon, Polygon]) -> None:
    first, second = snapped(*pair, tolerance_px=1)
    other_second, other_first = snapped(*pair[::-1], tolerance_px=1)
    assert (first.area, second.area) == (other_first.area, other_second.area)
    again = snap_neighbours([first, second], tolerance_um=0.5, mpp=MPP)
    assert [item.area for item in again] == [first.area, second.area]


@pytest.mark.parametrize("shift", [0.5, 0.01, -0.01, -0.5], ids=["gap", "QuPath gap", "QuPath overlap", "overlap"])
def test_gap_and_overlap_between_boxes_close(shift: float) -> None:
    left, right = snapped(box(0, 0, 50, 50), box(50 + shift, 10, 90, 70), tolerance_px=1)
    assert is_coverage((left, right))
    assert left.area.intersection(right.area).length >= 39


def test_overlap_that_was_meant_stays() -> None:
    tumor, cell, stroma = snapped(box(0, 0, 50, 50), box(20, 20, 24, 24), box(50.4, 0, 90, 50), tolerance_px=1)
    assert cell.defects == {} and cell.area_px2 == 16
    assert tumor.defects == stroma.defects == {Defect.SEAM: 1}
    wide = snapped(box(0, 0, 50, 50), box(40, 10, 90, 40), tolerance_px=1)
    assert all(item.defects == {} for item in wide)


def test_seams_close_beside_outlines_that_overlap_by_more() -> None:
    found = snapped(box(0, 0, 50, 50), box(30, 10, 50, 30), box(50.4, 0, 90, 50), tolerance_px=1)
    assert found[2].area.intersection(found[0].area.boundary).length > 49
    assert found[0].area.intersection(found[1].area).area == pytest.approx(400, rel=0.05)


def test_outline_that_would_vanish_stays_as_drawn(caplog: pytest.LogCaptureFixture) -> None:
    thin = box(50.2, 10, 50.6, 11)
    with caplog.at_level(logging.WARNING):
        _, speck = snapped(box(0, 0, 50, 50), thin, tolerance_px=2)
    assert speck.area.equals(thin) and speck.defects == {}
    assert "1 of 1 seams stay open" in caplog.text


def test_thin_spur_that_reaches_far_into_a_neighbour_is_left_to_people(caplog: pytest.LogCaptureFixture) -> None:
    spurred = Polygon([(0, 0), (50, 0), (50, 20), (70, 20), (70, 20.6), (50, 20.6), (50, 50), (0, 50)])
    with caplog.at_level(logging.WARNING):
        found = snapped(spurred, box(50.2, 0, 90, 50), tolerance_px=1)
    assert [item.defects for item in found] == [{}, {}]
    assert found[0].area.equals(spurred) and "stay open" in caplog.text


def test_no_tolerance_and_no_neighbours_change_nothing() -> None:
    items = [repair(box(0, 0, 50, 50)), repair(box(50.1, 0, 90, 50)), repair(Polygon())]
    assert snap_neighbours(items, tolerance_um=0, mpp=MPP) == tuple(items)
    far = [items[0], repair(box(60, 0, 90, 50)), items[2]]
    assert snap_neighbours(far, tolerance_um=0.5, mpp=MPP) == tuple(far)
    assert snap_neighbours([], tolerance_um=1, mpp=MPP) == ()


def test_slivers_go_and_the_largest_part_stays() -> None:
    drawn = MultiPolygon([box(0, 0, 10, 10), box(20, 0, 20.1, 5), box(30, 0, 31, 1)])
    left = without_slivers(repair(drawn), least_um2=0.2, mpp=MPP)
    assert (left.area_px2, left.drawn_px2, left.defects) == (101, drawn.area, {Defect.SLIVER: 1})
    assert left.drawn is drawn
    only = without_slivers(repair(drawn), least_um2=1e9, mpp=MPP)
    assert (only.area_px2, only.defects) == (100, {Defect.SLIVER: 2})


def test_tiny_holes_are_filled_with_what_lies_in_them() -> None:
    tiny = box(5, 5, 6, 6).exterior.coords
    drawn = MultiPolygon(
        [
            Polygon(box(0, 0, 50, 50).exterior.coords, [tiny, box(20, 20, 40, 40).exterior.coords]),
            box(5.2, 5.2, 5.5, 5.5),
        ]
    )
    filled = without_tiny_holes(repair(drawn), least_um2=1, mpp=MPP)
    assert (filled.area_px2, filled.defects) == (2500 - 400, {Defect.TINY_HOLE: 1})
    assert filled.area.is_valid and len(filled.area.geoms) == 1
    assert without_tiny_holes(repair(drawn), least_um2=0, mpp=MPP).defects == {}


def test_what_was_repaired_before_is_kept_in_the_reasons() -> None:
    bow_tie = repair(Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]))
    assert without_slivers(bow_tie, least_um2=1e6, mpp=MPP).defects == {Defect.SELF_CROSSING: 1}


@pytest.mark.parametrize("step", [without_slivers, without_tiny_holes])
def test_negative_bounds_are_refused(step: type) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        step(repair(box(0, 0, 1, 1)), least_um2=-1, mpp=MPP)
    with pytest.raises(ValueError, match="0 or more"):
        snap_neighbours([], tolerance_um=-1, mpp=MPP)
