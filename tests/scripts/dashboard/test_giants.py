"""Outlines of very many vertices: clipped as the even-odd rule has it, and drawn whatever they are."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scripts.dashboard.giants import Rings, fitted
from scripts.dashboard.outlines import MOST_VERTICES, SlideOutlines, View
from scripts.web.layers import Layer, Outline

BOX = (-20.0, -30.0, 45.0, 50.0)


def is_inside(rings: Rings, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return by the even-odd rule, edge by edge, whether points lie inside: what a canvas fills."""
    found = np.zeros(len(points), dtype=bool)
    for ring in np.unique(rings.ring):
        x, y = rings.points[rings.ring == ring].T
        next_x, next_y = np.roll(x, -1), np.roll(y, -1)
        for x0, y0, x1, y1 in zip(x, y, next_x, next_y, strict=True):
            if y0 != y1:
                is_between = (y0 > points[:, 1]) != (y1 > points[:, 1])
                found ^= is_between & (points[:, 0] < (x1 - x0) * (points[:, 1] - y0) / (y1 - y0) + x0)
    return found


def tangle(seed: int, vertices: int) -> shapely.Polygon:
    """Return rings that cross themselves and each other, as nobody should draw them."""
    random = np.random.default_rng(seed)
    return shapely.Polygon(random.uniform(-100, 100, (vertices, 2)), [random.uniform(-60, 60, (5, 2))])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), vertices=st.integers(3, 25))
def test_a_clipped_tangle_fills_the_same_points_of_the_view_and_none_beyond(seed: int, vertices: int) -> None:
    rings = Rings.of(tangle(seed, vertices))
    clipped = rings.within(*BOX)
    left, top, right, bottom = BOX
    points = np.random.default_rng(seed).uniform((left, top), (right, bottom), (200, 2))
    assert (is_inside(clipped, points) == is_inside(rings, points)).all()
    if len(clipped):
        assert (clipped.points.min(axis=0) >= (left, top)).all()
        assert (clipped.points.max(axis=0) <= (right, bottom)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), cell=st.floats(0.1, 60))
def test_thinning_moves_nothing_further_than_a_cell_and_loses_no_shell(seed: int, cell: float) -> None:
    random = np.random.default_rng(seed)
    circles = [shapely.Point(*at).buffer(r) for *at, r in random.uniform((0, 0, 1), (500, 500, 60), (8, 3))]
    thin = Rings.of(shapely.multipolygons(circles)).thinned(cell).shape()
    for circle in circles:
        outline = shapely.get_coordinates(circle.exterior)
        assert shapely.distance(thin, shapely.points(outline)).max() <= 1.5 * np.sqrt(2) * cell


def test_thinning_ends_with_as_few_as_are_asked_for() -> None:
    dust = shapely.multipolygons([shapely.box(x, y, x + 1, y + 1) for x in range(0, 400, 4) for y in range(0, 400, 4)])
    found, is_coarse = fitted(Rings.of(dust), 0.1, 300)
    assert 0 < len(found) <= 300 and is_coarse
    xs, ys = found.points.T
    assert xs.min() <= 0 and ys.min() <= 0 and xs.max() >= 396 and ys.max() >= 396, "dust in a corner was lost"


def wave(vertices: int, at: float = 50_000.0, radius: float = 30_000.0) -> shapely.Polygon:
    """Return a large outline whose every vertex would be seen: a circle with teeth."""
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    teeth = radius - 400.0 * (np.arange(vertices) % 2)
    return shapely.Polygon(at + np.stack([np.cos(angles), np.sin(angles)], axis=1) * teeth[:, None])


def vertices_of(facts: object) -> int:
    return sum(len(ring) // 2 for sent in facts["objects"] for ring in sent["rings"])  # type: ignore[index]


def drawn(facts: object, number: int = 0) -> shapely.Polygon:
    """Return an outline as a browser draws it, in level-0 pixels."""
    rings = facts["objects"][number]["rings"]  # type: ignore[index]
    points = [np.array(r).reshape(-1, 2) * facts["unit"] + facts["origin"] for r in rings]  # type: ignore[index]
    return shapely.Polygon(points[0], points[1:])


def test_an_outline_of_more_vertices_than_can_be_drawn_is_drawn_coarser_and_whole_where_one_looks_closer() -> None:
    giant, small = wave(250_001), shapely.box(50_000, 50_000, 50_400, 50_300)
    slide = SlideOutlines([Outline(Layer.EXPERT, "Stroma", "#00c800", one) for one in (giant, small)], (0.5, 0.5))
    whole = slide.within(View(0, 0, 100_000, 100_000, 10.0))
    assert len(whole["objects"]) == 2 and whole["coarse"] == 1  # type: ignore[arg-type]
    assert 10_000 < vertices_of(whole) <= MOST_VERTICES
    assert np.allclose(drawn(whole).bounds, giant.bounds, atol=1_000)
    near = slide.within(View(79_000, 49_000, 81_000, 51_000, 1.0))
    assert near["coarse"] == 0
    there = shapely.get_coordinates(giant)
    inside = there[(abs(there - (80_000, 50_000)) < 990).all(axis=1)]
    assert len(inside) > 200 and shapely.distance(drawn(near), shapely.points(inside)).max() < 1.0


def test_a_giant_that_crosses_itself_is_drawn_too() -> None:
    giant = shapely.Polygon(np.random.default_rng(0).uniform(0, 90_000, (210_000, 2)))
    slide = SlideOutlines([Outline(Layer.EXPERT, "Stroma", "#00c800", giant)], (0.5, 0.5))
    whole = slide.within(View(0, 0, 90_000, 90_000, 1.0))
    assert 0 < vertices_of(whole) <= MOST_VERTICES


def test_many_giants_share_the_room() -> None:
    giants = [wave(45_000, at, 4_000.0) for at in range(5_000, 65_000, 10_000)]
    slide = SlideOutlines([Outline(Layer.EXPERT, "Stroma", "#00c800", one) for one in giants], (0.5, 0.5))
    facts = slide.within(View(0, 0, 100_000, 100_000, 0.05))
    assert len(facts["objects"]) == len(giants) == facts["coarse"]  # type: ignore[arg-type]
    assert vertices_of(facts) <= MOST_VERTICES
