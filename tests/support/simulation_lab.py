"""Small collections of slides to simulate on, made of numbers: no picture is read, no encoder runs.

Imported by tests as ``simulation_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from models.active import SelectionMethod
from models.metrics.cost import PriceOptions
from models.simulation import CycleStep, FrozenHead, HeadOptions, SimulatedSlide
from scripts.simulation import Arm, Curve, SlideSet

CLASSES = ("Background", "Tumor")
PRICES = PriceOptions(unit_um=64.0)


def number_slide(number: int, side: int = 24) -> SimulatedSlide:
    """Return a slide with one rectangle of tumour, which three of eight features show through noise."""
    random = np.random.default_rng(number)
    labels = np.zeros((side, side), np.uint8)
    x, y = (int(v) for v in random.integers(2, side - 9, 2))
    labels[y : y + 6, x : x + 7] = 1
    features = random.normal(size=(side, side, 8)).astype(np.float32)
    features[labels == 1, :3] += 1.5
    tissue = np.ones((side, side), dtype=np.bool_)
    tissue[:, 0] = False
    tumour = ((1, shapely.box(x, y, x + 7, y + 6)),)
    return SimulatedSlide(f"n{number}", "", features, labels, labels.repeat(2, 0).repeat(2, 1), tissue, tumour)


@dataclass(frozen=True)
class NumberMaterial:
    """Some number slides; as ``scripts.simulation.Material``."""

    train: int = 4
    test: int = 2
    name: str = "numbers"
    prices: PriceOptions = PRICES

    @property
    def key(self) -> str:
        return f"numbers-{self.train}-{self.test}"

    def open(self) -> SlideSet:
        slides = [number_slide(number) for number in range(self.train + self.test)]
        learner = FrozenHead(slides, len(CLASSES), HeadOptions(hidden=8, steps=20, batch_size=16))
        return SlideSet(tuple(slides[: self.train]), tuple(slides[self.train :]), learner, CLASSES)


def curve(
    points: Sequence[tuple[float, float]],
    method: SelectionMethod = SelectionMethod.ADAPTIVE,
    *,
    size: int = 8,
    k: int = 1,
    seed: int = 0,
) -> Curve:
    """Return a run by its (annotated share, mIoU); clicks are a hundred, seconds sixty per hundredth of tissue."""
    steps = (
        CycleStep(cycle, share, {"Tumor": miou}, miou, round(10_000 * share), 6000 * share, cycle + 1)
        for cycle, (share, miou) in enumerate(points)
    )
    return Curve(Arm(method, size, k), seed, tuple(steps))
