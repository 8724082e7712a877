"""Borders simplified a few rings at a time: as all at once, however much hangs together."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import LabelMask, borders, simplify_outlines, vectorize
from bridge.raster.borders import Borders
from bridge.raster.simplify import _edge_matched

NAMES = ("Background", "A", "B", "C")
coarse = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))


def coverage(labels: NDArray[np.uint8], zoom: int = 4) -> NDArray[np.object_]:
    fine = np.kron(labels, np.ones((zoom, zoom), np.uint8))
    height, width = fine.shape
    found = vectorize(LabelMask(fine, Window(0, 0, width, height), NAMES))
    return np.array([polygon for _, polygon in found], dtype=object)


def blobs(count: int, *, is_sheet: bool) -> list[tuple[int, shapely.Polygon]]:
    """Return discs in rows, each by itself or in a hole of one sheet that holds all."""
    y, x = np.mgrid[:16, :16] - 8
    disc = (np.hypot(x, y) < 6).astype(np.uint8)
    labels = np.tile(disc, (count, count)) + np.uint8(is_sheet)
    return vectorize(LabelMask(labels, Window(0, 0, *labels.shape[::-1]), NAMES))


@settings(max_examples=60, deadline=None)
@given(coarse, st.floats(0.5, 12), st.integers(1, 4), st.sampled_from([1, 10_000]))
def test_a_few_rings_at_a_time_keep_what_all_at_once_keep(
    labels: NDArray[np.uint8], length: float, at_once: int, most_together: int
) -> None:
    shapes = coverage(labels)
    if not len(shapes):
        return
    found = Borders.of(_edge_matched(shapes))
    every = np.ones(len(found.rings), np.bool_)
    whole = shapely.coverage_simplify(found.rings, length)
    codes = found.places.codes_at(shapely.get_coordinates(whole))
    plainly = np.isin(found.places.codes, codes)
    with (
        mock.patch.object(borders, "_RINGS_AT_ONCE", at_once),
        mock.patch.object(borders, "_MOST_TOGETHER", most_together),
    ):
        ours = Borders.of(_edge_matched(shapes)).kept_by(length, every)
    # A corner that GEOS keeps because what would go beside it lies in its way may go here: `simplify_outlines` looks.
    assert (ours != plainly).mean() <= 0.25
    nodes = np.bincount(np.unique(np.stack([found.corner, found.ring]), axis=1)[0]) > 2
    assert ours[nodes].all(), "where three borders meet there is a corner"


@settings(max_examples=40, deadline=None)
@given(coarse, st.floats(0.5, 9))
def test_blocks_of_single_rings_still_give_a_coverage_within_the_tolerance(
    labels: NDArray[np.uint8], tolerance_px: float
) -> None:
    before = [(1, polygon) for polygon in coverage(labels)]
    with mock.patch.object(borders, "_RINGS_AT_ONCE", 1), mock.patch.object(borders, "_MOST_TOGETHER", 1):
        after = np.array([polygon for _, polygon in simplify_outlines(before, tolerance_px=tolerance_px)])
    assert not len(after) or (shapely.is_valid(after).all() and shapely.coverage_is_valid(after))
    for (_, drawn), simple in zip(before, after, strict=True):
        assert shapely.hausdorff_distance(drawn.boundary, simple.boundary, densify=0.05) <= tolerance_px + 1e-9


@pytest.mark.parametrize("is_sheet", [False, True])
def test_rings_that_go_to_geos_together_do_not_grow_with_their_number(is_sheet: bool) -> None:
    """GEOS takes time with the square of what it is given at once."""
    with mock.patch.object(borders.shapely, "coverage_simplify", wraps=shapely.coverage_simplify) as geos:
        simplify_outlines(blobs(20, is_sheet=is_sheet), tolerance_px=2)
    assert len(geos.call_args_list) > 3
    assert max(len(call.args[0]) for call in geos.call_args_list) <= 2 * 64


def test_where_two_outlines_overlap_all_come_back_as_they_are() -> None:
    overlapping = [(1, shapely.box(-100, 0, -90, 10)), (1, shapely.box(-95, 5, -85, 15))]
    discs = blobs(3, is_sheet=False)
    # What no mask gives comes back as it is, all of it: nobody knows what was meant.
    assert simplify_outlines([*discs, *overlapping], tolerance_px=2) == [*discs, *overlapping]


def test_islands_in_a_sheet_keep_its_borders() -> None:
    before = blobs(10, is_sheet=True)
    after = simplify_outlines(before, tolerance_px=2)
    shapes = np.array([polygon for _, polygon in after])
    assert shapely.coverage_is_valid(shapes)
    assert shapely.get_num_coordinates(shapes).sum() < 0.7 * sum(shapely.get_num_coordinates(p) for _, p in before)
    assert shapely.union_all(shapes).area == pytest.approx(shapely.area(shapes).sum())
