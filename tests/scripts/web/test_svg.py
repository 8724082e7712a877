"""Outlines as SVG paths, read back by a reader of our own."""

from __future__ import annotations

import re

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.web.svg import path_data


def polygons_of(data: str) -> list[list[tuple[float, float]]]:
    """Read ``M x y x y …Z`` back."""
    rings = []
    for text in re.findall(r"M([^MZ]*)Z", data):
        numbers = [float(n) for n in text.split()]
        rings.append(list(zip(numbers[::2], numbers[1::2], strict=True)))
    return rings


def test_holes_and_parts_are_rings_of_their_own() -> None:
    ring = shapely.box(0, 0, 90, 90).difference(shapely.box(30, 30, 60, 60))
    both = shapely.MultiPolygon([ring, shapely.box(200, 0, 210, 10)])
    assert [len(r) for r in polygons_of(path_data(both))] == [4, 4, 4]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(-1000, 1000),
    st.integers(-1000, 1000),
    st.integers(20, 400),
    st.floats(0.5, 8),
    st.tuples(st.integers(-500, 500), st.integers(-500, 500)),
)
def test_area_is_kept_to_the_rounding(x: int, y: int, radius: int, unit: float, origin: tuple[int, int]) -> None:
    shape = shapely.Point(x, y).buffer(radius)
    (ring,) = polygons_of(path_data(shape, unit_px=unit, origin=origin))
    back = shapely.Polygon(np.asarray(ring) * unit + origin)
    assert shapely.hausdorff_distance(back, shape) <= 0.08 * unit  # half the diagonal of a tenth, and float noise


def test_what_is_smaller_than_a_tenth_of_a_unit_leaves_no_ring() -> None:
    assert path_data(shapely.box(0, 0, 1, 1), unit_px=1000) == ""
    assert path_data(shapely.Polygon()) == ""


def test_huge_coordinates_are_written_in_full() -> None:
    assert path_data(shapely.box(123456.7, 0, 123460, 5)).startswith("M123460 0 123460 5 123456.7 5")
