"""A small slide with dark and pale discs, and what is labelled on it: enough to train on in a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import Point

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.slides import Slide, open_slide

WIDTH, HEIGHT = 192, 128
MPP = (0.5, 0.5)


@dataclass(frozen=True)
class Ground:
    """A slide and its truth: discs of two classes, all inside two ROIs, one of them held out."""

    path: Path
    slide: Slide
    scheme: ClassScheme
    discs: tuple[LabelledShape, ...]

    @property
    def training_box(self) -> shapely.Polygon:
        return shapely.box(0, 0, 128, HEIGHT)

    @property
    def holdout_box(self) -> shapely.Polygon:
        return shapely.box(128, 0, WIDTH, HEIGHT)

    def plan(self, *, hold_out: bool = False, emphasis: tuple[shapely.Polygon, ...] = ()) -> LabelPlan:
        boxes = (self.training_box, *([self.holdout_box] if hold_out else []))
        held = (self.holdout_box,) if hold_out else ()
        seen = shapely.union_all(boxes)
        shapes = tuple(disc for disc in self.discs if seen.contains(disc.geometry))
        return LabelPlan("one", shapes, boxes, hold_out=held, emphasis=emphasis)


def _discs() -> tuple[LabelledShape, ...]:
    generator = np.random.default_rng(7)
    discs = []
    for row in range(4):
        for column in range(6):
            x, y = column * 32 + 16, row * 32 + 16
            discs.append(LabelledShape(Point(x, y).buffer(float(generator.integers(7, 12))), 1 + (row + column) % 2))
    return tuple(discs)


def _paint(discs: tuple[LabelledShape, ...]) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    pixels = np.empty((HEIGHT, WIDTH, 3), np.float64)
    pixels[:] = (230, 190, 215)
    for disc in discs:
        inside = shapely.contains_xy(disc.geometry, columns, rows)
        pixels[inside] = (70, 40, 120) if disc.label == 1 else (150, 120, 235)
    noise = np.random.default_rng(3).normal(0, 6, pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    path = tmp_path_factory.mktemp("slides") / "discs.png"
    discs = _discs()
    Image.fromarray(_paint(discs)).save(path)
    with open_slide(path, mpp=MPP) as slide:
        yield Ground(path, slide, ClassScheme({"Dark": (255, 0, 0), "Pale": (0, 0, 255)}), discs)
