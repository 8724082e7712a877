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


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_threads_change_no_batch(ground: Any, threads: int) -> None:
    slides = [TrainingSlide(ground.slide, ground.plan())]
    sampler = TreeSampler([index_slide(slides[0], ground.scheme, 0.5)], {}, tile_px=32, seed=2)
    warped = Augmentation(AugmentationOptions(warp_share=1.0))
    maker = BatchMaker(TileDataset(slides, ground.scheme, 0.5, cache_mb=0.1), sampler, warped, batch_size=4, seed=2)
    expected = [maker.make(step) for step in range(8)]
    with batches_ahead(maker, 0, threads=threads) as batches:
        for found, (pixels, labels) in zip(batches, expected, strict=False):
            assert torch.equal(found[0], pixels) and torch.equal(found[1], labels)


class Numbers:
    """Batches that are their steps; notes which were asked for."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def make(self, step: int) -> int:
        self.made.append(step)
        return step


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_more_than_one_batch_beyond_the_threads_is_made_ahead(threads: int) -> None:
    maker = Numbers()
    with batches_ahead(maker, 7, threads=threads) as batches:
        assert list(islice(batches, 4)) == [7, 8, 9, 10]
    assert set(maker.made) <= set(range(7, 7 + 4 + threads + 1))
    assert len(maker.made) == len(set(maker.made))


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
