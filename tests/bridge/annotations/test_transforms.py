"""Laws of turning and moving."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon, box

from bridge.annotations import Annotation, Shape
from bridge.annotations.transforms import Turn, move_annotations, turn_annotations, turned_frame

FRAMES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
NUMBERS = st.floats(-6000, 6000, width=32)
OUTLINES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=9).map(Polygon)


@pytest.mark.parametrize("turn", Turn)
@settings(deadline=None, max_examples=40)
@given(OUTLINES, FRAMES)
def test_the_inverse_takes_it_back_and_the_area_stays(turn: Turn, outline: Polygon, frame: tuple[int, int]) -> None:
    drawn = Annotation("a", outline, nucleus=Point(1, 2))
    (there,) = turn_annotations([drawn], turn, frame)
    (back,) = turn_annotations([there], turn.inverse, turned_frame(frame, turn))
    assert shapely.equals_exact(back.geometry, outline, tolerance=1e-6)
    assert there.geometry.area == pytest.approx(outline.area, rel=1e-6, abs=1e-3)
    assert back.nucleus is not None and back.nucleus.equals_exact(Point(1, 2), 1e-9)


@pytest.mark.parametrize("turn", Turn)
def test_what_lies_on_the_slide_stays_on_it(turn: Turn) -> None:
    (turned,) = turn_annotations([Annotation("a", box(0, 0, 100, 40))], turn, (100, 40))
    assert turned.geometry.bounds == (0, 0, *turned_frame((100, 40), turn))


@pytest.mark.parametrize(
    ("turn", "corner"),
    [
        (Turn.ROTATE_90, (40, 0)),  # the upper left corner goes to the upper right
        (Turn.ROTATE_180, (100, 40)),
        (Turn.ROTATE_270, (0, 100)),
        (Turn.FLIP_X, (100, 0)),
        (Turn.FLIP_Y, (0, 40)),
    ],
)
def test_the_upper_left_corner_goes_where_the_name_says(turn: Turn, corner: tuple[int, int]) -> None:
    (turned,) = turn_annotations([Annotation("a", Point(0, 0))], turn, (100, 40))
    assert turned.geometry.coords[0] == corner


def test_imagescopes_view_of_scn_is_turned_as_its_users_do() -> None:
    # x' = y, y' = h − x, with h the slide's height: the width of the view.
    slide = (300, 700)
    (turned,) = turn_annotations([Annotation("a", Point(30, 10))], Turn.ROTATE_270, (700, 300))
    assert turned.geometry.coords[0] == (10, slide[1] - 30)


def test_four_quarters_are_nothing() -> None:
    frame, annotations = (100, 40), (Annotation("a", box(3, 4, 20, 30), shape=Shape.RECTANGLE),)
    for _ in range(4):
        annotations = turn_annotations(annotations, Turn.ROTATE_90, frame)
        frame = turned_frame(frame, Turn.ROTATE_90)
    assert annotations[0].geometry.equals(box(3, 4, 20, 30)) and annotations[0].shape is Shape.RECTANGLE


def test_moving_moves_the_nucleus_too() -> None:
    (moved,) = move_annotations([Annotation("a", box(0, 0, 2, 2), nucleus=box(0, 0, 1, 1))], (10, -5.5))
    assert moved.geometry.bounds == (10, -5.5, 12, -3.5)
    assert moved.nucleus is not None and moved.nucleus.bounds == (10, -5.5, 11, -4.5)


def test_nothing_to_do_with_an_empty_geometry() -> None:
    (turned,) = turn_annotations([Annotation("a", Polygon(), shape=Shape.NONE)], Turn.FLIP_X, (10, 10))
    assert turned.geometry.is_empty
