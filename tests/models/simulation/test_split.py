from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation import SimulatedSlide, SplitOptions, split_slides


def _slide(key: str, group: str) -> SimulatedSlide:
    cells = np.zeros((1, 1), np.uint8)
    return SimulatedSlide(key, group, np.zeros((1, 1, 1), np.float32), cells, cells, cells == 0)


GROUPS = st.lists(st.sampled_from("abc"), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(GROUPS, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.5]), st.integers(0, 3))
def test_subsets_are_disjoint_equal_and_stratified(groups: list[str], count: int, share: float, seed: int) -> None:
    slides = [_slide(f"{i:02}", group) for i, group in enumerate(groups)]
    split = split_slides(slides, SplitOptions(count, share, seed))
    keys = [key for subset in split.subsets for key in subset]
    assert sorted(keys) == sorted(slide.key for slide in slides)
    sizes = [len(subset) for subset in split.subsets]
    assert max(sizes) - min(sizes) <= 1
    assert all(set(subset) - split.validation for subset in split.subsets), "each subset has a slide that trains"
    by_key = {slide.key: slide.group for slide in slides}
    for group in set(groups):
        for validates in (False, True):
            held = [sum(by_key[k] == group and (k in split.validation) is validates for k in s) for s in split.subsets]
            assert max(held) - min(held) <= 1


@settings(max_examples=40, deadline=None)
@given(GROUPS, st.integers(0, 3))
def test_validation_is_a_share_of_all_and_nearly_of_each_group(groups: list[str], seed: int) -> None:
    slides = [_slide(f"{i:02}", group) for i, group in enumerate(groups)]
    validation = split_slides(slides, SplitOptions(seed=seed)).validation
    assert abs(len(validation) - 0.3 * len(slides)) <= 0.5
    for group in set(groups):
        keys = {slide.key for slide in slides if slide.group == group}
        assert abs(len(keys & validation) - 0.3 * len(keys)) <= 1


def test_slides_that_are_each_a_group_of_their_own_have_validation_too() -> None:
    slides = [_slide(f"{i:02}", f"{i:02}") for i in range(14)]
    assert len(split_slides(slides, SplitOptions()).validation) == 4


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_single_slide_trains(share: float) -> None:
    assert split_slides([_slide("a", "")], SplitOptions(validation_share=share)).validation == frozenset()


def test_the_split_does_not_depend_on_the_order_of_the_slides() -> None:
    slides = [_slide(f"{i}", "ab"[i % 2]) for i in range(12)]
    assert split_slides(slides, SplitOptions()) == split_slides(slides[::-1], SplitOptions())


def test_another_seed_shares_out_otherwise() -> None:
    slides = [_slide(f"{i}", "") for i in range(12)]
    assert split_slides(slides, SplitOptions(seed=1)) != split_slides(slides, SplitOptions(seed=2))


def test_the_first_subset_has_slides_of_both_kinds() -> None:
    split = split_slides([_slide(f"{i}", "") for i in range(10)], SplitOptions())
    assert len(split.validation) == 3
    assert set(split.subsets[0]) & split.validation


@pytest.mark.parametrize("wrong", [{"subsets": 0}, {"validation_share": 1.0}, {"validation_share": -0.1}])
def test_a_split_that_leaves_nothing_to_train_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a split needs"):
        SplitOptions(**wrong)  # type: ignore[arg-type]
