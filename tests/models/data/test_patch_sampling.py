"""H2G-Net's tree: each stage is uniform, whatever hangs below it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable

import numpy as np
import pytest
from scipy import stats

from bridge.coords import Window
from models.data import SamplingOptions, SlideIndex, TileSpot, TreeSampler

PATCH_PX = 32
# Slide → patches per class: as unbalanced as slides are.
SLIDES = {"a": {0: 40, 1: 3}, "b": {0: 7, 1: 9}, "c": {0: 25}, "d": {0: 5, 1: 60, 2: 2}, "e": {1: 11, 2: 30}}
GRADES = {"a": "I", "b": "II", "c": "II", "d": "II", "e": "III"}
TREE = SamplingOptions(tree=("grade", "slide", "class"), replay=1.0, jitter=0.0)


def index(key: str, counts: dict[int, int]) -> SlideIndex:
    positions = {
        label: np.array([(PATCH_PX * (1 + 3 * i), PATCH_PX * (1 + 3 * label)) for i in range(count)], np.int64)
        for label, count in counts.items()
    }
    return SlideIndex(key, Window(0, 0, 10_000, 1_000), positions, {}, {}, np.zeros((0, 4)))


@pytest.fixture(scope="module")
def drawn() -> list[TileSpot]:
    sampler = TreeSampler(
        [index(key, counts) for key, counts in SLIDES.items()],
        {key: {"grade": grade} for key, grade in GRADES.items()},
        tile_px=PATCH_PX,
        options=TREE,
        seed=11,
    )
    return [spot for step in range(400) for spot in sampler.batch(step, 64)]


def is_uniform(found: Counter[Hashable], choices: int) -> bool:
    counts = [*found.values(), *[0] * (choices - len(found))]
    return len(counts) == 1 or float(stats.chisquare(counts).pvalue) > 1e-3


def test_grades_are_drawn_uniformly(drawn: list[TileSpot]) -> None:
    assert is_uniform(Counter(GRADES[spot.slide_key] for spot in drawn), 3)


def test_slides_of_a_grade_are_drawn_uniformly(drawn: list[TileSpot]) -> None:
    for grade in set(GRADES.values()):
        members = [key for key in SLIDES if GRADES[key] == grade]
        assert is_uniform(Counter(s.slide_key for s in drawn if s.slide_key in members), len(members))


def test_classes_of_a_slide_are_drawn_uniformly(drawn: list[TileSpot]) -> None:
    for key, counts in SLIDES.items():
        assert is_uniform(Counter(spot.label for spot in drawn if spot.slide_key == key), len(counts))


def test_patches_of_a_class_are_drawn_uniformly(drawn: list[TileSpot]) -> None:
    by_leaf: dict[tuple[str, int], Counter[Hashable]] = defaultdict(Counter)
    for spot in drawn:
        by_leaf[spot.slide_key, spot.label][spot.window] += 1
    for (key, label), found in by_leaf.items():
        assert is_uniform(found, SLIDES[key][label])


def test_the_tree_is_not_what_drawing_patches_alike_gives(drawn: list[TileSpot]) -> None:
    # The test has power: drawn by how many patches there are, the grades would be told apart at once.
    everything = [key for key, counts in SLIDES.items() for _ in range(sum(counts.values()))]
    alike = np.random.default_rng(0).choice(everything, len(drawn))
    assert not is_uniform(Counter(GRADES[key] for key in alike), 3)
