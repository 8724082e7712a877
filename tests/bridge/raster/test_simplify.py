from __future__ import annotations

import logging

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import LabelMask, changed_pixels, simplify_outlines, vectorize

NAMES = ("Background", "A", "B")
coarse = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3))


def outlines(labels: NDArray[np.uint8], downsample: float = 1.0) -> list[tuple[int, shapely.Polygon]]:
    height, width = labels.shape
    return vectorize(LabelMask(labels, Window(0, 0, width, height, downsample), NAMES))


def disc_and_ring() -> NDArray[np.uint8]:
    y, x = np.ogrid[:200, :200]
    distance = np.hypot(x - 100, y - 100)
    labels: NDArray[np.uint8] = ((distance < 80).astype(np.uint8) + (distance < 50)).astype(np.uint8)
    return labels


@settings(max_examples=120, deadline=None)
@given(coarse, st.integers(1, 4), st.sampled_from([1.0, 3.7, 4.0]), st.floats(0.3, 30))
def test_outlines_stay_a_valid_coverage_of_as_many_polygons(
    labels: NDArray[np.uint8], zoom: int, downsample: float, tolerance_px: float
) -> None:
    before = outlines(np.kron(labels, np.ones((zoom, zoom), np.uint8)), downsample)
    after = simplify_outlines(before, tolerance_px=tolerance_px)
    assert [label for label, _ in after] == [label for label, _ in before]
    assert all(p.is_valid and not p.is_empty and p.geom_type == "Polygon" for _, p in after)
    if after:
        assert shapely.coverage_is_valid(np.array([p for _, p in after]))


@settings(max_examples=60, deadline=None)
@given(coarse, st.integers(1, 4), st.floats(0.3, 12))
def test_no_point_of_an_outline_moves_farther_than_the_tolerance(
    labels: NDArray[np.uint8], zoom: int, tolerance_px: float
) -> None:
    before = outlines(np.kron(labels, np.ones((zoom, zoom), np.uint8)))
    after = simplify_outlines(before, tolerance_px=tolerance_px)
    for (_, drawn), (_, simple) in zip(before, after, strict=True):
        assert shapely.hausdorff_distance(drawn.boundary, simple.boundary, densify=0.02) <= tolerance_px + 1e-9


def test_a_spur_longer_than_the_tolerance_stays() -> None:
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 5:35] = np.tri(20, 30, 12, dtype=np.uint8)  # a staircase
    labels[30, 5:35] = 1
    labels[30, 35:44] = 1  # one pixel thin: Visvalingam–Whyatt alone takes all nine pixels of it
    before = outlines(labels)
    plainly = shapely.coverage_simplify(np.array([p for _, p in before]), 4)
    assert shapely.hausdorff_distance(before[0][1].boundary, plainly[0].boundary) > 4
    ((_, simple),) = simplify_outlines(before, tolerance_px=4)
    assert shapely.hausdorff_distance(before[0][1].boundary, simple.boundary) <= 4
    assert shapely.get_num_coordinates(simple) < shapely.get_num_coordinates(before[0][1])


def test_neighbours_keep_one_common_border() -> None:
    inner_and_ring = [p for _, p in simplify_outlines(outlines(disc_and_ring()), tolerance_px=2)]
    whole = shapely.union_all(inner_and_ring)
    assert len(whole.interiors) == 0
    assert whole.area == pytest.approx(sum(p.area for p in inner_and_ring))


def test_staircases_become_few_corners_and_few_pixels_change() -> None:
    before = outlines(disc_and_ring())
    after = simplify_outlines(before, tolerance_px=2)
    corners = [int(shapely.get_num_coordinates([p for _, p in polygons]).sum()) for polygons in (before, after)]
    assert corners[1] < corners[0] / 4
    changed = changed_pixels(before, after, Window(0, 0, 200, 200))
    assert 0 < changed < 0.03 * 200 * 200


def test_no_tolerance_changes_nothing() -> None:
    before = outlines(disc_and_ring())
    assert simplify_outlines(before, tolerance_px=0) == before
    assert changed_pixels(before, before, Window(0, 0, 200, 200)) == 0


def test_changed_pixels_are_counted_on_the_grid_of_the_window() -> None:
    before, after = [(1, shapely.box(0, 0, 8, 8))], [(1, shapely.box(0, 0, 8, 4)), (2, shapely.box(0, 4, 4, 8))]
    assert changed_pixels(before, after, Window(0, 0, 10, 10)) == 32
    assert changed_pixels(before, after, Window(0, 0, 5, 5, 2.0)) == 8


@pytest.mark.parametrize("seed", [35, 49, 53, 61])
def test_a_corner_that_comes_to_lie_on_another_outline_does_not_keep_all_of_them_as_they_are(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(seed).random((61, 61))
    around = noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1] + noise[:-1, :-1]
    before = outlines((around > 2).astype(np.uint8))
    after = np.array([p for _, p in simplify_outlines(before, tolerance_px=8)])
    assert not caplog.records
    assert shapely.get_num_coordinates(after).sum() < 0.7 * sum(shapely.get_num_coordinates(p) for _, p in before)
    assert shapely.coverage_is_valid(after)


def test_overlapping_polygons_come_back_as_they_are_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    staircase = outlines(disc_and_ring())[:1]
    overlapping = [*staircase, (2, shapely.affinity.translate(staircase[0][1], 30, 0))]
    with caplog.at_level(logging.WARNING):
        assert simplify_outlines(overlapping, tolerance_px=3) == overlapping
    assert "2 outlines stay" in caplog.text


def test_nothing_gives_nothing() -> None:
    assert simplify_outlines([], tolerance_px=1) == []


def test_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance"):
        simplify_outlines([], tolerance_px=-1)
