from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import LabelPlan
from bridge.coords import Window
from bridge.raster import ProbabilityMap
from models.data import Augmentation, AugmentationOptions, GuidedSlide, HeatMap, TileDataset, TrainingSlide
from models.data.guided import interpolate

SIDE = 16.0  # level-0 pixels per pixel of the heat map; the slide has 192 × 128


def heat_on_discs(ground: Any) -> HeatMap:
    """Hot, by its share, wherever a patch holds something of a disc of the first class."""
    import shapely

    window = Window(0, 0, 12, 8, SIDE)
    discs = shapely.union_all([disc.geometry for disc in ground.discs if disc.label == 1])
    shares = [
        shapely.box(c * SIDE, r * SIDE, (c + 1) * SIDE, (r + 1) * SIDE).intersection(discs).area / SIDE**2
        for r in range(8)
        for c in range(12)
    ]
    return HeatMap(np.array(np.array(shares).reshape(8, 12) * 255, np.uint8), window)


@pytest.fixture(scope="module")
def guided(ground: Any) -> GuidedSlide:
    return GuidedSlide(ground.slide, heat_on_discs(ground))


@given(x=st.integers(-80, 200), y=st.integers(-80, 150), width=st.integers(1, 150), height=st.integers(1, 150))
@settings(max_examples=40, deadline=None)
def test_any_window_is_a_crop_of_the_whole(guided: GuidedSlide, x: int, y: int, width: int, height: int) -> None:
    whole = guided.read_window(Window(-80, -80, 500, 500))
    part = guided.read_window(Window(x, y, width, height))
    assert np.array_equal(part, whole[y + 80 : y + 80 + height, x + 80 : x + 80 + width])


@given(x=st.integers(-60, 150), y=st.integers(-60, 100), side=st.integers(8, 120))
@settings(max_examples=25, deadline=None)
def test_tiles_of_the_dataset_are_what_the_slide_shows_and_white_and_cold_beyond(
    guided: GuidedSlide, ground: Any, x: int, y: int, side: int
) -> None:
    dataset = TileDataset([TrainingSlide(guided, ground.plan())], ground.scheme, 0.5)
    tile = dataset.read("one", Window(x, y, side, side))
    assert np.array_equal(tile.pixels, guided.read_window(tile.window))
    columns, rows = np.meshgrid(np.arange(x, x + side), np.arange(y, y + side))
    beyond = (columns < 0) | (columns >= 192) | (rows < 0) | (rows >= 128)
    assert (tile.pixels[beyond] == (255, 255, 255, 0)).all()


@pytest.mark.parametrize("mpp", [0.5, 1.0, 1.7])
def test_heat_lies_where_the_labelled_objects_lie_at_every_resolution(
    guided: GuidedSlide, ground: Any, mpp: float
) -> None:
    plan = LabelPlan("one", ground.discs, (ground.training_box,))
    dataset = TileDataset([TrainingSlide(guided, plan)], ground.scheme, mpp)
    extent = dataset.extent("one")
    for x in range(0, extent.width // 2, 23):
        tile = dataset.read("one", Window(x, 3, 48, 48, extent.downsample))
        heat = tile.pixels[..., 3].astype(float)
        assert heat[tile.labels == 1].mean() > 2 * heat[tile.labels == 2].mean()
        assert heat[tile.labels == 1].mean() > 1.5 * heat[tile.labels == 0].mean()


def test_between_the_centres_heat_is_bilinear_and_at_them_exact() -> None:
    heat = HeatMap(np.array([[0, 200], [100, 40]], np.uint8), Window(0, 0, 2, 2, 10.0))
    fine = heat.over(Window(0, 0, 20, 20))
    assert np.array_equal(heat.over(Window(0, 0, 2, 2, 10.0)), heat.values)
    assert fine[:5, :5].max() == 0
    assert (fine[15:, 15:] == 40).all()
    torch_says = torch.nn.functional.interpolate(
        torch.tensor([[[[0.0, 200.0], [100.0, 40.0]]]]), (20, 20), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    assert np.abs(fine - torch_says).max() <= 0.5


@given(seed=st.integers(0, 99), x=st.integers(-9, 9), y=st.integers(-9, 9), downsample=st.floats(1, 9))
@settings(max_examples=30, deadline=None)
def test_interpolated_probabilities_still_sum_to_one(seed: int, x: int, y: int, downsample: float) -> None:
    planes = np.random.default_rng(seed).dirichlet((1, 1, 1), (5, 7)).transpose(2, 0, 1).astype(np.float32)
    result = interpolate(planes, Window(0, 0, 7, 5, 4.0), Window(x, y, 11, 13, downsample))
    assert result.shape == (3, 13, 11)
    assert np.allclose(result.sum(axis=0), 1, atol=1e-5)


def test_heat_is_all_but_the_background() -> None:
    rows = [np.array([[[0.2, 1.0]], [[0.5, 0.0]], [[0.3, 0.0]]], np.float32), np.ones((3, 1, 2), np.float32) / 3]
    bands = [ProbabilityMap(r, Window(0, i, 2, 1, 8.0), ("Background", "A", "B")) for i, r in enumerate(rows)]
    heat = HeatMap.from_bands(bands)
    assert heat.window == Window(0, 0, 2, 2, 8.0)
    assert heat.values.tolist() == [[204, 0], [170, 170]]


def test_heat_that_does_not_fill_its_window_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8 of shape"):
        HeatMap(np.zeros((2, 3), np.uint8), Window(0, 0, 2, 2, 8.0))


def test_augmentation_moves_heat_with_the_pixels_and_never_colours_it(guided: GuidedSlide) -> None:
    pixels = np.stack([guided.read_window(Window(x, 0, 64, 64)) for x in (0, 40, 80)])
    pixels[..., 3] = pixels[..., 0]  # so that heat shows where the red went
    labels = np.zeros(pixels.shape[:3], np.uint8)
    still = AugmentationOptions(hue_radians=0.0, saturation=0.0, brightness=0.0, lightness=0.0)
    moved, _ = Augmentation(still)(pixels, labels, np.random.default_rng(0))
    assert torch.allclose(moved[:, 3], moved[:, 0], atol=0.1)
    coloured, _ = Augmentation()(pixels, labels, np.random.default_rng(0))
    assert torch.equal(coloured[:, 3], moved[:, 3])
    assert not torch.allclose(coloured[:, 0], moved[:, 0], atol=5)
