"""Toy slides: cells whose features say their class, more or less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bridge.coords import Window
from bridge.raster import LabelMask, vectorize
from models.simulation import FrozenHead, HeadOptions, SimulatedSlide

CLASSES = ("Background", "Tumor")
QUICK = HeadOptions(hidden=16, steps=60, batch_size=64, dropout=0.1, learning_rate=2e-2)

MakeSlide = Callable[..., SimulatedSlide]


def toy_slide(
    key: str, seed: int, *, side: int = 24, lesions: int = 2, group: str = "", noise: float = 1.0, parts: int = 2
) -> SimulatedSlide:
    """Return a round piece of tissue with round lesions; features 0 and 1 tell them, four others are noise."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] + 0.5
    labels = np.zeros((side, side), np.uint8)
    for _ in range(lesions):
        y, x, radius = *generator.uniform(side * 0.25, side * 0.75, 2), generator.uniform(1.5, 3)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    tissue = (rows - side / 2) ** 2 + (columns - side / 2) ** 2 < (side * 0.47) ** 2
    features = generator.normal(0, noise, (side, side, 6)).astype(np.float32)
    features[..., 0] += 3 * (labels == 1)
    features[..., 1] += columns / side
    outlines = vectorize(LabelMask(labels, Window(0, 0, side, side), CLASSES))
    truth = labels.repeat(parts, axis=0).repeat(parts, axis=1)
    return SimulatedSlide(key, group, features, labels, truth, tissue, tuple(outlines))


@pytest.fixture(scope="session")
def make_slide() -> MakeSlide:
    return toy_slide


@pytest.fixture(scope="session")
def train() -> list[SimulatedSlide]:
    return [toy_slide(f"train {i}", i, group="ab"[i % 2]) for i in range(10)]


@pytest.fixture(scope="session")
def test_slides() -> list[SimulatedSlide]:
    return [toy_slide(f"test {i}", 100 + i) for i in range(4)]


@pytest.fixture(scope="session")
def head(train: list[SimulatedSlide], test_slides: list[SimulatedSlide]) -> FrozenHead:
    return FrozenHead([*train, *test_slides], len(CLASSES), QUICK)
