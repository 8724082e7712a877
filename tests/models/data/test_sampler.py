from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from models.data import SamplingOptions, SlideIndex, TreeSampler

EXTENT = Window(0, 0, 1000, 800)


def index(
    key: str, positions: dict[int, np.ndarray], *, areas: list[tuple[float, ...]] | None = None, fresh: bool = False
) -> SlideIndex:
    found = np.array(areas or [(0, 0, 1000, 800)], np.float64)
    return SlideIndex(key, EXTENT, positions, {}, positions if fresh else {}, found)


def points(count: int, x: int = 500, y: int = 400) -> np.ndarray:
    return np.full((count, 2), (x, y), np.int64)


def slides_drawn(sampler: TreeSampler, batches: int = 100) -> Counter[str]:
    return Counter(spot.slide_key for step in range(batches) for spot in sampler.batch(step, 8))


def test_small_slides_are_seen_as_often_as_large_ones() -> None:
    sampler = TreeSampler([index("small", {0: points(1)}), index("large", {0: points(999)})], {}, tile_px=64)
    drawn = slides_drawn(sampler)
    assert drawn["small"] == pytest.approx(400, abs=60)


def test_without_a_slide_stage_positions_decide() -> None:
    options = SamplingOptions(tree=("class",))
    sampler = TreeSampler(
        [index("small", {0: points(1)}), index("large", {0: points(99)})], {}, tile_px=64, options=options
    )
    assert slides_drawn(sampler)["small"] < 40


def test_rare_classes_are_seen_as_often_as_common_ones() -> None:
    rare, common = points(1, 100, 100), points(999, 900, 700)
    sampler = TreeSampler([index("one", {0: common, 1: rare})], {}, tile_px=64)
    near_rare = sum(spot.window.x < 300 for step in range(100) for spot in sampler.batch(step, 8))
    assert near_rare == pytest.approx(400, abs=60)


def test_groups_by_metadata_are_drawn_evenly() -> None:
    names = ["a", "b", "c", "d"]
    metadata = {name: {"grade": "high" if name == "a" else "low"} for name in names}
    sampler = TreeSampler(
        [index(name, {0: points(5)}) for name in names],
        metadata,
        tile_px=64,
        options=SamplingOptions(tree=("grade", "slide", "class")),
    )
    assert slides_drawn(sampler)["a"] == pytest.approx(400, abs=60)


def test_half_of_a_batch_is_new() -> None:
    old, new = index("old", {0: points(9)}), index("new", {0: points(9)}, fresh=True)
    sampler = TreeSampler([old, new], {}, tile_px=64, options=SamplingOptions(replay=0.5))
    for step in range(20):
        assert [spot.slide_key for spot in sampler.batch(step, 8)][4:] == ["new"] * 4
    assert slides_drawn(sampler)["old"] == pytest.approx(200, abs=50)


def test_a_batch_depends_on_seed_and_step_only() -> None:
    generator = np.random.default_rng(0)
    positions = {0: generator.integers(0, 800, (50, 2)), 1: generator.integers(0, 800, (50, 2))}
    first, second = (TreeSampler([index("one", positions)], {}, tile_px=64, seed=4) for _ in range(2))
    first.batch(0, 8)
    assert first.batch(7, 8) == second.batch(7, 8)
    assert first.batch(7, 8) != first.batch(8, 8)
    assert TreeSampler([index("one", positions)], {}, tile_px=64, seed=5).batch(7, 8) != first.batch(7, 8)


@given(
    x=st.integers(0, 999),
    y=st.integers(0, 799),
    left=st.integers(0, 300),
    top=st.integers(0, 300),
    side=st.integers(1, 400),
    tile_px=st.sampled_from([32, 64, 128, 2048]),
)
@settings(max_examples=80, deadline=None)
def test_tiles_hold_their_position_and_make_the_most_of_the_area(
    x: int, y: int, left: int, top: int, side: int, tile_px: int
) -> None:
    area = (min(left, x), min(top, y), max(left + side, x + 1), max(top + side, y + 1))
    sampler = TreeSampler([index("one", {1: points(1, x, y)}, areas=[area])], {}, tile_px=tile_px)
    for spot in sampler.batch(0, 4):
        window = spot.window
        assert window.shape == (tile_px, tile_px)
        assert window.x <= x < window.right
        assert window.y <= y < window.bottom
        right, bottom = min(area[2], 1000), min(area[3], 800)
        covered = min(window.right, right) - max(window.x, area[0])
        assert covered == min(tile_px, right - area[0])
        assert min(window.bottom, bottom) - max(window.y, area[1]) == min(tile_px, bottom - area[1])


def test_nothing_labelled_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing is labelled"):
        TreeSampler([index("one", {})], {}, tile_px=64)
