"""A training that takes a second: a tiny net on the discs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.data import AugmentationOptions, TrainingSlide
from models.nets import EncoderName, NetOptions
from models.training import ModelOptions, TrainingOptions

TINY = NetOptions(
    encoder=EncoderName.PLAIN, encoder_channels=(8, 16), decoder_channels=(16, 8), stem_channels=8, pretrained=False
)


@pytest.fixture(scope="session")
def tiny_model() -> ModelOptions:
    return ModelOptions(mpp=0.5, one_network=True, high=TINY, low=TINY)


@pytest.fixture(scope="session")
def brief() -> TrainingOptions:
    return TrainingOptions(
        max_steps=6,
        max_seconds=None,
        batch_size=2,
        tile_px=32,
        learning_rate=1e-2,
        evaluate_every=3,
        checkpoint_every=2,
        device="cpu",
        augmentation=replace(AugmentationOptions(), warp_share=0.0),
    )


@pytest.fixture(scope="session")
def disc_slides(ground: Any) -> list[TrainingSlide]:
    return [TrainingSlide(ground.slide, ground.plan())]


@pytest.fixture(scope="session")
def judged_slides(ground: Any) -> list[TrainingSlide]:
    return [TrainingSlide(ground.slide, ground.plan(hold_out=True))]
