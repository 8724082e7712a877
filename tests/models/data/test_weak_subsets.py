from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data import TileUse, WeakSetting, draw_subset, sort_tile, subset_sizes

# Fig. 5 of "Learning to segment images with classification labels": how many of each there were at each s.
SHARES = [0, 1, 2.5, 5, 7.5, 10, 15, 20, 25, 30, 40, 50, 75, 100]
PUBLISHED = {
    "BACH": (
        [0, 6, 15, 30, 46, 61, 92, 123, 153, 184, 246, 307, 461, 615],
        [400, 396, 390, 380, 370, 360, 340, 320, 300, 280, 240, 200, 100, 0],
    ),
    "Gleason": (
        [0, 12, 31, 63, 95, 127, 191, 254, 318, 382, 509, 637, 955, 1274],
        [1774, 1757, 1730, 1686, 1641, 1597, 1508, 1420, 1331, 1242, 1065, 887, 444, 0],
    ),
    "DigestPath": (
        [0, 16, 40, 81, 122, 163, 244, 326, 407, 489, 652, 815, 1222, 1630],
        [1764, 1747, 1720, 1676, 1632, 1588, 1500, 1412, 1323, 1235, 1059, 882, 441, 0],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_those_of_figure_5(name: str) -> None:
    masks, labels = PUBLISHED[name]
    n_masks, n_labels = masks[-1], labels[0]
    for share, of_masks, of_labels in zip(SHARES, masks, labels, strict=True):
        assert subset_sizes(n_masks, n_labels, share, WeakSetting.MASKS) == (of_masks, 0)
        assert subset_sizes(n_masks, n_labels, share, WeakSetting.MASKS_AND_REST) == (of_masks, of_labels)
        assert subset_sizes(n_masks, n_labels, share, WeakSetting.MASKS_AND_ALL) == (of_masks, n_labels)


def test_a_share_is_meant_as_written() -> None:
    # In binary 0.29 · 100 is 28.999…
    assert subset_sizes(100, 100, 29, WeakSetting.MASKS_AND_REST) == (29, 71)
    assert subset_sizes(1000, 1000, 0.7, WeakSetting.MASKS_AND_REST) == (7, 993)


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_a_share_beyond_all_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        subset_sizes(10, 10, percent, WeakSetting.MASKS)


CLASSES = [{0, 1 + index % 3} for index in range(60)]


@given(seed=st.integers(0, 99), percent=st.sampled_from(SHARES))
@settings(max_examples=40, deadline=None)
def test_all_settings_of_a_seed_have_the_same_masks(seed: int, percent: float) -> None:
    drawn = [draw_subset(CLASSES, 80, percent, setting, seed=seed) for setting in WeakSetting]
    assert len({subset.masks for subset in drawn}) == 1
    for subset, setting in zip(drawn, WeakSetting, strict=True):
        assert (len(subset.masks), len(subset.labels)) == subset_sizes(60, 80, percent, setting)
        assert len(set(subset.masks)) == len(subset.masks)
        assert set(subset.masks) <= set(range(60)) and set(subset.labels) <= set(range(80))


def test_seeds_draw_differently_and_a_larger_share_holds_the_smaller() -> None:
    first, second = (draw_subset(CLASSES, 80, 20, WeakSetting.MASKS_AND_REST, seed=seed) for seed in (0, 1))
    assert first.masks != second.masks and first.labels != second.labels
    more = draw_subset(CLASSES, 80, 40, WeakSetting.MASKS_AND_REST, seed=0)
    assert set(first.masks) < set(more.masks)
    assert set(more.labels) < set(first.labels)


def test_each_class_has_a_mask_where_that_is_wanted() -> None:
    for seed in range(10):
        none = draw_subset(CLASSES, 80, 0, WeakSetting.MASKS, seed=seed)
        least = draw_subset(CLASSES, 80, 0, WeakSetting.MASKS, seed=seed, one_per_class=True)
        assert none.masks == ()
        assert {label for index in least.masks for label in CLASSES[index]} == {0, 1, 2, 3}
        assert len(least.masks) == 3
        enough = draw_subset(CLASSES, 80, 100, WeakSetting.MASKS, seed=seed, one_per_class=True)
        assert len(enough.masks) == 60


def tile(*parts: tuple[int, int]) -> np.ndarray:
    """A tile of 100 pixels of which so many have each label."""
    return np.concatenate([np.full(count, label, np.uint8) for label, count in parts]).reshape(10, 10)


@pytest.mark.parametrize(
    ("labels", "use", "label"),
    [
        (tile((3, 100)), TileUse.LABEL, 3),
        (tile((0, 10), (3, 90)), TileUse.LABEL, 3),
        (tile((0, 11), (3, 89)), TileUse.MASK, None),
        (tile((0, 95), (1, 3), (2, 2)), TileUse.LABEL, 0),
        (tile((0, 50), (1, 49), (2, 1)), TileUse.NOTHING, None),
        (tile((0, 99), (255, 1)), TileUse.NOTHING, None),
    ],
)
def test_a_tile_is_sorted_by_its_classes(labels: np.ndarray, use: TileUse, label: int | None) -> None:
    found = sort_tile(labels)
    assert (found.use, found.label) == (use, label)
