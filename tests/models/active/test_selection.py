"""What holds for every method, and the standard ones against brute force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import MapBox, SelectionMethod, SelectionOptions, SizeRule, select_regions
from models.active.sliding import candidate_shapes

ALL = list(SelectionMethod)
SLIDING = [SelectionMethod.STANDARD, SelectionMethod.STANDARD_NONSQUARE]


@dataclass(frozen=True)
class Case:
    priority: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.bool_]
    taken: list[tuple[int, int, int, int]]
    k: int
    size: int
    min_tissue: float

    def options(self, method: SelectionMethod, **more: Any) -> SelectionOptions:
        return SelectionOptions(method, self.k, self.size, self.min_tissue, **more)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small maps of few values, so that ties are common, and taken boxes of any size and place."""
    shape = (draw(st.integers(1, 13)), draw(st.integers(1, 13)))
    priority = draw(hnp.arrays(np.float32, shape, elements=st.integers(0, 4).map(lambda n: n / 4)))
    tissue = draw(st.one_of(st.just(np.ones(shape, np.bool_)), hnp.arrays(np.bool_, shape)))
    corner, side = st.integers(-3, 12), st.integers(1, 6)
    taken = draw(st.lists(st.tuples(corner, corner, side, side), max_size=4))
    return Case(
        priority,
        tissue,
        taken,
        draw(st.integers(0, 4)),
        draw(st.integers(1, 9)),
        draw(st.sampled_from([0, 0.1, 0.5, 1])),
    )


def brute_force(case: Case, shapes: list[tuple[int, int]]) -> list[MapBox]:
    """Try every window of every shape, again for every region."""
    rows, columns = case.tissue.shape
    important = np.where(case.tissue, case.priority, 0).astype(np.float64)
    is_taken = np.zeros(case.tissue.shape, bool)
    for x, y, width, height in case.taken:
        is_taken[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    chosen: list[MapBox] = []
    for _ in range(case.k):
        best: tuple[float, MapBox] | None = None
        for y in range(rows):
            for x in range(columns):
                for width, height in shapes:
                    window = np.s_[y : y + height, x : x + width]
                    fits = y + height <= rows and x + width <= columns and not is_taken[window].any()
                    if not fits or case.tissue[window].sum() < case.min_tissue * width * height - 1e-9:
                        continue
                    total = important[window].sum()
                    if best is None or total > best[0]:
                        best = (total, MapBox(x, y, width, height))
        if best is None or best[0] == 0:
            break
        chosen.append(best[1])
        is_taken[best[1].y : best[1].y + best[1].height, best[1].x : best[1].x + best[1].width] = True
    return chosen


@pytest.mark.parametrize("method", SLIDING)
@given(cases())
@settings(deadline=None, max_examples=80)
def test_sliding_windows_are_those_of_brute_force(method: SelectionMethod, case: Case) -> None:
    options = case.options(method)
    selection = select_regions(case.priority, case.tissue, case.taken, options, np.random.default_rng(0))
    shapes = candidate_shapes(options, case.tissue.shape)
    assert [scored.box for scored in selection.boxes] == brute_force(case, shapes)


@pytest.mark.parametrize("rule", list(SizeRule))
@pytest.mark.parametrize("method", ALL)
@given(cases(), st.integers(0, 5))
@settings(deadline=None, max_examples=80)
def test_law_of_every_selection(box_math, method: SelectionMethod, rule: SizeRule, case: Case, seed: int) -> None:  # type: ignore[no-untyped-def]
    options = case.options(method, size_rule=rule)
    selection = select_regions(case.priority, case.tissue, case.taken, options, np.random.default_rng(seed))
    again = select_regions(case.priority, case.tissue, case.taken, options, np.random.default_rng(seed))
    assert selection == again
    boxes = [scored.box for scored in selection.boxes]
    shape = case.tissue.shape
    assert all(box_math.inside(box, shape) for box in boxes)
    covered = box_math.covered(boxes, shape)
    assert covered.max(initial=0) <= 1
    assert not (covered.astype(bool) & box_math.covered(case.taken, shape).astype(bool)).any()
    for scored in selection.boxes:
        assert box_math.crop(case.tissue, scored.box).mean() >= case.min_tissue - 1e-9
        mean = box_math.crop(np.where(case.tissue, case.priority, 0), scored.box).mean()
        assert scored.score == pytest.approx(0.0 if method is SelectionMethod.RANDOM else mean, abs=1e-6)
    assert len(boxes) <= case.k
    assert (selection.reason is None) == (len(boxes) == case.k)


@pytest.mark.parametrize("rule", list(SizeRule))
@given(cases())
@settings(deadline=None, max_examples=100)
def test_adaptive_boxes_have_their_size(rule: SizeRule, case: Case) -> None:
    options = case.options(SelectionMethod.ADAPTIVE, size_rule=rule)
    selection = select_regions(case.priority, case.tissue, case.taken, options, np.random.default_rng(0))
    least = (case.size + 1) // 2
    least_width, least_height = min(least, case.tissue.shape[1]), min(least, case.tissue.shape[0])
    for scored in selection.boxes:
        width, height = scored.box[2:]
        if rule is SizeRule.SIDE:
            assert width >= least_width
            assert height >= least_height
            assert max(width, height) <= max(1.5 * case.size, 1)
        else:
            assert width * height >= min(case.size**2 / 4, least_width * least_height)
            assert width * height <= 9 * case.size**2 / 4


@pytest.mark.parametrize("method", [*SLIDING, SelectionMethod.ADAPTIVE])
@given(cases())
@settings(deadline=None, max_examples=40)
def test_only_random_looks_at_the_generator(method: SelectionMethod, case: Case) -> None:
    options = case.options(method)
    first, second = (
        select_regions(case.priority, case.tissue, case.taken, options, np.random.default_rng(seed)) for seed in (1, 2)
    )
    assert first == second


@pytest.mark.parametrize("method", [*SLIDING, SelectionMethod.ADAPTIVE])
def test_scaling_the_priority_changes_nothing(method: SelectionMethod) -> None:
    priority = np.random.default_rng(3).random((60, 70), dtype=np.float32)
    tissue = np.ones((60, 70), bool)
    options = SelectionOptions(method, 4, 9)
    first, second = (
        select_regions(priority * np.float32(factor), tissue, [], options, np.random.default_rng(0))
        for factor in (1, 2.0**-20)
    )
    assert [a.box for a in first.boxes] == [b.box for b in second.boxes]


@pytest.mark.parametrize("method", [*SLIDING, SelectionMethod.ADAPTIVE])
def test_nothing_informative_is_said(method: SelectionMethod) -> None:
    zeros = np.zeros((30, 30), dtype=np.float32)
    selection = select_regions(zeros, zeros == 0, [], SelectionOptions(method, 3, 5), np.random.default_rng(0))
    assert selection.boxes == ()
    assert selection.reason is not None
    assert selection.reason.startswith("0 of 3 boxes: ")


@pytest.mark.parametrize("method", ALL)
def test_map_that_is_all_taken(method: SelectionMethod) -> None:
    ones = np.ones((30, 30), dtype=np.float32)
    options = SelectionOptions(method, 2, 5)
    selection = select_regions(ones, ones > 0, [(-5, -5, 100, 100)], options, np.random.default_rng(0))
    assert selection.boxes == ()
    assert selection.reason is not None


@pytest.mark.parametrize("method", ALL)
def test_map_smaller_than_a_region(method: SelectionMethod) -> None:
    ones = np.ones((4, 6), dtype=np.float32)
    selection = select_regions(ones, ones > 0, [], SelectionOptions(method, 1, 50), np.random.default_rng(0))
    assert selection.boxes[0].box == (0, 0, 6, 4)
    assert selection.reason is None


@pytest.mark.parametrize("method", ALL)
def test_priority_outside_tissue_counts_nothing(method: SelectionMethod) -> None:
    priority = np.zeros((40, 40), dtype=np.float32)
    priority[5:15, 5:15] = 1.0
    priority[25:35, 25:35] = 0.5
    tissue = np.zeros((40, 40), dtype=bool)
    tissue[25:35, 25:35] = True
    options = SelectionOptions(method, 1, 10, min_tissue=0.3)
    box = select_regions(priority, tissue, [], options, np.random.default_rng(0)).boxes[0].box
    assert box.x > 15
    assert box.y > 15


def test_standard_finds_the_block_to_the_pixel() -> None:
    """The published code is off by one here, and misses windows in the far corner (facts, D.2)."""
    for x, y in [(20, 10), (0, 0), (42, 32)]:
        priority = np.zeros((40, 50), dtype=np.float32)
        priority[y : y + 8, x : x + 8] = 0.7
        selection = select_regions(
            priority, priority >= 0, [], SelectionOptions(SelectionMethod.STANDARD, 1, 8), np.random.default_rng(0)
        )
        assert selection.boxes[0].box == (x, y, 8, 8)
        assert selection.boxes[0].score == pytest.approx(0.7)


@pytest.mark.parametrize("method", SLIDING)
def test_best_region_survives_labelled_boxes_of_other_sizes(method: SelectionMethod) -> None:
    """The published code drops it (facts, D.2)."""
    priority = np.zeros((100, 100), dtype=np.float32)
    priority[40:48, 40:48] = 1.0
    priority[2:18, 2:18] = 1.0
    taken = [(0, 0, 20, 20), (20, 0, 7, 3), (18, 0, 7, 3)]
    selection = select_regions(priority, priority >= 0, taken, SelectionOptions(method, 1, 8), np.random.default_rng(0))
    assert selection.boxes[0].box == (40, 40, 8, 8)


def test_nonsquare_takes_the_shape_of_the_area() -> None:
    priority = np.zeros((60, 60), dtype=np.float32)
    priority[20:30, 10:50] = 1.0  # 40 × 10, l = 20
    options = SelectionOptions(SelectionMethod.STANDARD_NONSQUARE, 1, 20)
    selection = select_regions(priority, priority >= 0, [], options, np.random.default_rng(0))
    assert selection.boxes[0].box == (10, 20, 40, 10)


@pytest.mark.parametrize(
    ("priority", "tissue"),
    [
        (np.zeros((3, 4)), np.zeros((4, 3), bool)),
        (np.zeros((0, 3)), np.zeros((0, 3), bool)),
        (np.zeros(3), np.zeros(3, bool)),
        (np.full((3, 3), np.nan), np.ones((3, 3), bool)),
        (np.full((3, 3), np.inf), np.ones((3, 3), bool)),
        (np.full((3, 3), 1e300), np.ones((3, 3), bool)),
        (np.full((3, 3), -1.0), np.ones((3, 3), bool)),
    ],
)
def test_what_is_no_priority_map_is_refused(priority: npt.NDArray[np.float64], tissue: npt.NDArray[np.bool_]) -> None:
    with pytest.raises(ValueError, match=r"priorit"):
        select_regions(priority, tissue, [], SelectionOptions(), np.random.default_rng(0))
