"""Places for boxes against brute force."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import MapBox
from models.active.places import Places

SHAPE = (9, 11)
masks = hnp.arrays(np.bool_, SHAPE)
few = hnp.arrays(np.bool_, SHAPE, elements=st.integers(0, 12).map(lambda n: n == 0))


def places(taken: npt.NDArray[np.bool_], tissue: npt.NDArray[np.bool_], width: int, height: int) -> Places:
    found = Places(np.ones(SHAPE, np.float32), tissue, 0.4, width, height)
    for y, x in np.argwhere(taken).tolist():
        found.block(MapBox(x, y, 1, 1))
    return found


def free_boxes(
    taken: npt.NDArray[np.bool_], tissue: npt.NDArray[np.bool_], width: int, height: int
) -> list[tuple[slice, slice]]:
    windows = [
        np.s_[y : y + height, x : x + width] for y in range(SHAPE[0] - height + 1) for x in range(SHAPE[1] - width + 1)
    ]
    return [w for w in windows if not taken[w].any() and tissue[w].mean() >= 0.4 - 1e-9]


@given(few, masks, st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_pixels_that_a_box_can_hold(
    taken: npt.NDArray[np.bool_], tissue: npt.NDArray[np.bool_], width: int, height: int
) -> None:
    held = np.zeros(SHAPE, bool)
    for window in free_boxes(taken, tissue, width, height):
        held[window] = True
    found = places(taken, tissue, width, height)
    assert (found.can_hold(MapBox(0, 0, 11, 9)) == held).all()
    assert (found.can_hold(MapBox(3, 2, 4, 5)) == held[2:7, 3:7]).all()
    for y, x in np.ndindex(SHAPE):
        assert found.can_hold(MapBox(x, y, 1, 1)).item() == held[y, x]


@given(few, masks, st.integers(1, 5), st.integers(1, 5), st.integers(0, 10), st.integers(0, 8))
@settings(deadline=None, max_examples=60)
def test_best_small_box_is_free_and_the_first(
    taken: npt.NDArray[np.bool_], tissue: npt.NDArray[np.bool_], width: int, height: int, x: int, y: int
) -> None:
    holding = [
        window
        for window in free_boxes(taken, tissue, width, height)
        if window[0].start <= y < window[0].stop and window[1].start <= x < window[1].stop
    ]
    assume(holding)
    rows, columns = holding[0]
    found = places(taken, tissue, width, height).best_small((y, x))
    assert found == (columns.start, rows.start, width, height)


@given(few, st.integers(0, 10), st.integers(0, 8))
@settings(deadline=None, max_examples=60)
def test_largest_free_rectangle(taken: npt.NDArray[np.bool_], x: int, y: int) -> None:
    assume(not taken[y, x])
    box = MapBox(max(0, x - 5), max(0, y - 4), min(10, x + 4) - max(0, x - 5) + 1, min(8, y + 3) - max(0, y - 4) + 1)
    best = max(
        (bottom - top) * (right - left)
        for top in range(box.y, y + 1)
        for bottom in range(y + 1, box.y + box.height + 1)
        for left in range(box.x, x + 1)
        for right in range(x + 1, box.x + box.width + 1)
        if not taken[top:bottom, left:right].any()
    )
    found = places(taken, ~taken, 1, 1).largest_free(box, (y, x))
    assert found.width * found.height == best
    assert not taken[found.y : found.y + found.height, found.x : found.x + found.width].any()
    assert found.x <= x < found.x + found.width
    assert found.y <= y < found.y + found.height
    assert found.x >= box.x
    assert found.y >= box.y
    assert found.x + found.width <= box.x + box.width
    assert found.y + found.height <= box.y + box.height


def test_grown_box_stays_inside() -> None:
    found = Places(np.ones(SHAPE, np.float32), np.ones(SHAPE, bool), 0.1, 5, 4)
    assert found.grown(MapBox(4, 4, 1, 1)) == (2, 3, 5, 4)
    assert found.grown(MapBox(0, 0, 1, 2)) == (0, 0, 5, 4)
    assert found.grown(MapBox(10, 8, 1, 1)) == (6, 5, 5, 4)
    assert found.grown(MapBox(1, 1, 9, 1)) == (1, 0, 9, 4)
    assert found.square((4, 5), 3) == (4, 3, 3, 3)
    assert found.square((0, 10), 99) == (0, 0, 11, 9)
