"""The paper's method, by hand and by its properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.active import MapBox, Selection, SelectionMethod, SelectionOptions, SizeRule, select_regions


def blank(height: int = 100, width: int = 120) -> npt.NDArray[np.float32]:
    return np.zeros((height, width), dtype=np.float32)


def select(
    priority: npt.NDArray[np.float32],
    k: int = 1,
    size: int = 20,
    taken: tuple[tuple[int, int, int, int], ...] = (),
    tissue: npt.NDArray[np.bool_] | None = None,
    **more: Any,
) -> Selection:
    tissue = np.ones(priority.shape, bool) if tissue is None else tissue
    options = SelectionOptions(SelectionMethod.ADAPTIVE, k, size, **more)
    return select_regions(priority, tissue, taken, options, np.random.default_rng(0))


def boxes(selection: Selection) -> list[tuple[int, int, int, int]]:
    return [tuple(scored.box) for scored in selection.boxes]


def hill(priority: npt.NDArray[np.float32], y: int, x: int, height: float, radius: float) -> None:
    rows, columns = np.indices(priority.shape)
    slope = height * (1 - np.hypot(rows - y, columns - x) / radius)
    np.maximum(priority, slope, out=priority, casting="same_kind")


def test_box_is_the_bounding_box_of_the_area() -> None:
    priority = blank()
    priority[40:58, 30:54] = 0.8
    assert boxes(select(priority)) == [(30, 40, 24, 18)]


@pytest.mark.parametrize(("x", "y"), [(0, 0), (96, 0), (0, 82), (96, 82), (50, 0), (0, 41)])
def test_area_at_the_border_is_found_where_it_is(x: int, y: int) -> None:
    """A true box at the origin is replaced by the published code (facts, D.2)."""
    priority = blank()
    priority[y : y + 18, x : x + 24] = 0.8
    assert boxes(select(priority)) == [(x, y, 24, 18)]


def test_area_may_have_any_shape_and_touch_by_corners() -> None:
    priority = blank()
    priority[20:30, 20:30] = 0.9
    priority[30:40, 30:40] = 0.9  # touches by a corner only
    assert boxes(select(priority)) == [(20, 20, 20, 20)]


def test_lone_pixels_are_outliers() -> None:
    priority = blank()
    priority[10, 10] = 1.0
    priority[60:80, 60:80] = 0.3
    assert boxes(select(priority)) == [(60, 60, 20, 20)]


def test_thin_lines_come_after_all_else() -> None:
    """The median removes them; they are still better than no proposal."""
    priority = blank()
    priority[10, 10:40] = 1.0
    priority[60:80, 60:80] = 0.3
    found = boxes(select(priority, k=3))
    assert found[0] == (60, 60, 20, 20)
    assert found[1][1] <= 10 < found[1][1] + found[1][3]


def test_threshold_rises_until_the_box_fits() -> None:
    """A wide hill: its 98th percentile area is too large, a higher one fits."""
    priority = blank(200, 200)
    hill(priority, 100, 90, 1.0, 90)
    (x, y, width, height) = boxes(select(priority, size=12))[0]
    assert 12 * 12 / 4 <= width * height <= 9 * 12 * 12 / 4
    assert abs(x + width / 2 - 90.5) <= 1
    assert abs(y + height / 2 - 100.5) <= 1


@pytest.mark.parametrize("rule", list(SizeRule))
@pytest.mark.parametrize("size", [7, 16, 33])
def test_sizes_stay_in_their_range(rule: SizeRule, size: int) -> None:
    generator = np.random.default_rng(5)
    priority = blank(300, 300)
    for _ in range(25):
        y, x = generator.integers(0, 300, 2)
        hill(priority, int(y), int(x), float(generator.uniform(0.3, 1)), float(generator.uniform(5, 60)))
    selection = select(priority, k=8, size=size, size_rule=rule)
    assert len(selection.boxes) == 8
    least = (size + 1) // 2
    for _, _, width, height in boxes(selection):
        if rule is SizeRule.SIDE:
            assert least <= min(width, height)
            assert max(width, height) <= 1.5 * size
        else:
            assert size**2 / 4 <= width * height <= 9 * size**2 / 4


def test_size_by_area_lets_a_long_thin_box_pass_and_by_side_does_not() -> None:
    priority = blank()
    priority[50:56, 5:105] = 0.8
    assert boxes(select(priority, size=40)) == [(5, 50, 100, 6)]
    by_side = boxes(select(priority, size=40, size_rule=SizeRule.SIDE))
    assert by_side == [(0, 31, 40, 40)]  # too long at every threshold: l × l around the first pixel, (6, 50)


def test_small_area_grows_to_half_the_size() -> None:
    priority = blank()
    priority[50:54, 60:64] = 0.8
    assert boxes(select(priority, size=20)) == [(57, 47, 10, 10)]


def test_small_area_in_the_corner_grows_inwards() -> None:
    priority = blank()
    priority[96:, 116:] = 0.8
    assert boxes(select(priority, size=20)) == [(110, 90, 10, 10)]


def test_thin_area_that_would_grow_too_large_gives_a_square() -> None:
    """199 × 2 is less than l²/4, and 199 × 20 more than 9l²/4."""
    priority = blank(100, 220)
    priority[50:52, 10:209] = 0.8
    assert boxes(select(priority, size=40)) == [(0, 31, 40, 40)]


def test_plateau_too_large_for_any_threshold_gives_a_square_around_its_first_pixel() -> None:
    assert boxes(select(np.ones((100, 120), np.float32), size=20)) == [(0, 0, 20, 20)]


def test_regions_come_best_first_and_ties_in_row_order() -> None:
    priority = blank()
    for x, y, value in [(10, 60, 0.5), (80, 10, 0.5), (10, 10, 0.5), (60, 60, 0.9)]:
        priority[y : y + 15, x : x + 15] = value
    assert boxes(select(priority, k=4)) == [(60, 60, 15, 15), (10, 10, 15, 15), (80, 10, 15, 15), (10, 60, 15, 15)]


def test_fewer_areas_than_asked_for_is_said() -> None:
    priority = blank()
    for x, y in [(10, 10), (60, 60)]:
        priority[y : y + 15, x : x + 15] = 0.5
    selection = select(priority, k=5)
    assert len(selection.boxes) == 2
    assert selection.reason == "2 of 5 boxes: no informative area is left where a box fits"


def test_box_is_cut_back_to_what_is_free() -> None:
    priority = blank()
    priority[10:30, 10:30] = 0.8
    assert boxes(select(priority, taken=((20, 0, 100, 100),))) == [(10, 10, 10, 20)]


def test_area_around_a_labelled_box_never_covers_it() -> None:
    """The area is a ring, whose bounding box holds the labelled one: the largest free part around the peak is taken."""
    priority = blank()
    priority[20:50, 20:50] = 0.8
    found = boxes(select(priority, size=20, taken=((30, 30, 12, 12),)))
    assert found == [(20, 20, 30, 10)]


def test_what_is_left_in_a_gap_too_narrow_for_a_region_is_passed_over() -> None:
    priority = blank()
    priority[:, 50:54] = 1.0
    priority[70:90, 90:110] = 0.4
    taken = ((0, 0, 50, 100), (54, 0, 20, 100))
    assert boxes(select(priority, taken=taken)) == [(90, 70, 20, 20)]


def test_box_with_too_little_tissue_gives_way_to_the_best_small_one() -> None:
    """An area of 24 × 1.5 pixels of tissue in glass: its box has too little tissue, one of 10 × 10 has enough."""
    tissue = np.zeros((100, 120), bool)
    for step in range(27):
        tissue[40 + step : 43 + step, 40 + step : 43 + step] = True
    selection = select(tissue.astype(np.float32), tissue=tissue, min_tissue=0.25)
    (x, y, width, height) = boxes(selection)[0]
    assert (width, height) == (10, 10)
    assert tissue[y : y + height, x : x + width].mean() >= 0.25


def test_under_two_percent_of_non_zero_pixels() -> None:
    """The 98th percentile is zero; every pixel of the map would lie above it (facts, D.2)."""
    priority = blank(400, 400)
    priority[100:110, 100:110] = 0.5
    priority[300:315, 300:315] = 0.4
    assert boxes(select(priority, k=2)) == [(100, 100, 10, 10), (300, 300, 15, 15)]


def test_round_after_round_nothing_overlaps() -> None:
    """Six rounds of five gave 27 overlapping pairs with the published code (facts, D.2)."""
    generator = np.random.default_rng(1)
    priority = blank(250, 250)
    for _ in range(12):
        y, x = generator.integers(0, 250, 2)
        hill(priority, int(y), int(x), float(generator.uniform(0.4, 1)), 40)
    taken: list[MapBox] = []
    for _ in range(6):
        selection = select(priority, k=5, size=24, taken=tuple(taken))
        taken += [scored.box for scored in selection.boxes]
    count = np.zeros((250, 250), int)
    for x, y, width, height in taken:
        count[y : y + height, x : x + width] += 1
    assert len(taken) == 30
    assert count.max() == 1


def test_corridors_between_many_labelled_boxes_do_not_hang() -> None:
    taken = tuple((x, y, 28, 28) for x in range(0, 600, 32) for y in range(0, 600, 32))
    selection = select(np.random.default_rng(0).random((600, 600), dtype=np.float32), k=3, size=32, taken=taken)
    assert selection.boxes == ()
    assert selection.reason is not None
