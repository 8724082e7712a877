from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch

from models.data import (
    Augmentation,
    AugmentationOptions,
    BatchMaker,
    TileDataset,
    TrainingSlide,
    TreeSampler,
    batches_ahead,
    index_slide,
)


@pytest.fixture
def maker(ground: Any) -> BatchMaker:
    slides = [TrainingSlide(ground.slide, ground.plan())]
    sampler = TreeSampler([index_slide(slides[0], ground.scheme, 0.5)], {}, tile_px=32, seed=1)
    dataset = TileDataset(slides, ground.scheme, 0.5)
    return BatchMaker(dataset, sampler, Augmentation(AugmentationOptions(warp_share=0)), batch_size=3, seed=1)


def test_batches_made_ahead_are_those_of_their_steps(maker: BatchMaker) -> None:
    with batches_ahead(maker, 5) as batches:
        ahead = list(islice(batches, 3))
    for step, (pixels, labels) in enumerate(ahead, start=5):
        expected_pixels, expected_labels = maker.make(step)
        assert torch.equal(pixels, expected_pixels)
        assert torch.equal(labels, expected_labels)


def test_batches_have_the_promised_types_and_labelled_pixels(maker: BatchMaker) -> None:
    pixels, labels = maker.make(0)
    assert (pixels.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert pixels.shape == (3, 3, 32, 32)
    assert ((labels != 255).flatten(1).any(dim=1)).all()


def test_what_a_slide_raises_reaches_the_loop(maker: BatchMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(step: int) -> None:
        raise OSError(f"damaged at {step}")

    monkeypatch.setattr(maker, "make", fail)
    with pytest.raises(OSError, match="damaged at 4"), batches_ahead(maker, 4) as batches:
        next(batches)
