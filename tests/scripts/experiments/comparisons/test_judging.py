from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import open_slide
from models.data import TrainingSlide
from scripts.experiments.comparisons.judging import confusion_on, found_mask, judging_window, otsu_mask

NAMES = ("Background", "Tumor")


def of_tumour(tumour: np.ndarray, window: Window) -> ProbabilityMap:
    values = tumour.astype(np.float32)
    return ProbabilityMap(np.stack([1 - values, values]), window, NAMES)


@settings(max_examples=25, deadline=None)
@given(arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=16)), st.integers(0, 3), st.integers(0, 3))
def test_map_on_the_same_grid_is_its_threshold(values: np.ndarray, x: int, y: int) -> None:
    window = Window(x, y, 7, 5, 2.0)

    assert np.array_equal(found_mask([of_tumour(values, window)], window), values > 0.5)


def test_heat_map_shows_its_squares_and_bands_join() -> None:
    upper = of_tumour(np.array([[1, 0]]), Window(0, 0, 2, 1, 4.0))
    lower = of_tumour(np.array([[0, 1]]), Window(0, 1, 2, 1, 4.0))

    found = found_mask([upper, lower], Window(0, 0, 5, 4, 2.0))

    assert found.tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]]


def test_even_odds_are_not_found_and_classes_count_together() -> None:
    window = Window(0, 0, 2, 1)
    planes = np.array([[[0.5, 0.4]], [[0.5, 0.3]], [[0.0, 0.3]]], dtype=np.float32)

    assert found_mask([ProbabilityMap(planes, window, (*NAMES, "In situ"))], window).tolist() == [[0, 1]]


@pytest.fixture
def pink_half(tmp_path: Path) -> Path:
    pixels = np.full((40, 60, 3), 245, np.uint8)
    pixels[:, 30:] = (200, 90, 160)
    Image.fromarray(pixels).save(tmp_path / "half.png")
    return tmp_path / "half.png"


def test_otsu_finds_what_is_coloured(pink_half: Path) -> None:
    with open_slide(pink_half, mpp=(1.0, 1.0)) as slide:
        found = otsu_mask(slide, judging_window(slide))

    assert found[:, 30:].all()
    assert not found[:, :30].any()


def test_judging_grid_has_no_more_pixels_than_asked_for(pink_half: Path) -> None:
    with open_slide(pink_half, mpp=(1.0, 1.0)) as slide:
        assert judging_window(slide) == Window(0, 0, 60, 40, 1.0)
        assert judging_window(slide, 20).shape == (14, 20)


def test_pixels_that_nobody_labelled_do_not_count(pink_half: Path) -> None:
    scheme = ClassScheme({"Tumor": (200, 0, 0), "In situ": (0, 0, 200)})
    shapes = (LabelledShape(shapely.box(0, 0, 10, 40), 1), LabelledShape(shapely.box(10, 0, 20, 40), 2))
    plan = LabelPlan("half", shapes, complete=(shapely.box(0, 0, 40, 40),))
    with open_slide(pink_half, mpp=(1.0, 1.0)) as slide:
        window = judging_window(slide)
        found = np.zeros(window.shape, np.uint8)
        found[:, 10:50] = 1
        confusion = confusion_on(TrainingSlide(slide, plan), scheme, found, window)

    assert confusion.counts.tolist() == [[0, 800], [400, 400]]
