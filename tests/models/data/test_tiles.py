from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Part
from bridge.coords import Window
from bridge.errors import MissingResolutionError
from bridge.raster import PlanRaster
from bridge.slides import open_slide
from models.data import TileDataset, TrainingSlide


@pytest.fixture(scope="module")
def dataset(ground: Any) -> TileDataset:
    return TileDataset([TrainingSlide(ground.slide, ground.plan())], ground.scheme, 0.5)


@given(x=st.integers(-300, 300), y=st.integers(-300, 300), width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_tile_is_what_slide_and_plan_show(
    dataset: TileDataset, ground: Any, x: int, y: int, width: int, height: int
) -> None:
    window = Window(x, y, width, height)
    tile = dataset.read("one", window)
    assert np.array_equal(tile.pixels, ground.slide.read_window(window))
    labels = PlanRaster(ground.plan(), ground.scheme, 1.0, Part.TRAINING).burn(window).labels
    assert np.array_equal(tile.labels, labels)


def test_beyond_the_slide_is_white_and_ignored(dataset: TileDataset) -> None:
    tile = dataset.read("one", Window(180, 120, 64, 64))
    assert (tile.pixels[8:] == 255).all()
    assert (tile.labels[8:] == 255).all()


def test_coarser_working_mpp_shows_more_of_the_slide(ground: Any) -> None:
    dataset = TileDataset([TrainingSlide(ground.slide, ground.plan())], ground.scheme, 1.0)
    assert dataset.extent("one") == Window(0, 0, 96, 64, 2.0)
    tile = dataset.read("one", Window(0, 0, 96, 64, 2.0))
    assert set(np.unique(tile.labels)) == {0, 1, 2, 255}


def test_slides_are_read_once_while_memory_allows(ground: Any) -> None:
    reads = []

    class Counting:
        pyramid, path = ground.slide.pyramid, ground.slide.path

        def read_window(self, window: Window) -> np.ndarray:
            reads.append(window)
            return np.asarray(ground.slide.read_window(window))

    dataset = TileDataset([TrainingSlide(Counting(), ground.plan())], ground.scheme, 0.5)  # type: ignore[arg-type]
    for x in range(0, 64, 16):
        dataset.read("one", Window(x, 0, 64, 64))
    assert len(reads) == 1


def test_slide_without_mpp_is_refused(ground: Any) -> None:
    with open_slide(ground.path) as slide, pytest.raises(MissingResolutionError, match="has no mpp"):
        TileDataset([TrainingSlide(slide, ground.plan())], ground.scheme, 0.5)
