from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.data import Augmentation, AugmentationOptions, to_tensors

NO_COLOR = replace(AugmentationOptions(), hue_radians=0.0, saturation=0.0, brightness=0.0, lightness=0.0)


def picture(count: int = 4, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A dark square off the centre on white, labelled 1; all else labelled 0."""
    labels = np.zeros((count, side, side), np.uint8)
    labels[:, 20:40, 8:24] = 1
    pixels = np.where(labels[..., None] == 1, np.uint8(30), np.uint8(240)).repeat(3, axis=-1)
    return pixels, labels


def test_nothing_asked_nothing_changed() -> None:
    pixels, labels = picture()
    pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    changed, masks = Augmentation(AugmentationOptions.none())(pixels, labels, np.random.default_rng(0))
    expected, expected_masks = to_tensors(pixels, labels)
    assert torch.allclose(changed, expected, atol=0.05)
    assert torch.equal(masks, expected_masks)


def test_labels_go_with_the_pixels() -> None:
    pixels, labels = picture(count=8)
    options = replace(NO_COLOR, warp_share=1.0)
    changed, masks = Augmentation(options)(pixels, labels, np.random.default_rng(1))
    known = masks != 255
    dark = changed.mean(dim=1) < 135
    assert ((dark == (masks == 1)) | ~known).float().mean() > 0.99
    assert len({mask.numpy().tobytes() for mask in masks}) == 8


def test_flips_are_exact_and_of_all_eight_kinds() -> None:
    pixels, labels = picture(count=64)
    options = replace(AugmentationOptions.none(), flips=True)
    changed, masks = Augmentation(options)(pixels, labels, np.random.default_rng(2))
    assert torch.equal(changed[:, 0] < 100, masks == 1)
    assert len({mask.numpy().tobytes() for mask in masks}) == 8


def test_beyond_the_tile_is_ignored_and_ignored_stays_ignored() -> None:
    pixels, labels = picture(count=2)
    labels[:, :, 32:] = 255
    options = replace(NO_COLOR, flips=False, warp_share=1.0, zoom=0.0, bend=0.0, turn_radians=0.3)
    _, masks = Augmentation(options)(pixels, labels, np.random.default_rng(3))
    assert set(torch.unique(masks).tolist()) == {0, 1, 255}
    shrunk = replace(options, turn_radians=0.0, zoom=0.4)
    counts = [(Augmentation(shrunk)(*picture(1), np.random.default_rng(s))[1] == 255).sum().item() for s in range(8)]
    assert max(counts) > 0


def test_color_changes_stay_mild_and_keep_grey_grey() -> None:
    pixels = np.full((16, 8, 8, 3), 128, np.uint8)
    changed, _ = Augmentation(replace(AugmentationOptions(), warp_share=0.0))(
        pixels, np.zeros((16, 8, 8), np.uint8), np.random.default_rng(4)
    )
    assert (changed.amax(dim=1) - changed.amin(dim=1)).max() < 0.1
    assert 80 < changed.mean() < 180
    assert changed[:, 0, 0, 0].std() > 1


@pytest.mark.parametrize("seed", [0, 1])
def test_same_generator_same_batch(seed: int) -> None:
    pixels, labels = picture()
    augmentation = Augmentation()
    first = augmentation(pixels, labels, np.random.default_rng(seed))
    second = augmentation(pixels, labels, np.random.default_rng(seed))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    other = augmentation(pixels, labels, np.random.default_rng(seed + 10))
    assert not torch.equal(first[0], other[0])
