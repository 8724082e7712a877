from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shapely import Polygon

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Window
from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
from models.data import (
    CentredOptions,
    SamplingOptions,
    SplitRule,
    TrainingSlide,
    TreeSampler,
    index_centres,
    tiles_on,
)

EXTENT = Window(0, 0, 400, 300)
SCHEME = ClassScheme({"A": (1, 0, 0), "B": (0, 1, 0), "C": (0, 0, 1)})


def windows(component: Polygon, tile_px: int, **how: Any) -> list[Window]:
    return [tile.window for tile in tiles_on(component, 1, 1.0, EXTENT, tile_px=tile_px, **how)]


@given(x=st.integers(0, 399), y=st.integers(0, 299), width=st.integers(1, 64), height=st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_a_component_that_fits_lies_in_the_middle_of_one_tile(x: int, y: int, width: int, height: int) -> None:
    right, bottom = min(400, x + width), min(300, y + height)
    (window,) = windows(shapely.box(x, y, right, bottom), 64)
    assert window.x <= x and right <= window.right and window.y <= y and bottom <= window.bottom
    assert window.x >= 0 and window.right <= 400 and window.y >= 0 and window.bottom <= 300
    if window.x > 0 and window.right < 400:
        assert abs((window.x + window.right) / 2 - (x + right) / 2) <= 0.5


@pytest.mark.parametrize(("width", "height"), [(65, 10), (10, 65), (64, 128), (100, 100), (192, 64)])
def test_a_larger_one_gets_as_many_tiles_as_the_paper_says(width: int, height: int) -> None:
    found = windows(shapely.box(50, 50, 50 + width, 50 + height), 64)
    assert len(found) == math.ceil(1 + width * height / 64**2)
    # Each side of the region is looked at: what k-means splits is the region, not its middle.
    covered = shapely.union_all([shapely.box(w.x, w.y, w.right, w.bottom) for w in found])
    assert covered.intersection(shapely.box(50, 50, 50 + width, 50 + height)).area > 0.8 * width * height


def test_the_area_that_counts_is_the_component_s_own() -> None:
    frame = shapely.box(50, 50, 250, 250).difference(shapely.box(60, 60, 240, 240))
    assert len(windows(frame, 64)) == math.ceil(1 + (200**2 - 180**2) / 64**2) == 3
    by_box = CentredOptions(split=SplitRule.BOUNDING_BOX)
    assert len(windows(frame, 64, options=by_box)) == math.ceil(1 + 200**2 / 64**2) == 11


def test_a_seed_gives_the_same_tiles() -> None:
    region = shapely.Point(200, 150).buffer(120)
    assert windows(region, 48, seed=1) == windows(region, 48, seed=1)


def test_a_long_snake_of_one_pixel_is_still_found() -> None:
    found = windows(shapely.box(5, 9, 395, 10), 64)
    assert len(found) == 2
    assert all(window.y <= 9 < window.bottom for window in found)


def test_a_slide_smaller_than_a_tile_is_taken_from_its_corner() -> None:
    extent = Window(0, 0, 20, 300)
    (tile,) = tiles_on(shapely.box(5, 290, 12, 298), 1, 1.0, extent, tile_px=64)
    assert (tile.window.x, tile.window.bottom) == (0, 300)


@pytest.fixture(scope="module")
def plain_slide(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path: Path = tmp_path_factory.mktemp("slides") / "plain.png"
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[:, :200] = (180, 90, 160)  # the left half is tissue
    Image.fromarray(pixels).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as slide:
        yield slide


def shapes(*boxes: tuple[int, int, int, int, int]) -> tuple[LabelledShape, ...]:
    return tuple(LabelledShape(shapely.box(*box[:4]), box[4]) for box in boxes)


def test_touching_classes_are_components_of_their_own_and_none_is_a_median(plain_slide: Any) -> None:
    plan = LabelPlan("one", shapes((20, 20, 40, 60, 1), (40, 20, 60, 60, 3)), (shapely.box(0, 0, 200, 200),))
    found = index_centres(TrainingSlide(plain_slide, plan), SCHEME, 0.5, tile_px=64)
    assert {label: points.tolist() for label, points in found.positions.items()} == {1: [[32, 40]], 3: [[50, 40]]}
    assert found.pixel_counts == {1: 800, 3: 800}


def test_what_is_held_out_or_background_has_no_centre(plain_slide: Any) -> None:
    boxes = (shapely.box(0, 0, 100, 300), shapely.box(100, 0, 400, 300))
    plan = LabelPlan("one", shapes((20, 20, 40, 60, 1), (150, 20, 170, 60, 2)), boxes, hold_out=(boxes[1],))
    found = index_centres(TrainingSlide(plain_slide, plan), SCHEME, 0.5, tile_px=64)
    assert set(found.positions) == {1}


def test_tiles_off_the_tissue_are_left_out(plain_slide: Any) -> None:
    plan = LabelPlan("one", shapes((60, 60, 80, 80, 1), (190, 100, 210, 120, 1), (300, 60, 320, 80, 2)))
    slide = TrainingSlide(plain_slide, plan)
    foreground = tissue_mask(plain_slide, TissueOptions(rule=TissueRule.L2S))
    kept = index_centres(slide, SCHEME, 0.5, tile_px=64, foreground=foreground)
    assert {label: len(points) for label, points in kept.positions.items()} == {1: 1}
    half = index_centres(slide, SCHEME, 0.5, tile_px=64, options=CentredOptions(foreground=0.4), foreground=foreground)
    assert {label: len(points) for label, points in half.positions.items()} == {1: 2}


def test_beyond_the_border_of_a_small_slide_no_tissue_is_missed(plain_slide: Any) -> None:
    slide = TrainingSlide(plain_slide, LabelPlan("one", shapes((60, 60, 80, 80, 1))))
    everywhere = tissue_mask(plain_slide, TissueOptions(rule=TissueRule.WHOLE))
    found = index_centres(slide, SCHEME, 0.5, tile_px=512, foreground=everywhere)
    assert {label: len(points) for label, points in found.positions.items()} == {1: 1}


def test_centres_on_another_grid_are_where_the_components_are(plain_slide: Any) -> None:
    plan = LabelPlan("one", shapes((40, 100, 80, 140, 2)))
    found = index_centres(TrainingSlide(plain_slide, plan), SCHEME, 1.0, tile_px=32)
    assert found.positions[2].tolist() == [[30, 60]]
    assert found.extent.downsample == 2


def test_new_components_are_known(plain_slide: Any) -> None:
    plan = LabelPlan(
        "one", shapes((20, 20, 40, 60, 1), (120, 120, 140, 140, 1)), emphasis=(shapely.box(110, 110, 150, 150),)
    )
    found = index_centres(TrainingSlide(plain_slide, plan), SCHEME, 0.5, tile_px=32)
    assert len(found.positions[1]) == 3  # the taller one is split
    assert found.fresh[1].tolist() == [[130, 130]]


def test_the_sampler_draws_these_very_tiles(plain_slide: Any) -> None:
    plan = LabelPlan("one", shapes((2, 2, 20, 20, 1), (60, 60, 230, 200, 2), (380, 280, 399, 299, 3)))
    slide = TrainingSlide(plain_slide, plan)
    found = index_centres(slide, SCHEME, 0.5, tile_px=33)
    sampler = TreeSampler([found], {}, tile_px=33, options=SamplingOptions(jitter=0.0))
    drawn = {spot.window for step in range(40) for spot in sampler.batch(step, 8)}
    expected = {
        tile.window
        for shape in plan.shapes
        for tile in tiles_on(shape.geometry, shape.label, 1.0, EXTENT, tile_px=33)  # type: ignore[arg-type]
    }
    assert drawn == expected
