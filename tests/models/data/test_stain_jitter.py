from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.color import rgb_from_hed

from models.data import StainJitter, StainJitterOptions, StainVectors, find_stains

HED = np.asarray(rgb_from_hed) / np.linalg.norm(rgb_from_hed, axis=1, keepdims=True)
OPTIONS = StainJitterOptions(share=1.0)
BOTH = pytest.mark.parametrize("vectors", list(StainVectors))


def tiles(count: int = 3, side: int = 48) -> torch.Tensor:
    """H&E of known dyes, with glass."""
    generator = np.random.default_rng(0)
    amounts = generator.uniform(0.3, 1.5, (count, side, side, 2))
    kinds = generator.integers(4, size=(count, side, side))
    amounts[kinds == 0, 1] = 0
    amounts[kinds == 1, 0] = 0
    amounts[kinds == 3] = 0
    pixels = (255 * np.exp(-amounts @ HED[:2])).round()
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float()


def amounts_of(images: torch.Tensor, vectors: np.ndarray) -> np.ndarray:
    density = -np.log(np.maximum(images.double().numpy(), 1e-9) / 255).transpose(0, 2, 3, 1)
    return density @ np.linalg.pinv(vectors)


@BOTH
def test_a_jitter_of_nothing_changes_nothing(vectors: StainVectors) -> None:
    images = tiles()
    still = StainJitter(StainJitterOptions(vectors, 1.0, 0.0, 0.0))(images, np.random.default_rng(0))
    assert torch.equal(still, images)
    assert torch.equal(
        StainJitter(replace(OPTIONS, vectors=vectors, share=0.0))(images, np.random.default_rng(0)), images
    )


@BOTH
def test_same_generator_same_tiles_and_the_input_stays(vectors: StainVectors) -> None:
    images = tiles()
    before = images.clone()
    jitter = StainJitter(replace(OPTIONS, vectors=vectors))
    one, two, other = (jitter(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(images, before)
    assert (one.dtype, one.shape) == (torch.float32, images.shape)
    assert 0 <= one.min() <= one.max() <= 255


def test_amounts_of_measured_dyes_become_a_times_amount_plus_b() -> None:
    images = tiles(count=8)
    options = StainJitterOptions(StainVectors.HED, 1.0, strength=0.2, offset=0.0)
    scaled = StainJitter(options)(images, np.random.default_rng(3))
    ratios = []
    for was, now in zip(amounts_of(images, HED), amounts_of(scaled, HED), strict=True):
        strong = was[..., 0] > 0.5
        factor = now[strong, 0] / was[strong, 0]
        assert np.ptp(factor) < 0.01
        ratios.append(factor.mean())
    assert 0.8 <= min(ratios) < 0.95
    assert 1.05 < max(ratios) <= 1.2
    shifted = StainJitter(replace(options, strength=0.0, offset=0.1))(images, np.random.default_rng(3))
    moved = amounts_of(shifted, HED) - amounts_of(images, HED)
    inside = (shifted < 254).all(dim=1).numpy() & (shifted > 1).all(dim=1).numpy()
    for tile in range(len(images)):
        shift = moved[tile][inside[tile]]
        assert np.abs(shift - shift[0]).max() < 0.01
        assert np.abs(shift[0]).max() <= 0.1
        assert np.abs(shift[0]).max() > 0.01


def test_own_dyes_are_scaled_and_what_is_neither_stays() -> None:
    images = tiles(count=1, side=96)
    images[0, :, 0, 0] = torch.tensor([40.0, 90.0, 40.0])  # green: no mixture of the two
    options = StainJitterOptions(StainVectors.MACENKO, 1.0, strength=0.3, offset=0.0)
    changed = StainJitter(options)(images, np.random.default_rng(5))
    stains = find_stains(images[0].permute(1, 2, 0).to(torch.uint8).numpy())
    assert stains is not None
    normal = np.cross(*stains.vectors)
    out_of_plane = [(-np.log(i[0, :, 0, 0].numpy() / 255) @ normal) for i in (images, changed)]
    assert out_of_plane[0] == pytest.approx(out_of_plane[1], abs=1e-3)
    assert abs(out_of_plane[0]) > 0.3
    was, now = amounts_of(images, stains.vectors)[0], amounts_of(changed, stains.vectors)[0]
    strong = was > 0.5
    factors = [now[..., dye][strong[..., dye]] / was[..., dye][strong[..., dye]] for dye in range(2)]
    assert max(np.ptp(factor) for factor in factors) < 1e-3
    assert max(abs(factor.mean() - 1) for factor in factors) > 0.05
    assert max(abs(factor.mean() - 1) for factor in factors) <= 0.3
    assert abs(factors[0].mean() - factors[1].mean()) > 0.01  # each dye by itself


def test_a_tile_without_dyes_is_left_alone_and_its_neighbours_draw_the_same() -> None:
    images = tiles()
    blank = images.clone()
    blank[1] = 250.0
    jitter = StainJitter(OPTIONS)
    full, holed = jitter(images, np.random.default_rng(5)), jitter(blank, np.random.default_rng(5))
    assert torch.equal(holed[1], blank[1])
    assert torch.equal(holed[[0, 2]], full[[0, 2]])


@BOTH
def test_about_the_asked_share_is_changed(vectors: StainVectors) -> None:
    images = tiles(count=1, side=16).expand(200, -1, -1, -1)
    changed = StainJitter(StainJitterOptions(vectors))(images, np.random.default_rng(6))
    share = (changed != images).flatten(1).any(dim=1).float().mean().item()
    assert 0.4 < share < 0.6


def test_an_empty_batch_is_an_empty_batch() -> None:
    assert len(StainJitter()(torch.empty(0, 3, 8, 8), np.random.default_rng(0))) == 0
