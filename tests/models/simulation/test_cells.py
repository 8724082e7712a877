from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.active import MapBox
from models.simulation import SimulatedSlide
from models.simulation.cells import cells_of

LABELS = np.array([[0, 0, 0, 1], [0, 0, 255, 1]], np.uint8)


def _slide(key: str, first: float = 0.0) -> SimulatedSlide:
    features = first + np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    tissue = np.array([[0, 1, 1, 1], [1, 1, 1, 1]], bool)
    return SimulatedSlide(key, "", features, LABELS, np.where(LABELS == 255, 0, LABELS), tissue)


SLIDES = {"a": _slide("a"), "b": _slide("b", 100)}
ALL, NONE = np.ones((2, 4), np.uint8), np.zeros((2, 4), np.uint8)


def test_only_revealed_cells_with_tissue_and_a_label_are_learned_from() -> None:
    half = NONE.copy()
    half[:, :3] = 1
    cells = cells_of(SLIDES, {"a": half, "b": NONE}, {}, 0.5)
    assert cells.features.ravel().tolist() == [1, 2, 4, 5]
    assert cells.labels.tolist() == [0, 0, 0, 0]


def test_slides_come_alike_and_so_do_the_classes_of_a_slide() -> None:
    few = NONE.copy()
    few[0, 1] = 1
    cells = cells_of(SLIDES, {"a": ALL, "b": few}, {}, 0.5)
    is_first = cells.features.ravel() < 100
    assert cells.chances.sum() == pytest.approx(1)
    assert cells.chances[is_first].sum() == pytest.approx(0.5)
    assert cells.chances[is_first & (cells.labels == 1)].sum() == pytest.approx(0.25)


def test_a_cell_in_two_boxes_is_drawn_twice_as_often() -> None:
    times = ALL.copy()
    times[0, 1] = 2
    cells = cells_of(SLIDES, {"a": times}, {}, 0.5)
    by_feature = dict(zip(cells.features.ravel().tolist(), cells.chances.tolist(), strict=True))
    assert by_feature[1.0] == pytest.approx(2 * by_feature[2.0])


def test_a_patch_label_gives_its_class_to_cells_with_tissue_and_less_weight() -> None:
    drawn = NONE.copy()
    drawn[1, 0] = 1
    cells = cells_of(SLIDES, {"a": NONE, "b": drawn}, {"a": [(MapBox(0, 0, 4, 1), 1)]}, 0.5)
    assert cells.features.ravel().tolist() == [1, 2, 3, 104]
    assert cells.labels.tolist() == [1, 1, 1, 0]
    assert cells.chances[-1] == pytest.approx(1 / 1.5)


def test_a_patch_label_says_nothing_of_cells_that_are_to_be_ignored() -> None:
    ignored = replace(SLIDES["a"], labels=np.where(ALL, 255, LABELS), truth=np.where(LABELS == 1, LABELS, 255))
    cells = cells_of({"a": ignored}, {}, {"a": [(MapBox(0, 0, 4, 2), 1)]}, 0.5)
    assert cells.features.ravel().tolist() == [3, 7]


def test_what_is_drawn_wins_over_a_patch_label() -> None:
    cells = cells_of(SLIDES, {"a": ALL}, {"a": [(MapBox(0, 0, 4, 2), 1)]}, 0.5)
    labels = dict(zip(cells.features.ravel().tolist(), cells.labels.tolist(), strict=True))
    assert labels == {1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 1, 7: 1}  # 6 has no label of its own


def test_nothing_revealed_gives_no_cells() -> None:
    assert cells_of(SLIDES, {"a": NONE}, {}, 0.5).count == 0
    assert cells_of(SLIDES, {}, {}, 0.5).count == 0


def test_too_many_cells_are_thinned_by_their_chances() -> None:
    cells = cells_of(SLIDES, {"a": ALL, "b": ALL}, {}, 0.5)
    chance: Callable[[], np.random.Generator] = lambda: np.random.default_rng(1)  # noqa: E731
    thinned = cells.at_most(10, chance())
    assert thinned.count == 10
    assert thinned.chances.sum() == pytest.approx(1)
    assert cells.at_most(cells.count, chance()) is cells
