"""One slide predicted: outlines at level 0, cells and boxes, also where a map is much coarser than a box."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import shapely

from bridge.coords import Window, downsample_for
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask, TissueOptions, TissueRule
from lab_support import MPP, SIDE, draw_slide
from scripts.loop.boxes import find_boxes
from scripts.loop.slide_work import Bands, SlidePrediction, SlideResult, predict_slide
from scripts.options import PredictOptions, ProposeOptions

WHOLE = TissueOptions(rule=TissueRule.WHOLE)
NAMES = ("Background", "Blob")


@pytest.fixture
def slide_path(tmp_path: Path) -> Path:
    draw_slide(tmp_path / "case.tif")
    return tmp_path / "case.tif"


def bands_of(shares: np.ndarray, map_mpp: float) -> Bands:
    """Return what predicts a given share of class Blob, row by row."""

    def bands(slide: Slide, tissue: TissueMask) -> Generator[ProbabilityMap, None, None]:
        extent = slide.pyramid.window_at(downsample_for((MPP, MPP), map_mpp))
        assert extent.shape == shares.shape
        for row, values in enumerate(shares):
            window = Window(0, row, extent.width, 1, extent.downsample)
            yield ProbabilityMap(np.stack([1 - values, values])[:, None].astype(np.float32), window, NAMES)

    return bands


def predicted(path: Path, shares: np.ndarray, map_mpp: float, propose: ProposeOptions) -> SlidePrediction:
    options = PredictOptions(simplify_um=0.0)
    found = predict_slide(path, (MPP, MPP), bands_of(shares, map_mpp), map_mpp, options, propose, WHOLE)
    assert found is not None
    return found


def test_map_pixels_that_reach_beyond_the_slide_end_at_its_edge(slide_path: Path) -> None:
    found = predicted(slide_path, np.ones((5, 5)), 40.0, ProposeOptions())  # 80 px each: 400 of 384
    (outline,) = found.predictions
    assert outline.geometry.equals(shapely.box(0, 0, SIDE, SIDE))


def test_an_outline_of_coarse_map_pixels_lies_where_they_lie(slide_path: Path) -> None:
    shares = np.zeros((3, 3))
    shares[1, 2] = 0.9
    (outline,) = predicted(slide_path, shares, 64.0, ProposeOptions()).predictions
    assert outline.geometry.equals(shapely.box(256, 128, 384, 256))


@pytest.mark.parametrize("map_mpp", [0.5, 1.0, 7.0, 32.0, 96.0])
def test_boxes_have_the_size_asked_for_whatever_the_maps_pixels(slide_path: Path, map_mpp: float) -> None:
    side = int(np.ceil(SIDE * MPP / map_mpp))
    shares = np.full((side, side), 0.5)
    propose = ProposeOptions(k=2, region_um=40.0)
    found = predicted(slide_path, shares, map_mpp, propose)
    assert found.overview is not None
    assert found.cells.shape == found.tissue.shape == found.overview.score.shape
    boxes = find_boxes(SlideResult(found, found.tissue), (), propose, (MPP, MPP), seed=0).proposals
    assert len(boxes) == 2
    for box in boxes:
        assert 0.25 * 80**2 <= box.region.area <= 2.25 * 80**2, (
            "the range of sizes of adaptive boxes, 40 µm or 80 px a side"
        )


@pytest.mark.parametrize("map_mpp", [0.7, 1.0, 1.3])
def test_no_cell_is_finer_than_level_0(slide_path: Path, map_mpp: float) -> None:
    side = int(np.ceil(SIDE * MPP / map_mpp))
    found = predicted(slide_path, np.full((side, side), 0.5), map_mpp, ProposeOptions(region_um=1.0))
    assert found.cells.downsample >= 1


def test_boxes_lie_on_what_is_uncertain_inside_coarse_map_pixels(slide_path: Path) -> None:
    shares = np.zeros((3, 3))
    shares[2, 0] = 0.5
    propose = ProposeOptions(k=1, region_um=40.0)
    found = predicted(slide_path, shares, 64.0, propose)
    (box,) = find_boxes(SlideResult(found, found.tissue), (), propose, (MPP, MPP), seed=0).proposals
    uncertain, found_box = shapely.box(0, 256, 128, 384), shapely.box(*box.region.bounds)
    assert found_box.intersection(uncertain).area > 0.9 * found_box.area
    assert box.reason == "uncertain Blob / Background"
