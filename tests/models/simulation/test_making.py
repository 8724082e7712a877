from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.data import TrainingSlide
from models.nets import PlainEncoder
from models.simulation import Extractor, FeatureCache, GridOptions, SimulatedSlide, simulated_slide
from models.simulation.grid import cell_window

OPTIONS = GridOptions(cell_um=4, mpp=0.5, parts=2)
EXTRACTOR = Extractor(PlainEncoder((4, 6)).eval(), "plain", maps=(0, 1))


def test_a_slide_becomes_cells(ground: Any) -> None:
    found = simulated_slide(TrainingSlide(ground.slide, ground.plan()), ground.scheme, OPTIONS, EXTRACTOR, group="g")
    assert (found.key, found.group, found.shape, found.parts) == ("one", "g", (16, 24), 2)
    assert found.features.shape == (16, 24, 10)
    assert len(found.objects) == len(ground.plan().shapes)
    assert set(np.unique(found.labels[:, :16])) == {0, 1, 2}
    assert (found.truth[:, 33:] == 255).all(), "outside the ROI nothing is labelled"
    y, x = (int(v) for v in found.objects[0][1].centroid.coords[0][::-1])
    assert found.labels[y, x] == found.objects[0][0]


def test_tissue_is_what_the_mask_covers(ground: Any) -> None:
    slide = TrainingSlide(ground.slide, ground.plan())
    mask = tissue_mask(ground.slide, TissueOptions(rule=TissueRule.WHOLE))
    half = replace(mask, mask=mask.mask & (np.arange(mask.mask.shape[1]) < mask.mask.shape[1] // 2))
    found = simulated_slide(slide, ground.scheme, OPTIONS, EXTRACTOR, tissue=half)
    share = half.coverage(cell_window(slide, OPTIONS))
    np.testing.assert_array_equal(found.tissue, share >= 0.01)
    assert found.tissue_area.sum() == pytest.approx(share[share >= 0.01].sum())
    assert not found.features[~found.tissue].any()


def test_features_are_kept_by_what_they_depend_on(ground: Any, tmp_path: Path) -> None:
    cache, slide = FeatureCache(tmp_path), TrainingSlide(ground.slide, ground.plan())

    def make(options: GridOptions = OPTIONS, extractor: Extractor = EXTRACTOR) -> SimulatedSlide:
        return simulated_slide(slide, ground.scheme, options, extractor, cache=cache)

    first = make()
    np.testing.assert_array_equal(make().features, first.features)
    make(replace(OPTIONS, parts=1))
    assert len(list(tmp_path.iterdir())) == 1
    make(extractor=replace(EXTRACTOR, name="other"))
    make(extractor=replace(EXTRACTOR, maps=(1,)))
    make(replace(OPTIONS, cell_um=8))
    assert len(list(tmp_path.iterdir())) == 4
