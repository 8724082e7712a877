"""Random regions against every place there is."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from models.active import MapBox, SelectionMethod, SelectionOptions, select_regions

Mask = npt.NDArray[np.bool_]
Boxes = list[tuple[int, int, int, int]]


def options(k: int, size: int, min_tissue: float) -> SelectionOptions:
    return SelectionOptions(SelectionMethod.RANDOM, k, size, min_tissue)


def places(tissue: Mask, taken: Boxes, wanted: SelectionOptions) -> set[MapBox]:
    """Return every place of a region, tried one by one."""
    rows, columns = tissue.shape
    width, height = min(wanted.size, columns), min(wanted.size, rows)
    is_taken = np.zeros(tissue.shape, bool)
    for x, y, taken_width, taken_height in taken:
        is_taken[max(y, 0) : max(y + taken_height, 0), max(x, 0) : max(x + taken_width, 0)] = True
    found = set()
    for y, x in product(range(rows - height + 1), range(columns - width + 1)):
        window = np.s_[y : y + height, x : x + width]
        if not is_taken[window].any() and tissue[window].mean() >= wanted.min_tissue - 1e-9:
            found.add(MapBox(x, y, width, height))
    return found


def draw(tissue: Mask, taken: Boxes, wanted: SelectionOptions, generator: np.random.Generator) -> tuple[MapBox, ...]:
    priority = np.zeros(tissue.shape, np.float32)
    return tuple(scored.box for scored in select_regions(priority, tissue, taken, wanted, generator).boxes)


masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6))
boxes = st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5), st.integers(1, 3), st.integers(1, 3)), max_size=2)


@given(masks, boxes, st.integers(1, 7), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
@settings(deadline=None, max_examples=25)
def test_places_drawn_are_those_of_brute_force(tissue: Mask, taken: Boxes, size: int, min_tissue: float) -> None:
    wanted = options(1, size, min_tissue)
    expected = places(tissue, taken, wanted)
    generator = np.random.default_rng(0)  # 30 draws a place: one is missed once in 10¹³
    drawn = {box for _ in range(30 * len(expected) + 1) for box in draw(tissue, taken, wanted, generator)}
    assert drawn == expected


@given(masks, boxes, st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
@settings(deadline=None, max_examples=50)
def test_fewer_come_only_where_none_fits_any_more(tissue: Mask, taken: Boxes, k: int, size: int, seed: int) -> None:
    wanted = options(k, size, 0.5)
    found = draw(tissue, taken, wanted, np.random.default_rng(seed))
    assert len(found) == k or not places(tissue, [*taken, *found], wanted)


@pytest.mark.parametrize("seed", range(3))
def test_first_place_is_uniform(seed: int) -> None:
    tissue = np.zeros((6, 7), dtype=bool)
    tissue[:, 2:] = True
    wanted, taken = options(1, 3, 0.5), [(5, 0, 1, 2)]
    expected = places(tissue, taken, wanted)
    generator = np.random.default_rng(seed)
    counts = Counter(draw(tissue, taken, wanted, generator)[0] for _ in range(200 * len(expected)))
    assert set(counts) == expected
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_second_place_is_uniform_over_what_the_first_leaves() -> None:
    tissue = np.ones((4, 4), dtype=bool)
    wanted = options(2, 2, 1.0)
    firsts = places(tissue, [], wanted)
    pairs = {
        (a, b): 1 / (len(firsts) * len(left)) for a in firsts for left in [places(tissue, [a], wanted)] for b in left
    }
    generator, draws = np.random.default_rng(0), 6000
    counts = Counter(draw(tissue, [], wanted, generator) for _ in range(draws))
    unfinished = sum(count for found, count in counts.items() if len(found) < 2)  # the middle leaves no room
    assert unfinished == pytest.approx(draws / len(firsts), rel=0.15)
    seen = [counts[pair] for pair in pairs]
    chances = np.array(list(pairs.values()))
    assert sum(seen) + unfinished == draws
    assert stats.chisquare(seen, chances / chances.sum() * sum(seen)).pvalue > 0.001


def test_the_only_place_is_found() -> None:
    """Twenty-five tries would mostly miss it; a count of places does not."""
    tissue = np.zeros((200, 200), dtype=bool)
    tissue[150:154, 37:41] = True
    selection = select_regions(tissue * 1.0, tissue, [], options(2, 4, 1.0), np.random.default_rng(0))
    assert [scored.box for scored in selection.boxes] == [(37, 150, 4, 4)]
    assert selection.reason == "1 of 2 boxes: no place is left for a box with 100% tissue"


@pytest.mark.parametrize(("share", "is_enough"), [(25, False), (26, True)])
def test_a_tenth_of_tissue_is_enough_and_less_is_not(share: int, is_enough: bool) -> None:
    """16 × 16 cells: 25.6 of them are a tenth."""
    tissue = np.zeros((16, 16), dtype=bool)
    tissue.reshape(-1)[:share] = True
    found = draw(tissue, [], options(1, 16, 0.10), np.random.default_rng(0))
    assert bool(found) is is_enough
