from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Window
from bridge.slides import Slide, TissueOptions, TissueRule, open_slide, tissue_mask
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.data import GuidedSlide, HeatMap, TileDataset, TrainingSlide, TreeSampler, index_slide
from models.errors import DamagedSlideError
from models.inference import PatchwisePredictor
from models.nets import UNIT, EncoderName, NetKind, NetOptions, build_net
from models.training.heat_maps import HeatMapMaker
from models.training.refinement_task import RefinementBatches, RefinementTask

WHOLE = TissueOptions(rule=TissueRule.WHOLE)
SCHEME = ClassScheme({"Tumor": (255, 0, 0)})
NET = NetOptions(
    kind=NetKind.PATCH, encoder=EncoderName.PLAIN, encoder_channels=(4, 8), decoder_channels=(1, 1), pretrained=False
)
PATCHES = NetCard(NetRole.HIGH, NET, SCHEME.names, 0.5, 16, NET.normalization)
LOOKING = NetCard(
    NetRole.REFINEMENT, NetOptions(kind=NetKind.REFINEMENT, pretrained=False), SCHEME.names, 1.0, 48, UNIT
)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    path = tmp_path_factory.mktemp("noise") / "noise.png"
    pixels = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    Image.fromarray(pixels).resize((1024, 512), Image.Resampling.BICUBIC).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as opened:
        yield opened


@pytest.fixture(scope="module")
def classifier() -> Checkpoint:
    weights = {k: v * (1.5 if v.ndim > 1 else 1.0) for k, v in build_net(NET, 2, seed=1).state_dict().items()}
    return Checkpoint.of(Card("patchwise", (PATCHES,)), with_role(weights, NetRole.HIGH))


def maker_of(
    classifier: Checkpoint, folder: Path | None = None, seconds: Iterator[float] | None = None
) -> HeatMapMaker:
    ticks = seconds or iter(range(100))
    return HeatMapMaker(
        classifier, tissue=WHOLE, reach=LOOKING, device="cpu", folder=folder, clock=lambda: float(next(ticks))
    )


def boxes() -> LabelPlan:
    shapes = (LabelledShape(shapely.box(420, 230, 440, 250), 1), LabelledShape(shapely.Point(900, 60).buffer(9), 1))
    return LabelPlan("one", shapes, (shapely.box(400, 200, 480, 290),))


def test_tiles_look_at_no_heat_that_was_not_made_and_little_else_is(slide: Slide, classifier: Checkpoint) -> None:
    training = TrainingSlide(slide, boxes())
    near = maker_of(classifier).of(training).heat
    predictor = PatchwisePredictor(classifier, device="cpu")
    whole = HeatMap.from_bands(predictor.predict(slide, tissue_mask(slide, WHOLE)))
    assert whole.values.min() > 0
    assert whole.values.std() > 2
    assert 0.1 < (near.values > 0).mean() < 0.5
    first, second = (_tiles(replace(training, slide=GuidedSlide(slide, heat))) for heat in (near, whole))
    assert torch.equal(first, second)


def _tiles(training: TrainingSlide) -> torch.Tensor:
    sampler = TreeSampler([index_slide(training, SCHEME, LOOKING.mpp)], {}, tile_px=LOOKING.tile_px, seed=2)
    dataset = TileDataset([training], SCHEME, LOOKING.mpp)
    batches = RefinementBatches(size=8, accumulation=1)
    task = RefinementTask(dataset, sampler, batches, normalization=UNIT, device=torch.device("cpu"), seed=2)
    return torch.cat([pixels for step in range(12) for pixels, _ in task.make(step)])


def test_a_kept_map_comes_back_with_the_time_that_it_took(slide: Slide, classifier: Checkpoint, tmp_path: Path) -> None:
    training = TrainingSlide(slide, boxes())
    made = maker_of(classifier, tmp_path, iter((10, 17))).of(training)
    kept = maker_of(classifier, tmp_path, iter(())).of(training)
    assert made.seconds == kept.seconds == 7
    assert kept.digest == made.digest
    assert kept.heat.window == made.heat.window == Window(0, 0, 64, 32, 16.0)


def test_a_kept_map_of_other_labels_or_weights_is_not_taken(
    slide: Slide, classifier: Checkpoint, tmp_path: Path
) -> None:
    training = TrainingSlide(slide, boxes())
    maker_of(classifier, tmp_path).of(training)
    elsewhere = replace(training, plan=replace(boxes(), complete=(shapely.box(0, 0, 80, 80),)))
    changed = Checkpoint.of(classifier.card, {key: value + 1 for key, value in classifier.weights.items()})
    assert maker_of(classifier, tmp_path).of(elsewhere).heat.values[0, 0] > 0
    assert maker_of(changed, tmp_path).of(training).digest != maker_of(classifier, tmp_path).of(training).digest


def test_a_slide_that_cant_be_read_is_named(slide: Slide, classifier: Checkpoint) -> None:
    with open_slide(slide.path, mpp=(0.5, 0.5)) as closed:
        pass
    with pytest.raises(DamagedSlideError) as caught:
        maker_of(classifier).of(TrainingSlide(closed, boxes()))
    assert caught.value.slide_key == "one"
