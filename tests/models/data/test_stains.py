from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from models.data import (
    MacenkoOptions,
    Stains,
    combine_stains,
    find_stains,
    normalize_stains,
    optical_density,
    separate_stains,
)


def unit(*values: float) -> NDArray[np.float64]:
    vector = np.array(values)
    return vector / np.linalg.norm(vector)


PURPLE, PINK = unit(0.65, 0.70, 0.29), unit(0.1, 0.95, 0.25)
OTHER_PURPLE, OTHER_PINK = unit(0.55, 0.75, 0.38), unit(0.2, 0.9, 0.4)


def degrees(first: object, second: object) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(np.array(first), np.array(second)), -1, 1))))


def dyed(purple: NDArray[np.float64], pink: NDArray[np.float64], seed: int = 0, side: int = 96) -> NDArray[np.uint8]:
    """A picture of nuclei, matrix, mixtures and glass in equal parts."""
    generator = np.random.default_rng(seed)
    kinds = generator.integers(4, size=(side, side))
    amounts = np.stack([generator.uniform(0.3, 1.2, kinds.shape), generator.uniform(0.3, 0.8, kinds.shape)], axis=-1)
    amounts[kinds == 0, 1] = 0
    amounts[kinds == 1, 0] = 0
    amounts[kinds == 3] = 0
    return (255 * 10 ** -(amounts @ np.stack([purple, pink]))).round().astype(np.uint8)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[NDArray[np.uint8]]:
    """H&E of three organs, 256 pixels square."""
    paths = sorted((shared_data / "segmentation" / "monuseg" / "test").glob("*.tif"))[:3]
    return [np.array(Image.open(path).convert("RGB"))[300:556, 300:556] for path in paths]


def steps_of_the_paper(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Macenko's steps one by one, with a full SVD: vectors (2, 3), haematoxylin first, and strengths (2,)."""
    points = -np.log10(np.maximum(pixels.reshape(-1, 3).astype(float), 1) / 255)
    tissue = points[[sum(v * v for v in point) ** 0.5 > 0.15 for point in points.tolist()]]
    _, _, right = np.linalg.svd(tissue, full_matrices=False)
    first, second = right[0] if right[0].sum() > 0 else -right[0], right[1]
    angles = np.degrees(np.arctan2(tissue @ second, tissue @ first))
    vectors = []
    for percent in (1, 99):
        angle = np.radians(np.percentile(angles, percent))
        vectors.append(np.cos(angle) * first + np.sin(angle) * second)
    vectors.sort(key=lambda vector: -vector[0])
    stacked = np.array(vectors)
    amounts = np.linalg.lstsq(stacked.T, tissue.T, rcond=None)[0]
    return stacked, np.percentile(amounts, 99, axis=1)


def normalized_by_the_steps(pixels: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.float64]:
    vectors, strengths = steps_of_the_paper(pixels)
    to_vectors, to_strengths = steps_of_the_paper(reference)
    density = -np.log10(np.maximum(pixels.reshape(-1, 3), 1) / 255)
    amounts = np.linalg.lstsq(vectors.T, density.T, rcond=None)[0]
    amounts *= (to_strengths / strengths)[:, None]
    return np.clip(255 * 10 ** -(to_vectors.T @ amounts), 0, 255).T.reshape(pixels.shape)


def test_real_pictures_agree_with_the_papers_steps(real: list[NDArray[np.uint8]]) -> None:
    reference = find_stains(real[0])
    assert reference is not None
    for pixels in real:
        vectors, strengths = steps_of_the_paper(pixels)
        stains = find_stains(pixels)
        assert stains is not None
        assert stains.vectors == pytest.approx(vectors, abs=1e-6)
        assert stains.strengths == pytest.approx(tuple(strengths), abs=1e-6)
        expected = normalized_by_the_steps(pixels, real[0])
        assert np.abs(normalize_stains(pixels, reference) - expected).max() <= 0.51


def test_real_pictures_show_haematoxylin_and_eosin(real: list[NDArray[np.uint8]]) -> None:
    for pixels in real:
        stains = find_stains(pixels)
        assert stains is not None
        assert degrees(stains.haematoxylin, unit(0.65, 0.70, 0.29)) < 15
        assert degrees(stains.eosin, unit(0.07, 0.99, 0.11)) < 30
        assert stains.haematoxylin[0] > stains.eosin[0] + 0.2


def test_a_normalized_picture_has_the_references_stains(real: list[NDArray[np.uint8]]) -> None:
    reference = find_stains(real[0])
    assert reference is not None
    for pixels in real[1:]:
        stains = find_stains(normalize_stains(pixels, reference))
        assert stains is not None
        assert degrees(stains.haematoxylin, reference.haematoxylin) < 2
        assert degrees(stains.eosin, reference.eosin) < 2
        assert stains.strengths == pytest.approx(reference.strengths, rel=0.1)  # the darkest and palest are cut off


@given(st.integers(0, 10**6), st.floats(-0.08, 0.08), st.floats(-0.08, 0.08))
@settings(max_examples=15, deadline=None)
def test_known_dyes_are_found(seed: int, bluer: float, redder: float) -> None:
    purple, pink = unit(0.65, 0.70, 0.29 + bluer), unit(0.1 + redder, 0.95, 0.25)
    stains = find_stains(dyed(purple, pink, seed))
    assert stains is not None
    assert degrees(stains.haematoxylin, purple) < 1
    assert degrees(stains.eosin, pink) < 1
    assert stains.strengths == pytest.approx((1.2, 0.8), rel=0.05)


def test_known_amounts_are_recovered_and_put_together_again() -> None:
    stains = Stains(tuple(PURPLE), tuple(PINK), (1.2, 0.8))  # type: ignore[arg-type]
    amounts = np.random.default_rng(1).uniform(0.1, 0.8, (20, 30, 2))
    pixels = combine_stains(amounts, stains)
    assert pixels.dtype == np.uint8
    assert np.abs(separate_stains(pixels, stains) - amounts).max() < 0.03  # what rounding to 256 greys costs
    assert np.abs(combine_stains(separate_stains(pixels, stains), stains).astype(int) - pixels).max() <= 1


def test_two_slides_of_one_tissue_look_alike_when_normalized() -> None:
    pixels, other = dyed(PURPLE, PINK), dyed(OTHER_PURPLE, OTHER_PINK)
    reference = find_stains(pixels)
    assert reference is not None
    apart = np.abs(other.astype(int) - pixels)
    left = np.abs(normalize_stains(other, reference).astype(int) - pixels)
    assert apart.mean() > 8
    assert left.mean() < 1.5
    assert (normalize_stains(other, reference)[other.min(axis=2) == 255] == 255).all()  # glass stays glass


def test_glass_beside_the_tissue_changes_nothing() -> None:
    pixels = dyed(PURPLE, PINK)
    wide = np.full((96, 960, 3), 255, np.uint8)
    wide[:, :96] = pixels
    narrow, among_glass = find_stains(pixels), find_stains(wide)
    assert narrow is not None
    assert among_glass is not None
    assert among_glass.vectors == pytest.approx(narrow.vectors, abs=1e-9)
    assert among_glass.strengths == pytest.approx(narrow.strengths, abs=1e-9)


def test_black_beyond_the_scan_is_no_dye() -> None:
    pixels = dyed(PURPLE, PINK)
    pixels[:, 60:] = 2
    stains = find_stains(pixels)
    assert stains is not None
    assert degrees(stains.haematoxylin, PURPLE) < 1
    assert stains.strengths == pytest.approx((1.2, 0.8), rel=0.05)


def test_the_order_of_the_pixels_does_not_matter() -> None:
    pixels = dyed(PURPLE, PINK)
    shuffled = np.random.default_rng(2).permutation(pixels.reshape(-1, 3)).reshape(pixels.shape)
    one, two = find_stains(pixels), find_stains(shuffled)
    assert one == find_stains(pixels.copy())
    assert one is not None
    assert two is not None
    assert two.vectors == pytest.approx(one.vectors, abs=1e-9)


def one_dye() -> NDArray[np.uint8]:
    amounts = np.random.default_rng(3).uniform(0.2, 1.0, (64, 64, 1))
    return (255 * 10 ** -(amounts * PINK)).round().astype(np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((32, 32, 3), 255, np.uint8),
        np.random.default_rng(4).integers(240, 256, (32, 32, 3)).astype(np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.full((32, 32, 3), (200, 120, 180), np.uint8),
        one_dye(),
        np.empty((0, 0, 3), np.uint8),
    ],
    ids=["white", "noisy glass", "black", "one colour", "one dye", "empty"],
)
def test_without_two_dyes_nothing_is_found_and_nothing_changed(pixels: NDArray[np.uint8]) -> None:
    reference = find_stains(dyed(PURPLE, PINK))
    assert reference is not None
    assert find_stains(pixels) is None
    normalized = normalize_stains(pixels, reference)
    assert np.array_equal(normalized, pixels)
    assert normalized is not pixels


def test_a_slides_own_stains_make_its_tiles_comparable() -> None:
    slide, reference = find_stains(dyed(OTHER_PURPLE, OTHER_PINK)), find_stains(dyed(PURPLE, PINK))
    assert slide is not None
    assert reference is not None
    pale = (255 * 10 ** -(0.4 * np.stack([OTHER_PURPLE, OTHER_PINK]))).round().astype(np.uint8).reshape(1, 2, 3)
    expected = 255 * 10 ** -(0.4 * np.stack([PURPLE, PINK])).reshape(1, 2, 3)
    assert np.abs(normalize_stains(pale, reference, slide) - expected).max() < 5


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_other_pixels_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8 pixels"):
        find_stains(pixels)


def test_stains_survive_a_card() -> None:
    stains = find_stains(dyed(PURPLE, PINK))
    assert stains is not None
    read = json.loads(json.dumps(asdict(stains)))
    assert Stains(**{name: tuple(values) for name, values in read.items()}) == stains


def test_density_of_white_and_black_is_finite() -> None:
    density = optical_density(np.array([[[255, 0, 1]]], np.uint8))
    assert density[0, 0] == pytest.approx([0, np.log10(255), np.log10(255)])


def test_more_tissue_can_be_asked_for() -> None:
    pixels = np.full((96, 192, 3), 255, np.uint8)
    pixels[:, :96] = dyed(PURPLE, PINK)
    assert find_stains(pixels, MacenkoOptions(min_share=0.3)) is not None
    assert find_stains(pixels, MacenkoOptions(min_share=0.5)) is None
