"""The tissue mask on the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from bridge.coords import Region, Window
from bridge.slides import TissueMask, TissueOptions, TissueRule, open_slide, tissue_mask, write_pyramid

masks = hnp.arrays(np.bool_, (7, 9))


def grown(mask: np.ndarray, factor: int) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)


def crop(full: np.ndarray, region: Region) -> np.ndarray:
    """Cut a region out of an array that is all False beyond its border."""
    padded = np.pad(full, 200)
    return padded[region.y + 200 : region.bottom + 200, region.x + 200 : region.right + 200]


@given(masks, st.integers(1, 6), st.integers(-20, 60), st.integers(-20, 60), st.integers(1, 70), st.integers(1, 70))
@settings(deadline=None, max_examples=60)
def test_fraction_is_that_of_the_pixels(mask: np.ndarray, d: int, x: int, y: int, width: int, height: int) -> None:
    region = Region(x, y, width, height)
    tissue = TissueMask(mask, Window(0, 0, 9, 7, float(d)))
    assert tissue.fraction(region) == pytest.approx(crop(grown(mask, d), region).mean())


@given(masks, st.integers(1, 4), st.integers(1, 5), st.integers(-4, 9), st.integers(-4, 9))
@settings(deadline=None, max_examples=60)
def test_coverage_is_the_fraction_of_each_pixel(mask: np.ndarray, d: int, other: int, x: int, y: int) -> None:
    tissue = TissueMask(mask, Window(0, 0, 9, 7, float(d)))
    window = Window(x, y, 6, 5, float(other))
    blocks = crop(grown(mask, d), window.to_region()).reshape(5, other, 6, other).mean(axis=(1, 3))
    assert tissue.coverage(window) == pytest.approx(blocks, abs=1e-6)


def test_coverage_of_the_own_grid_is_the_mask() -> None:
    mask = np.random.default_rng(0).random((31, 47)) > 0.5
    window = Window(0, 0, 47, 31, 3.7)
    assert np.abs(TissueMask(mask, window).coverage(window) - mask).max() < 1e-6


def test_tiles_are_those_with_tissue() -> None:
    mask = np.zeros((10, 10), dtype=bool)
    mask[0:3, 7] = True  # level-0 columns 70 to 79, rows 0 to 29
    tissue = TissueMask(mask, Window(0, 0, 10, 10, 10.0))
    assert list(tissue.tiles(10, 2.0)) == [Window(30, 0, 10, 10, 2.0), Window(30, 10, 10, 10, 2.0)]
    assert list(tissue.tiles(10, 2.0, min_fraction=0.4)) == [Window(30, 0, 10, 10, 2.0)]
    assert tissue.area == 300


@given(masks, st.integers(1, 9), st.sampled_from([1.0, 2.0, 2.5]))
@settings(deadline=None, max_examples=40)
def test_tiles_hold_all_tissue(mask: np.ndarray, tile_px: int, downsample: float) -> None:
    tissue = TissueMask(mask, Window(0, 0, 9, 7, 4.0))
    regions = [tile.bounds for tile in tissue.tiles(tile_px, downsample)]
    for row, column in np.argwhere(mask):
        x, y = column * 4 + 2.1, row * 4 + 2.1
        assert any(left <= x < right and top <= y < bottom for left, top, right, bottom in regions)


def test_mask_must_fit_its_window() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        TissueMask(np.zeros((3, 4), dtype=bool), Window(0, 0, 3, 4))


def test_tissue_of_a_synthetic_slide(tmp_path: Path) -> None:
    pixels = np.full((1200, 1600, 3), (243, 241, 244), dtype=np.uint8)
    rows, columns = np.mgrid[:1200, :1600]
    disc = (rows - 600) ** 2 + (columns - 900) ** 2 < 400**2
    pixels[disc] = (205, 140, 180)
    pixels[100:108, 100:108] = (200, 90, 90)  # dust
    write_pyramid(tmp_path / "a.tif", pixels, (0.5, 0.5))
    with open_slide(tmp_path / "a.tif") as slide:
        tissue = tissue_mask(slide)
    assert tissue.window.downsample == pytest.approx(16.0)
    assert tissue.area == pytest.approx(disc.sum(), rel=0.08)
    assert tissue.fraction(Region(900, 600, 1, 1)) == 1
    assert tissue.fraction(Region(50, 50, 200, 200)) == 0


def test_hole_is_filled_up_to_its_limit(tmp_path: Path) -> None:
    pixels = np.full((1600, 1600, 3), (205, 140, 180), dtype=np.uint8)
    pixels[600:700, 600:700] = 244
    pixels[1000:1400, 1000:1400] = 244
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=(0.5, 0.5)) as slide:
        tissue = tissue_mask(slide)
        open_tissue = tissue_mask(slide, TissueOptions(max_hole_um2=0, close_um=0))
    assert tissue.fraction(Region(650, 650, 1, 1)) == 1
    assert tissue.fraction(Region(1200, 1200, 1, 1)) == open_tissue.fraction(Region(650, 650, 1, 1)) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (131, 93)])
@pytest.mark.parametrize("rule", list(TissueRule))
def test_any_size_and_rule_gives_a_mask(tmp_path: Path, size: tuple[int, int], rule: TissueRule) -> None:
    Image.new("RGB", size, (200, 130, 170)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png") as slide:
        tissue = tissue_mask(slide, TissueOptions(rule=rule))
        assert tissue.mask.shape == tissue.window.shape
        assert rule is TissueRule.ARS or tissue.fraction(slide.pyramid.bounds) == pytest.approx(1.0)


def test_mask_never_grows_beyond_its_limit(even_slide: Path) -> None:
    with open_slide(even_slide) as slide:
        assert max(tissue_mask(slide, TissueOptions(mask_mpp=0.5, max_px=100)).mask.shape) == 100


def test_pictures_that_are_all_tissue(shared_data: Path) -> None:
    """H&E crops of MoNuSeg: nearly everything is tissue, whatever the staining."""
    paths = sorted((shared_data / "segmentation" / "monuseg").glob("*/**/*.tif"))
    assert len(paths) > 10
    for path in paths:
        with open_slide(path) as slide:
            assert tissue_mask(slide).fraction(slide.pyramid.bounds) > 0.94, path.name


def test_real_slide_is_part_tissue_part_glass(shared_data: Path) -> None:
    with open_slide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        tissue = tissue_mask(slide)
    assert 0.3 < tissue.fraction(Region(0, 0, 2220, 2967)) < 0.5
