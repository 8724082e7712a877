"""Slides made of shared tiles: OpenSlide reads every level, and the tissue is where it was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.coords import Window
from bridge.slides import open_slide, tissue_mask
from scripts.bench.huge_slide import DOWNSAMPLES, SIDE, HugeSlide, write_huge_slide


def written(tmp_path: Path, slide: HugeSlide) -> Path:
    path = tmp_path / "huge.tif"
    write_huge_slide(path, slide)
    return path


def test_openslide_reads_the_levels_of_a_slide_of_a_hundred_thousand_pixels(tmp_path: Path) -> None:
    path = written(tmp_path, HugeSlide(25_024))
    assert path.stat().st_size < 10 * 2**20, "small on disk"
    with open_slide(path) as slide:
        assert slide.pyramid.dimensions == tuple((SIDE // d, SIDE // d) for d in DOWNSAMPLES)
        assert slide.pyramid.downsamples == pytest.approx(DOWNSAMPLES)
        assert slide.pyramid.mpp == pytest.approx((0.25, 0.25), rel=1e-3)


@pytest.mark.parametrize("tissue_side", [3_200, 6_400, 12_800])
def test_the_tissue_has_the_area_asked_for(tmp_path: Path, tissue_side: int) -> None:
    with open_slide(written(tmp_path, HugeSlide(tissue_side, 12_800))) as slide:
        assert tissue_mask(slide).area == pytest.approx(tissue_side**2, rel=0.05)


def test_without_tissue_there_is_none(tmp_path: Path) -> None:
    with open_slide(written(tmp_path, HugeSlide(0, 6_400))) as slide:
        assert tissue_mask(slide).area == 0


@pytest.mark.parametrize("downsample", DOWNSAMPLES[1:])
def test_every_level_shows_what_level_0_shows(tmp_path: Path, downsample: int) -> None:
    slide = HugeSlide(4_992, 12_800)
    assert slide.tissue is not None
    corner = (slide.tissue.x - 512, slide.tissue.y - 512)
    with open_slide(written(tmp_path, slide)) as opened:
        size = 1024 // downsample
        level = opened.pyramid.downsamples.index(downsample)
        coarse = opened.read_level(level, corner[0] // downsample, corner[1] // downsample, size, size)
        fine = opened.read_window(Window(*corner, 1024, 1024))
    means = fine.reshape(size, downsample, size, downsample, 3).mean(axis=(1, 3))
    assert np.abs(means - coarse).mean() < 6, "JPEG's losses"


def test_the_same_slide_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.tif", "b.tif")]
    for path in paths:
        write_huge_slide(path, HugeSlide(320, 3_200))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("tissue_side", "side"), [(64, 100), (6_400, 3_200)])
def test_what_can_not_be_made_is_refused(tissue_side: int, side: int) -> None:
    with pytest.raises(ValueError, match="multiple of"):
        HugeSlide(tissue_side, side)
