"""Worked by hand with the paper's constants: l = 4096, 8192, 12288 pixels at 256 per map pixel: 16, 32, 48 cells.

The adaptive range is l²/4 … 9l²/4 cells: 64 … 576, 256 … 2304, 576 … 5184.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.active import MapBox, SelectionMethod, SelectionOptions, select_regions
from models.active.sliding import candidate_shapes

ALL = list(SelectionMethod)
GUIDED = [method for method in ALL if method is not SelectionMethod.RANDOM]
LENGTHS = [16, 32, 48]
COUNTS = [1, 3, 5]
LESIONS = [(60, 60), (300, 50), (180, 200), (420, 300), (70, 330)]  # (x, y) of 24 × 24 cells, falling priority
Map = npt.NDArray[np.float32]


def boxes(priority: Map, method: SelectionMethod, k: int, size: int, taken: Any = (), **more: Any) -> list[MapBox]:
    selection = select_regions(
        priority,
        np.ones(priority.shape, bool),
        taken,
        SelectionOptions(method, k, size, **more),
        np.random.default_rng(0),
    )
    assert (selection.reason is None) == (len(selection.boxes) == k)
    return [scored.box for scored in selection.boxes]


@pytest.fixture
def lesions() -> Map:
    """Five lesions on 500 × 400 cells, a slide of 128,000 × 102,400 pixels."""
    priority = np.zeros((400, 500), np.float32)
    for i, (x, y) in enumerate(LESIONS):
        priority[y : y + 24, x : x + 24] = 0.9 - 0.1 * i
    return priority


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("size", LENGTHS)
def test_adaptive_finds_the_lesions_whatever_the_size(lesions: Map, size: int, k: int) -> None:
    """24 × 24 = 576 cells are the most for l = 16 and the least for l = 48: exactly in range for all three."""
    assert boxes(lesions, SelectionMethod.ADAPTIVE, k, size) == [(x, y, 24, 24) for x, y in LESIONS[:k]]


@pytest.mark.parametrize("k", COUNTS)
@pytest.mark.parametrize("size", LENGTHS)
def test_standard_lays_its_square_first_where_it_covers_most(lesions: Map, size: int, k: int) -> None:
    """l = 16 fits inside a lesion, its first place is the corner; 32 and 48 begin 8 and 24 cells up and left of it.

    With l = 16, k = 5 the fifth lesion (256 cells × 0.5 = 128) is just better than half of the first (128 × 0.9).
    """
    before = max(0, size - 24)
    expected = [(x - before, y - before, size, size) for x, y in LESIONS[:k]]
    assert boxes(lesions, SelectionMethod.STANDARD, k, size) == expected


@pytest.mark.parametrize(("size", "count", "narrowest"), [(16, 17, (8, 32)), (32, 33, (16, 64)), (48, 49, (24, 96))])
def test_nonsquare_widths_go_from_half_to_whole_by_one_cell(size: int, count: int, narrowest: tuple[int, int]) -> None:
    """Figure 2, and the same lying."""
    shapes = candidate_shapes(SelectionOptions(SelectionMethod.STANDARD_NONSQUARE, size=size), (500, 500))
    assert len(shapes) == count
    assert shapes[0] == (size, size)
    assert {narrowest, narrowest[::-1]} == set(shapes[-2:])
    assert {width for width, height in shapes if width < height} == set(range(size // 2, size))
    assert {(height, width) for width, height in shapes} == set(shapes)
    assert all(abs(width * height - size**2) <= min(width, height) / 2 for width, height in shapes)


@pytest.mark.parametrize("size", LENGTHS)
def test_nonsquare_takes_the_narrowest_shape_of_a_narrow_lesion(size: int) -> None:
    priority = np.zeros((300, 300), np.float32)
    priority[100 : 100 + 2 * size, 40 : 40 + size // 2] = 0.5
    assert boxes(priority, SelectionMethod.STANDARD_NONSQUARE, 1, size) == [(40, 100, size // 2, 2 * size)]


def test_bisection_stops_at_the_first_percentile_in_range() -> None:
    """A peak in steps on 100,000 cells, l = 32.

    99: the highest 1000 cells end in the third step, 50 × 50 = 2500 cells: too large. 99.5: the highest 500 end in the
    second, 30 × 30 = 900: in range. With one round nothing was in range; the smallest area is the first step, 10 × 10
    at the 100th percentile, and grows to 16 × 16.
    """
    priority = np.full((250, 400), 0.1, np.float32)
    for side, value in [(50, 0.6), (30, 0.8), (10, 1.0)]:
        priority[100 : 100 + side, 200 : 200 + side] = value
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32) == [(200, 100, 30, 30)]
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32, rounds=1) == [(197, 97, 16, 16)]


def test_tenth_round_still_counts() -> None:
    """The area is in range at the percentile of the tenth round alone, 98 + 2 / 1024, and too small at all before.

    10⁶ cells: the tenth threshold is rank 19,980, the ninth rank 19,960. Above the 32 × 32 area are 19,870 cells
    elsewhere and its own core of 100. Nine rounds leave the core, which grows from 10 × 10 to 16 × 16.
    """
    priority = np.zeros((1000, 1000), np.float32)
    priority[500:532, 500:532] = 0.5
    priority[511:521, 511:521] = 1.0
    elsewhere = np.zeros(40 * 500, np.float32)
    elsewhere[:19870] = 0.8
    priority[40:80, 100:600] = elsewhere.reshape(40, 500)
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32, rounds=10) == [(500, 500, 32, 32)]
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32, rounds=9) == [(508, 508, 16, 16)]


def test_largest_of_the_areas_that_were_too_small_grows() -> None:
    """On 100,000 cells, l = 32: 99 (rank 1000) gives a core of 8 × 4, 98.5 (rank 1500) an area of 12 × 8 around it.

    98.25 (rank 1750) and all that is tried below 98.375 is too large. The core would grow about another centre.
    """
    priority = np.full((250, 400), 0.1, np.float32)
    priority[10:40, 20:60] = 0.9  # 1200 cells elsewhere
    priority[10:30, 80:100] = 0.8  # 400
    priority[100:180, 200:280] = 0.3  # 6400
    priority[100:108, 200:212] = 0.8
    priority[104:108, 200:208] = 1.0
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32) == [(198, 96, 16, 16)]
    assert boxes(priority, SelectionMethod.ADAPTIVE, 1, 32, rounds=1) == [(196, 98, 16, 16)]


@pytest.mark.parametrize("size", LENGTHS)
def test_range_is_closed_at_both_ends(size: int) -> None:
    """l/2 × l/2 and 3l/2 × 3l/2 are taken as they are; a row less grows, a column more gives l × l.

    That one is laid around the first cell, (51, 60): the median takes the corners off.
    """
    half, most, before = size // 2, 3 * size // 2, (size - 1) // 2

    def box_of(width: int, height: int) -> MapBox:
        priority = np.zeros((400, 400), np.float32)
        priority[60 : 60 + height, 50 : 50 + width] = 0.7
        return boxes(priority, SelectionMethod.ADAPTIVE, 1, size)[0]

    assert box_of(half, half) == (50, 60, half, half)
    assert box_of(most, most) == (50, 60, most, most)
    assert box_of(half, half - 1) == (50, 60, half, half)
    assert box_of(most + 1, most) == (51 - before, 60 - before, size, size)


def test_areas_one_after_another_and_then_a_reason() -> None:
    """Two areas, k = 5: each once, never a second box on the same."""
    priority = np.zeros((200, 200), np.float32)
    priority[20:40, 20:50] = 0.9
    priority[120:160, 100:130] = 0.4
    assert boxes(priority, SelectionMethod.ADAPTIVE, 5, 32) == [(20, 20, 30, 20), (100, 120, 30, 40)]


@pytest.mark.parametrize("method", GUIDED)
@pytest.mark.parametrize("k", COUNTS)
def test_map_of_zeros_gives_nothing_and_says_so(method: SelectionMethod, k: int) -> None:
    assert boxes(np.zeros((100, 90), np.float32), method, k, 16) == []


@pytest.mark.parametrize("method", GUIDED)
@pytest.mark.parametrize(
    ("x", "y"), [(0, 0), (76, 0), (0, 66), (76, 66), (40, 0), (40, 66), (0, 30), (76, 30)], ids=str
)
def test_peak_on_the_border_and_in_the_corner(method: SelectionMethod, x: int, y: int) -> None:
    """An area of l × l against the border of 100 × 90 cells, its peak the outermost cells."""
    priority = np.zeros((90, 100), np.float32)
    priority[y : y + 24, x : x + 24] = 0.6
    priority[0 if y == 0 else y + 20 : y + 24, 0 if x == 0 else x + 20 : x + 24] = 0.9
    assert boxes(priority, method, 1, 24) == [(x, y, 24, 24)]


@pytest.mark.parametrize("method", GUIDED)
def test_ties_go_in_row_order(method: SelectionMethod) -> None:
    priority = np.zeros((200, 200), np.float32)
    for x, y in [(120, 30), (30, 120), (30, 30), (120, 120)]:
        priority[y : y + 16, x : x + 16] = 0.5
    expected = [(30, 30, 16, 16), (120, 30, 16, 16), (30, 120, 16, 16), (120, 120, 16, 16)]
    assert boxes(priority, method, 4, 16) == expected


@pytest.mark.parametrize("method", GUIDED)
@pytest.mark.parametrize("taken", [(90, 90, 3, 7), (80, 80, 60, 11), (111, 85, 50, 90), (0, 0, 91, 200)], ids=str)
def test_labelled_boxes_of_other_sizes_keep_the_rest_of_an_area(
    method: SelectionMethod, taken: tuple[int, int, int, int]
) -> None:
    """A lesion of 24 × 24, partly labelled: the region takes the most of what is left of it, and nothing labelled."""
    priority = np.zeros((200, 200), np.float32)
    priority[90:114, 90:114] = 0.8
    (box,) = boxes(priority, method, 1, 16, taken=[taken])
    x, y, width, height = taken
    assert box.x >= x + width or box.x + box.width <= x or box.y >= y + height or box.y + box.height <= y
    assert priority[box.y : box.y + box.height, box.x : box.x + box.width].sum() >= 0.8 * 16 * 15


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("size", LENGTHS)
def test_map_smaller_than_a_region_is_one_region(method: SelectionMethod, size: int) -> None:
    assert boxes(np.full((7, 5), 0.5, np.float32), method, 1, size) == [(0, 0, 5, 7)]
