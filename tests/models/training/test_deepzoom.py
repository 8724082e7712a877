from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from bridge.annotations import LabelledShape, LabelPlan
from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.checkpoints import NetRole, load_checkpoint, save_checkpoint
from models.data import TrainingSlide
from models.inference import HotSpotOptions, PredictionOptions
from models.training import DeepZoom, evaluate

WHOLE = TissueOptions(rule=TissueRule.WHOLE)


@pytest.fixture(scope="module")
def design(tiny_model: Any) -> DeepZoom:
    model = replace(tiny_model, one_network=False, low_factor=2.0)
    return DeepZoom(model, HotSpotOptions(threshold=0.3, min_area_um2=4.0, padding_um=2.0))


@pytest.fixture(scope="module")
def candidate(design: DeepZoom, judged_slides: Any, ground: Any, brief: Any) -> Any:
    return design.fit(judged_slides, ground.scheme, replace(brief, max_steps=60, batch_size=4))


def test_two_nets_are_trained_at_two_resolutions(candidate: Any) -> None:
    card = candidate.checkpoint.card
    assert card.roles == (NetRole.HIGH, NetRole.LOW)
    assert card.net(NetRole.LOW).mpp == 2 * card.net(NetRole.HIGH).mpp
    assert set(candidate.history) == set(card.roles)


def test_both_passes_predict_what_was_drawn(design: DeepZoom, candidate: Any, judged_slides: Any, ground: Any) -> None:
    predictor = design.predictor(candidate.checkpoint, device="cpu")
    assert evaluate(predictor, judged_slides, ground.scheme).pooled_dice > 0.8


def test_bands_of_both_passes_cover_the_slide_and_are_background_off_the_spots(
    design: DeepZoom, candidate: Any, ground: Any, tmp_path: Any
) -> None:
    saved = save_checkpoint(tmp_path, candidate.checkpoint.weights, candidate.checkpoint.card)
    predictor = design.predictor(load_checkpoint(tmp_path / saved.id), device="cpu")
    options = PredictionOptions(tile_px=64, overlap_px=16, batch_size=2)
    tissue = tissue_mask(ground.slide, WHOLE)
    spots = predictor.find_hot_spots(ground.slide, tissue, options)
    bands = list(predictor.predict(ground.slide, tissue, options))
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    assert whole.shape == (3, 128, 192)
    hot = np.concatenate([spots.over(band.window) for band in bands])
    assert 0.1 < hot.mean() < 0.95
    assert (whole[0][~hot] == 1).all()
    assert whole[0][hot].mean() < 0.7


def test_one_network_skips_the_first_pass(design: DeepZoom, candidate: Any) -> None:
    alone = replace(design, model=replace(design.model, one_network=True))
    assert alone.predictor(candidate.checkpoint, device="cpu").low is None


def test_low_net_may_be_kept_while_classes_change(
    design: DeepZoom, candidate: Any, disc_slides: Any, ground: Any, brief: Any
) -> None:
    keeping = replace(design, model=replace(design.model, keep_low=True))
    child = keeping.fit(disc_slides, ground.scheme, replace(brief, max_steps=2), parent=candidate.checkpoint)
    before, after = candidate.checkpoint.net_weights(NetRole.LOW), child.checkpoint.net_weights(NetRole.LOW)
    assert all((before[key] == after[key]).all() for key in before)
    assert set(child.history) == {NetRole.HIGH}


def test_a_box_smaller_than_a_low_resolution_tile_still_trains(design: DeepZoom, ground: Any, brief: Any) -> None:
    box = shapely.box(4, 4, 28, 28)
    disc = LabelledShape(shapely.Point(16, 16).buffer(9), 1)
    plan = LabelPlan("one", (disc,), (box,))
    result = design.fit([TrainingSlide(ground.slide, plan)], ground.scheme, replace(brief, max_steps=2))
    assert result.is_finished
