"""A training that takes a second: a tiny net on the discs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from net_support import TINY

from models.data import AugmentationOptions, TrainingSlide
from models.training import ModelOptions, TrainingOptions


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
