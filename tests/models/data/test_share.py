from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data import Augmentation, AugmentationOptions, Share, StainJitter, StainJitterOptions


@given(count=st.integers(1, 9), size=st.integers(0, 40))
def test_every_tile_is_made_by_one_process_and_none_has_two_more_than_another(count: int, size: int) -> None:
    portions = [Share(rank, count).portion(size) for rank in range(count)]
    assert [tile for portion in portions for tile in range(size)[portion.rows]] == list(range(size))
    assert max(map(len, portions)) - min(map(len, portions)) <= 1


def test_a_single_process_has_all() -> None:
    assert list(range(7)[Share().portion(7).rows]) == list(range(7))


def test_a_process_without_a_tile_reads_one_to_know_its_shape() -> None:
    portion = Share(0, 3).portion(2)
    assert (len(portion), len(range(2)[portion.to_read])) == (0, 1)


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 4), seed=st.integers(0, 100))
def test_tiles_are_changed_as_within_the_whole_batch(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels, labels = random.integers(0, 256, (5, 16, 16, 3), np.uint8), random.integers(0, 3, (5, 16, 16), np.uint8)
    change = Augmentation(replace(AugmentationOptions(), warp_share=0.3))
    jitter = StainJitter(StainJitterOptions(share=0.7))
    whole, masks = change(pixels, labels, np.random.default_rng(seed))
    redyed = jitter(whole, np.random.default_rng(seed + 1))
    for rank in range(count):
        portion = Share(rank, count).portion(5)
        part, part_masks = change(pixels[portion.rows], labels[portion.rows], np.random.default_rng(seed), portion)
        assert torch.equal(part, whole[portion.rows])
        assert torch.equal(part_masks, masks[portion.rows])
        again = jitter(part, np.random.default_rng(seed + 1), portion)
        assert torch.allclose(again, redyed[portion.rows], atol=1e-3)
