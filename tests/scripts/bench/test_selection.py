"""The plain implementations do what ours do, where nothing overlaps."""

from __future__ import annotations

import numpy as np
import pytest

from models.active import MapBox, SelectionMethod, SelectionOptions, select_regions
from scripts.bench.selection import overlapping, plain_adaptive, plain_sliding


@pytest.mark.parametrize("method", [SelectionMethod.STANDARD, SelectionMethod.STANDARD_NONSQUARE])
def test_plain_windows_are_ours(method: SelectionMethod) -> None:
    generator = np.random.default_rng(0)
    priority, tissue = generator.random((60, 70), dtype=np.float32), np.ones((60, 70), np.bool_)
    tissue[:20, :30] = False
    options = SelectionOptions(method, 4, 10, shape_step=2)
    ours = select_regions(priority, tissue, [], options, generator)
    assert plain_sliding(priority * tissue, tissue, options) == [scored.box for scored in ours.boxes]


def test_plain_areas_are_ours() -> None:
    """Areas in range and apart: no fallback, on which the paper's text says nothing."""
    priority, tissue = np.zeros((300, 300), np.float32), np.ones((300, 300), np.bool_)
    for x, y, width, height, value in [(20, 30, 24, 20, 0.9), (200, 40, 20, 30, 0.8), (100, 200, 40, 20, 0.7)]:
        priority[y : y + height, x : x + width] = value
    options = SelectionOptions(SelectionMethod.ADAPTIVE, 3, 24)
    ours = select_regions(priority, tissue, [], options, np.random.default_rng(0))
    assert plain_adaptive(priority, tissue, options) == [scored.box for scored in ours.boxes]


def test_overlapping_pairs_are_counted() -> None:
    touching = [MapBox(0, 0, 4, 4), MapBox(4, 0, 4, 4), MapBox(3, 3, 2, 2)]
    assert overlapping(touching) == 2
