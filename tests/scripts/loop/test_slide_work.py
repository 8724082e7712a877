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
from models.inference import Stage, Stopwatch
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

    def bands(
        slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
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


def test_a_slide_has_no_more_cells_than_can_be_kept(slide_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares, propose = np.full((96, 96), 0.5), ProposeOptions(region_um=32.0)
    fine = predicted(slide_path, shares, 2.0, propose)
    monkeypatch.setattr("scripts.loop.slide_work._MOST_CELLS", 100)
    coarse = predicted(slide_path, shares, 2.0, propose)
    assert fine.cells.width * fine.cells.height > 1000
    assert coarse.cells.width * coarse.cells.height <= 100
    assert coarse.overview is not None and coarse.overview.score.shape == coarse.tissue.shape == coarse.cells.shape
    assert [p.geometry for p in coarse.predictions] == [p.geometry for p in fine.predictions]


def test_a_prediction_says_what_it_cost(slide_path: Path) -> None:
    """Time that passes within the bands is neither gluing nor outlining, unless they say so."""
    now = [0.0]
    shares = np.ones((5, 5))

    def bands(
        slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        assert watch is not None
        for band in bands_of(shares, 40.0)(slide, tissue):
            with watch.time(Stage.WAIT):
                now[0] += 7
            with watch.time(Stage.STITCH):
                now[0] += 2
            now[0] += 1
            yield band

    found = predict_slide(
        slide_path, (MPP, MPP), bands, 40.0, PredictOptions(), ProposeOptions(), WHOLE, clock=lambda: now[0]
    )
    assert found is not None and found.cost is not None
    cost = found.cost
    assert (cost.wall, cost.stitch, cost.vectorize) == (5 * 10, 5 * 2, 5 * 1)


def test_without_a_champion_nothing_is_said_of_cost(slide_path: Path) -> None:
    found = predict_slide(slide_path, (MPP, MPP), None, 1.0, PredictOptions(), ProposeOptions(), WHOLE)
    assert found is not None and found.cost is None
