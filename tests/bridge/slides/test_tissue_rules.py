"""Tissue from glass, on arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.filters import threshold_otsu

from bridge.slides.tissue_rules import (
    by_ars,
    by_h2g,
    by_hail,
    by_l2s,
    by_saturation,
    close_gaps,
    drop_small,
    otsu,
    saturation,
)

GLASS, PINK, PALE, BLACK = (243, 241, 244), (210, 140, 180), (235, 212, 228), (3, 0, 1)


def picture(*colours: tuple[int, int, int], side: int = 64, noise: int = 3) -> np.ndarray:
    """Stripes of equal width, one per colour, with sensor noise."""
    stripes = np.repeat(np.array(colours), side, axis=0)[None].repeat(side, axis=0)
    jitter = np.random.default_rng(0).integers(-noise, noise + 1, stripes.shape)
    return np.clip(stripes + jitter, 0, 255).astype(np.uint8)


@given(hnp.arrays(np.uint8, (12, 9), elements=st.integers(0, 255)))
@settings(deadline=None, max_examples=50)
def test_otsu_splits_as_well_as_any_threshold(values: np.ndarray) -> None:
    def between(t: int) -> float:
        low, high = values[values <= t].astype(float), values[values > t].astype(float)
        return low.size * high.size * (low.mean() - high.mean()) ** 2 if low.size and high.size else 0.0

    assert between(otsu(values)) == pytest.approx(max(between(t) for t in range(256)))


def test_otsu_agrees_with_skimage() -> None:
    values = np.random.default_rng(1).normal(60, 15, 4000)
    values = np.concatenate([values, np.random.default_rng(2).normal(180, 20, 3000)]).clip(0, 255).astype(np.uint8)
    assert abs(otsu(values) - threshold_otsu(values)) <= 1


def test_saturation_is_hsvs() -> None:
    pixels = np.array([[(200, 100, 150), (255, 255, 255), (0, 0, 0), (10, 0, 0)]], dtype=np.uint8)
    assert saturation(pixels).tolist() == [[127, 0, 0, 53]]  # the last: damped, 10 / 48


def test_picture_that_is_all_tissue_stays_whole() -> None:
    """Two shades of tissue: Otsu alone would cut between them."""
    assert by_saturation(picture(PINK, (150, 90, 160), PALE), 0.04, 0.08).mean() > 0.98


def test_picture_that_is_all_glass_stays_empty() -> None:
    assert not by_saturation(picture(GLASS), 0.04, 0.08).any()


@pytest.mark.parametrize("tissue", [PINK, PALE])
def test_tissue_on_glass_is_found(tissue: tuple[int, int, int]) -> None:
    mask = by_saturation(picture(GLASS, tissue, GLASS), 0.04, 0.08)
    assert mask[:, 68:124].mean() > 0.99
    assert mask[:, :60].mean() < 0.01
    assert mask[:, 132:].mean() < 0.01


def test_black_border_of_a_scan_is_glass() -> None:
    mask = by_saturation(picture(BLACK, PINK, GLASS), 0.04, 0.08)
    assert mask[:, :60].mean() < 0.05
    assert mask[:, 68:124].all()


def test_grey_picture_is_told_by_brightness() -> None:
    grey = picture((90, 90, 90), (245, 245, 245), noise=0)
    mask = by_saturation(grey, 0.04, 0.08)
    assert mask[:, :64].all()
    assert not mask[:, 64:].any()


@pytest.mark.parametrize("rule", [by_h2g, by_l2s, by_ars, lambda pixels: by_hail(pixels, 160.0)])
def test_rules_of_the_papers_find_tissue_on_glass(rule) -> None:  # type: ignore[no-untyped-def]
    mask = rule(picture(GLASS, PINK, GLASS))
    assert mask.dtype == np.bool_
    assert mask[:, 80:112].mean() > 0.99
    assert mask[:, :40].mean() < 0.01


@pytest.mark.parametrize("rule", [by_h2g, by_ars, lambda pixels: by_hail(pixels, 16.0)])
def test_rules_of_the_papers_on_glass_alone(rule) -> None:  # type: ignore[no-untyped-def]
    assert not rule(np.full((40, 40, 3), 240, dtype=np.uint8)).any()


def test_small_areas_go_and_others_stay_as_they_are() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2:4, 2:4] = True
    mask[10:13, 10:13] = True
    kept = drop_small(mask, 5)
    assert not kept[:8].any()
    assert (kept[8:] == mask[8:]).all()
    assert (drop_small(mask, 4) == mask).all()
    assert not drop_small(np.zeros((3, 3), dtype=bool), 1).any()


@given(hnp.arrays(np.bool_, (15, 17)), st.integers(0, 3))
@settings(deadline=None, max_examples=50)
def test_closing_only_adds_and_only_once(mask: np.ndarray, radius: int) -> None:
    closed = close_gaps(mask, radius)
    assert (closed | mask == closed).all()
    assert (close_gaps(closed, radius) == closed).all()


def test_closing_bridges_narrow_gaps_only() -> None:
    mask = np.ones((9, 30), dtype=bool)
    mask[:, 5:7] = False
    mask[:, 15:22] = False
    closed = close_gaps(mask, 1)
    assert closed[:, :15].all()
    assert not closed[:, 15:22].any()
