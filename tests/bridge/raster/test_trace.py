from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import Polygon, shape

from bridge.raster.trace import trace

LABELS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2, 255]))
BLOBS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1))


def outlines(labels: NDArray[np.uint8], skip: tuple[int, ...] = (0, 255)) -> list[tuple[int, Polygon]]:
    found = trace(labels, ~np.isin(np.arange(256), skip))
    stops = found.ring_stops, found.polygon_stops
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, found.vertices, stops)
    return list(zip(found.labels.tolist(), polygons, strict=True))


def gdal_outlines(labels: NDArray[np.uint8], skip: tuple[int, ...] = (0, 255)) -> list[tuple[int, str]]:
    wanted = ~np.isin(labels, skip)
    return sorted((int(v), shape(outline).wkt) for outline, v in shapes(labels, mask=wanted, connectivity=4))


def written(found: list[tuple[int, Polygon]]) -> list[tuple[int, str]]:
    return sorted((label, polygon.wkt) for label, polygon in found)


@settings(max_examples=300, deadline=None)
@given(LABELS | BLOBS)
def test_outlines_are_those_of_gdal_vertex_for_vertex(labels: NDArray[np.uint8]) -> None:
    assert written(outlines(labels)) == gdal_outlines(labels)


@settings(max_examples=100, deadline=None)
@given(LABELS)
def test_no_label_is_special(labels: NDArray[np.uint8]) -> None:
    assert written(outlines(labels, skip=())) == gdal_outlines(labels, skip=())


@settings(max_examples=200, deadline=None)
@given(BLOBS)
def test_outlines_are_valid_where_an_area_touches_itself(labels: NDArray[np.uint8]) -> None:
    found = outlines(labels)
    assert all(polygon.is_valid for _, polygon in found)
    assert sum(polygon.area for _, polygon in found) == np.count_nonzero(labels)


@settings(max_examples=50, deadline=None)
@given(LABELS)
def test_order_of_memory_does_not_matter(labels: NDArray[np.uint8]) -> None:
    padded = np.pad(labels, 1)
    assert (
        written(outlines(padded[1:-1, 1:-1])) == written(outlines(np.asfortranarray(labels))) == gdal_outlines(labels)
    )


def test_large_maps_are_compared_in_several_pieces() -> None:
    labels = (np.random.default_rng(5).random((1300, 1024)) < 0.02).astype(np.uint8)
    labels[100:1200, 300:900] ^= 1
    assert written(outlines(labels)) == gdal_outlines(labels)


def test_hole_that_touches_its_shell_is_a_hole() -> None:
    labels = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    ((_, polygon),) = outlines(labels)
    assert [len(ring.coords) - 1 for ring in (polygon.exterior, *polygon.interiors)] == [6, 4]


def test_island_in_a_hole_is_its_own_polygon() -> None:
    labels = np.ones((5, 5), np.uint8)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 1
    assert [(len(p.interiors), p.area) for _, p in outlines(labels)] == [(1, 16.0), (0, 1.0)]


def test_hole_behind_another_hole_belongs_to_the_same_shell() -> None:
    labels = np.ones((3, 7), np.uint8)
    labels[1, [1, 3, 5]] = 0
    ((_, polygon),) = outlines(labels)
    assert [hole.bounds[0] for hole in polygon.interiors] == [1, 3, 5]


@pytest.mark.parametrize("size", [(0, 0), (0, 4), (3, 0), (3, 4)], ids=str)
def test_nothing_wanted_gives_nothing(size: tuple[int, int]) -> None:
    assert outlines(np.zeros(size, np.uint8)) == []
