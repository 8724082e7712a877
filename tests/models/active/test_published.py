"""The known faults of the published code, one by one, on tiny maps; and that ours hasn't them.

Numbers in brackets are those of facts/papers.md, section D.2.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import MapBox, SelectionMethod, SelectionOptions, SizeRule, select_regions
from models.active.published import PublishedSelection, select_as_published

STANDARD, NONSQUARE = SelectionMethod.STANDARD, SelectionMethod.STANDARD_NONSQUARE
ADAPTIVE, RANDOM = SelectionMethod.ADAPTIVE, SelectionMethod.RANDOM
Map = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]


def blank(height: int = 60, width: int = 70, *blocks: tuple[int, int, int, int, float]) -> Map:
    """A map of zeros with blocks (x, y, width, height, value)."""
    priority = np.zeros((height, width), np.float32)
    for x, y, block_width, block_height, value in blocks:
        priority[y : y + block_height, x : x + block_width] = value
    return priority


def both(
    priority: Map, options: SelectionOptions, taken: tuple[Box, ...] = (), tissue: npt.NDArray[np.bool_] | None = None
) -> tuple[list[Box], list[Box]]:
    """Return (the published code's boxes, ours)."""
    tissue = np.ones(priority.shape, bool) if tissue is None else tissue
    code = select_as_published(priority, tissue, taken, options, np.random.default_rng(0))
    paper = select_regions(priority, tissue, taken, options, np.random.default_rng(0))
    return [scored.box for scored in code.boxes], [scored.box for scored in paper.boxes]


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(6, 14), st.integers(6, 14)), elements=st.integers(0, 4).map(float)),
    st.integers(1, 5),
    st.integers(1, 5),
)
@settings(deadline=None, max_examples=60)
def test_first_row_and_column_might_as_well_not_be_there(priority: Map, size: int, k: int) -> None:
    """(1), as a law: what is reported is right on the map without them, but for windows of zeros, which come last."""
    options, tissue = SelectionOptions(STANDARD, k, size, min_tissue=0), np.ones(priority.shape, bool)
    code = select_as_published(priority, tissue, [], options, np.random.default_rng(0)).boxes
    paper = select_regions(priority[1:, 1:], tissue[1:, 1:], [], options, np.random.default_rng(0)).boxes
    assert [scored.box for scored in code[: len(paper)]] == [scored.box for scored in paper]


@pytest.mark.parametrize("method", [STANDARD, NONSQUARE])
def test_sliding_windows_are_reported_one_off(method: SelectionMethod) -> None:
    """(1): the best block at (20, 10) is reported at (19, 9)."""
    code, paper = both(blank(60, 70, (20, 10, 8, 8, 0.7)), SelectionOptions(method, 1, 8))
    assert code == [(19, 9, 8, 8)]
    assert paper == [(20, 10, 8, 8)]


def test_block_in_the_far_corner_is_missed_by_one() -> None:
    """(1)."""
    code, paper = both(blank(60, 70, (62, 52, 8, 8, 0.7)), SelectionOptions(STANDARD, 1, 8))
    assert code == [(61, 51, 8, 8)]
    assert paper == [(62, 52, 8, 8)]


def test_windows_at_row_and_column_zero_are_never_scored() -> None:
    """(1): what lies along the border loses against the little there is elsewhere."""
    priority = blank(60, 70, (0, 0, 1, 60, 1.0), (40, 30, 2, 2, 0.5))
    code, paper = both(priority, SelectionOptions(STANDARD, 1, 8))
    assert overlap(code[0], (40, 30, 2, 2))
    assert paper == [(0, 0, 8, 8)]


def test_region_is_laid_inside_a_taken_box() -> None:
    """(4): a taken box of 20 × 20 is marked at its top-left pixel, as if it were of 8 × 8."""
    priority = blank(60, 70, (15, 15, 8, 8, 0.9), (45, 40, 8, 8, 0.3))
    code, paper = both(priority, SelectionOptions(STANDARD, 1, 8), ((5, 5, 20, 20),))
    assert code == [(14, 14, 8, 8)]
    assert paper == [(45, 40, 8, 8)]


def test_taken_boxes_that_overlap_push_the_best_region_out() -> None:
    """(4): the second mark is suppressed by the first, and what is dropped in its stead is the best."""
    priority = blank(60, 70, (40, 40, 8, 8, 1.0), (20, 40, 8, 8, 0.5))
    code, paper = both(priority, SelectionOptions(STANDARD, 1, 8), ((5, 5, 8, 8), (9, 5, 8, 8)))
    assert code == [(19, 39, 8, 8)]
    assert paper == [(40, 40, 8, 8)]


def test_nonsquare_drops_the_best_for_a_taken_box_of_another_shape() -> None:
    """(4): no mark, but one is cut off the head all the same; and nothing keeps regions off that box."""
    priority = blank(60, 70, (40, 40, 8, 8, 1.0), (5, 5, 8, 8, 0.5))
    code, paper = both(priority, SelectionOptions(NONSQUARE, 1, 8), ((3, 3, 11, 12),))
    assert code == [(4, 4, 8, 8)]
    assert paper == [(40, 40, 8, 8)]


def test_nonsquare_keeps_a_taken_box_of_its_own_shape_free() -> None:
    """The mark where it works: the published code's regions then are ours, but for the row and column (1)."""
    priority = blank(60, 70, (40, 40, 8, 8, 1.0), (5, 5, 4, 16, 0.5))
    code, paper = both(priority, SelectionOptions(NONSQUARE, 1, 8), ((5, 5, 4, 16),))
    assert code == [(39, 39, 8, 8)]
    assert paper == [(40, 40, 8, 8)]


def test_same_box_again_and_again_where_nothing_is_informative() -> None:
    """(3): a map of zeros gives the same corner box k times."""
    code, paper = both(blank(), SelectionOptions(ADAPTIVE, 4, 16))
    assert len(code) == 4
    assert len(set(code)) == 1
    assert paper == []


def test_fewer_areas_than_regions_give_duplicates() -> None:
    """(3): two areas and k = 4; once both are zero, the third and the fourth are one."""
    areas = [(40, 30, 16, 16), (100, 120, 16, 16)]
    priority = blank(
        200, 200, (40, 30, 16, 16, 0.9), (45, 35, 3, 3, 0.95), (100, 120, 16, 16, 0.7), (105, 125, 3, 3, 0.8)
    )
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 4, 16))
    assert code[:2] == areas
    assert code[2] == code[3]
    assert paper == areas


def test_boxes_overlap_round_after_round() -> None:
    """(3): six rounds of five."""
    rows, columns = np.indices((250, 250))
    priority = np.zeros((250, 250), np.float32)
    generator = np.random.default_rng(1)
    for y, x, height in generator.uniform([0, 0, 0.4], [250, 250, 1], (12, 3)):
        priority = np.maximum(priority, height * (1 - np.hypot(rows - y, columns - x) / 40)).astype(np.float32)
    tissue, options = np.ones(priority.shape, bool), SelectionOptions(ADAPTIVE, 5, 24)
    code: list[MapBox] = []
    paper: list[MapBox] = []
    for _ in range(6):
        code += [s.box for s in select_as_published(priority, tissue, code, options, generator).boxes]
        paper += [s.box for s in select_regions(priority, tissue, paper, options, generator).boxes]
    assert len(code) == len(paper) == 30
    assert sum(overlap(a, b) for a, b in combinations(code, 2)) > 5
    assert not any(overlap(a, b) for a, b in combinations(paper, 2))


@pytest.mark.parametrize("rule", list(SizeRule))
def test_size_is_tested_by_area_alone(rule: SizeRule) -> None:
    """(5): a box of 298 × 6 passes; l = 40 by side is ours by name."""
    priority = blank(80, 320, (10, 30, 298, 6, 0.8), (100, 31, 3, 3, 0.9))
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 1, 40, size_rule=rule))
    assert code == [(10, 30, 298, 6)]
    assert (paper == code) is (rule is SizeRule.AREA)


def test_peak_on_the_outline_of_its_area_is_not_found() -> None:
    """(6): a plateau's first pixel is its outermost; what comes is the smallest square around it."""
    code, paper = both(blank(60, 70, (20, 10, 16, 16, 0.9)), SelectionOptions(ADAPTIVE, 1, 16))
    # The corner goes with the median, so the peak is (21, 10), and 8 × 8 begin 4 pixels before it.
    assert code == [(17, 6, 8, 8)]
    assert paper == [(20, 10, 16, 16)]


def test_peak_on_the_border_of_the_map_is_not_found() -> None:
    """(6): beyond the border there is no area."""
    priority = blank(60, 70, (20, 0, 16, 16, 0.8), (26, 0, 4, 2, 0.9))
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 1, 16))
    assert code[0][2:] == (8, 8)
    assert paper == [(20, 0, 16, 16)]


def test_box_of_the_threshold_before_stays() -> None:
    """(6): at 99 and 99.5 the peak is inside a wide area, too large; at 99.75 on the outline of the core.

    100,000 cells, l = 32, three rounds.
    """
    priority = blank(250, 400, (150, 80, 70, 70, 0.5), (180, 110, 20, 20, 0.9))
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 1, 32, rounds=3))
    assert code == [(150, 80, 70, 70)]
    assert paper == [(180, 110, 20, 20)]


def test_peak_beside_a_hole_is_inside_the_outline() -> None:
    """(6): the outline is the outer one. The first pixel of the peak, (29, 21), lies just below the hole."""
    area = (20, 10, 20, 20)
    priority = blank(60, 70, (*area, 0.6), (28, 18, 3, 3, 0.0), (28, 21, 3, 3, 0.9))
    assert both(priority, SelectionOptions(ADAPTIVE, 1, 16)) == ([area], [area])


def test_true_box_at_the_origin_is_replaced() -> None:
    """(6): 16 × 16 instead of 30 × 40 with l = 32."""
    priority = blank(250, 250, (0, 0, 30, 40, 0.6), (10, 10, 3, 3, 0.9))
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 1, 32))
    assert code[0][2:] == (16, 16)
    assert paper == [(0, 0, 30, 40)]


def test_small_square_stays_off_the_last_row_and_column() -> None:
    """(6): a clamp of one too many; ours reaches the corner."""
    code, paper = both(blank(60, 70, (66, 56, 4, 4, 0.9)), SelectionOptions(ADAPTIVE, 1, 16, percentiles=(99.9, 100)))
    assert code == [(70 - 8 - 1, 60 - 8 - 1, 8, 8)]
    assert paper == [(62, 52, 8, 8)]


def test_small_map_gives_negative_coordinates() -> None:
    """(6)."""
    code, paper = both(blank(6, 5, (1, 1, 3, 3, 0.9)), SelectionOptions(ADAPTIVE, 1, 16))
    assert code == [(5 - 8 - 1, 6 - 8 - 1, 8, 8)]
    assert paper == [(0, 0, 5, 6)]


def test_under_two_percent_of_non_zero_pixels_make_an_area_of_all() -> None:
    """(10): 576 of 160,000 pixels; the 99th percentile is zero, and all of the map lies above it.

    That box begins at (0, 0) and counts as not found. The median leaves (111, 110) of the peak as the first.
    """
    priority = blank(400, 400, (100, 100, 24, 24, 0.5), (110, 110, 3, 3, 0.9))
    code, paper = both(priority, SelectionOptions(ADAPTIVE, 1, 32, rounds=1))
    assert code == [(111 - 8, 110 - 8, 16, 16)]
    assert paper == [(100, 100, 24, 24)]


def test_random_gives_up() -> None:
    """D.1: fifty tries don't find one place in thousands."""
    tissue = np.zeros((200, 200), bool)
    tissue[150:154, 37:41] = True
    tissue[0, 0] = tissue[199, 199] = True
    options = SelectionOptions(RANDOM, 1, 4, min_tissue=1.0)
    code, paper = both(blank(200, 200), options, (), tissue)
    assert code == []
    assert paper == [(37, 150, 4, 4)]


def test_random_regions_lie_in_tissue_and_apart() -> None:
    tissue = np.zeros((80, 90), bool)
    tissue[20:60, 30:80] = True
    options = SelectionOptions(RANDOM, 5, 8)
    taken = ((40, 30, 20, 20),)
    boxes = [s.box for s in select_as_published(tissue * 1.0, tissue, taken, options, np.random.default_rng(2)).boxes]
    assert len(boxes) == 5
    assert not any(overlap(a, b) for a, b in combinations([*boxes, *taken], 2))
    assert all(tissue[y : y + height, x : x + width].mean() >= 0.1 for x, y, width, height in boxes)


@pytest.mark.parametrize("method", list(SelectionMethod))
@pytest.mark.parametrize("k", [0, 1])
def test_crash_with_one_region_is_not_reproduced(method: SelectionMethod, k: int) -> None:
    """(2): it came from plotting."""
    priority = blank(60, 70, (20, 10, 16, 16, 0.6), (25, 15, 4, 4, 0.9))
    found = select_as_published(priority, priority > 0, [], SelectionOptions(method, k, 8), np.random.default_rng(0))
    assert isinstance(found, PublishedSelection)
    assert len(found.boxes) == k
    assert found.reason is None


def test_what_fits_nowhere_is_said() -> None:
    """(1): there is one entry too few, so a map of the window's own size has none."""
    priority = blank(8, 8, (0, 0, 8, 8, 0.5))
    found = select_as_published(priority, priority > 0, [], SelectionOptions(STANDARD, 2, 8), np.random.default_rng(0))
    assert found.boxes == ()
    assert found.reason == "0 of 2 boxes: the published code found no more"


def test_score_is_the_mean_of_what_lies_on_the_map() -> None:
    found = select_as_published(
        np.full((6, 5), 0.5, np.float32),
        np.ones((6, 5), bool),
        [],
        SelectionOptions(ADAPTIVE, 1, 16),
        np.random.default_rng(0),
    )
    assert found.boxes[0].score == pytest.approx(0.5)
