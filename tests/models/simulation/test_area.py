from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.active import MapBox
from models.simulation import SimulatedSlide, annotated_share
from models.simulation.area import cells_in, times_in

ROWS, COLUMNS = 7, 9
BOXES = st.lists(
    st.builds(MapBox, st.integers(-3, 9), st.integers(-3, 9), st.integers(1, 6), st.integers(1, 6)), max_size=6
)


def _slide(share: np.ndarray) -> SimulatedSlide:
    cells = np.zeros(share.shape, np.uint8)
    features = np.zeros((*share.shape, 1), np.float32)
    return SimulatedSlide("one", "", features, cells, cells, share > 0, (), share.astype(np.float32))


def _holds(box: MapBox, x: int, y: int) -> bool:
    return box.x <= x < box.x + box.width and box.y <= y < box.y + box.height


@settings(max_examples=60, deadline=None)
@given(BOXES, st.integers(0, 99))
def test_the_annotated_share_is_that_of_a_raster_counted_cell_by_cell(boxes: list[MapBox], seed: int) -> None:
    share = np.random.default_rng(seed).choice([0.0, 0.25, 1.0], (ROWS, COLUMNS))
    share[0, 0] = 0.5
    covered = sum(share[y, x] for y in range(ROWS) for x in range(COLUMNS) if any(_holds(box, x, y) for box in boxes))
    assert annotated_share([_slide(share)], {"one": boxes}) == pytest.approx(covered / share.sum())


@settings(max_examples=40, deadline=None)
@given(BOXES)
def test_a_cell_counts_once_for_each_box_that_holds_it(boxes: list[MapBox]) -> None:
    times = times_in(boxes, (ROWS, COLUMNS))
    expected = [[sum(_holds(box, x, y) for box in boxes) for x in range(COLUMNS)] for y in range(ROWS)]
    np.testing.assert_array_equal(times, expected)
    np.testing.assert_array_equal(cells_in(boxes, (ROWS, COLUMNS)), times > 0)


def test_more_boxes_than_a_byte_counts_do_not_start_again_at_none() -> None:
    assert times_in([MapBox(0, 0, 1, 1)] * 300, (1, 2)).tolist() == [[255, 0]]


def test_nothing_is_annotated_where_there_is_no_tissue() -> None:
    assert annotated_share([_slide(np.zeros((2, 2)))], {"one": [MapBox(0, 0, 2, 2)]}) == 0.0


def test_slides_without_boxes_count_as_tissue_to_annotate() -> None:
    first, second = _slide(np.ones((2, 2))), _slide(np.ones((2, 2)))
    object.__setattr__(second, "key", "two")
    assert annotated_share([first, second], {"one": [MapBox(0, 0, 2, 1)]}) == 0.25
