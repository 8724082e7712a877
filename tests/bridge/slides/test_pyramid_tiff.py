"""The slide that we write is one that OpenSlide reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bridge.slides import TiffCompression, open_slide, write_pyramid
from bridge.slides.openslide_slide import OpenSlideSlide


def test_openslide_reads_levels_and_mpp(tmp_path: Path) -> None:
    pixels = np.full((1500, 1400, 3), 200, dtype=np.uint8)
    write_pyramid(tmp_path / "a.tif", pixels, (0.2525, 0.5))
    with OpenSlideSlide(tmp_path / "a.tif") as slide:
        assert slide.properties["openslide.vendor"] == "generic-tiff"
        assert slide.pyramid.dimensions == ((1400, 1500), (700, 750), (350, 375))
        assert slide.pyramid.downsamples == (1.0, 2.0, 4.0)
        assert slide.pyramid.mpp == pytest.approx((0.2525, 0.5), rel=1e-6)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.2525, rel=1e-6)


def test_deflate_is_lossless(noise_slide: Path, noise: npt.NDArray[np.uint8]) -> None:
    with open_slide(noise_slide) as slide:
        assert (slide.read_level(0, 0, 0, 903, 701) == noise).all()


def test_jpeg_is_near(tmp_path: Path) -> None:
    ramp = np.add.outer(np.arange(300), np.arange(310)) // 3
    pixels = np.dstack([ramp, 255 - ramp, ramp // 2 + 40]).astype(np.uint8)
    write_pyramid(tmp_path / "a.tif", pixels, (0.5, 0.5))
    with open_slide(tmp_path / "a.tif") as slide:
        read = slide.read_level(0, 0, 0, 310, 300)
    assert np.abs(read.astype(int) - pixels).max() <= 12
    assert np.abs(read.astype(int) - pixels).mean() <= 2


def test_level_is_the_mean_of_four(even_slide: Path, noise: npt.NDArray[np.uint8]) -> None:
    blocks = noise[:640, :768].reshape(320, 2, 384, 2, 3).mean(axis=(1, 3))
    with open_slide(even_slide) as slide:
        assert np.abs(slide.read_level(1, 0, 0, 384, 320) - blocks).max() <= 0.5


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 700), (513, 512), (17, 1000)])
def test_any_size_is_readable_to_the_last_pixel(tmp_path: Path, width: int, height: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    write_pyramid(tmp_path / "a.tif", pixels, (0.5, 0.5), compression=TiffCompression.DEFLATE)
    with open_slide(tmp_path / "a.tif") as slide:
        assert (slide.read_level(0, 0, 0, width, height) == pixels).all()
        assert max(slide.pyramid.dimensions[-1]) <= 512
        assert all(max(size) > 512 for size in slide.pyramid.dimensions[:-1])


@pytest.mark.parametrize("compression", list(TiffCompression))
def test_same_pixels_give_the_same_bytes(
    tmp_path: Path, noise: npt.NDArray[np.uint8], compression: TiffCompression
) -> None:
    for name in ("a.tif", "b.tif"):
        write_pyramid(tmp_path / name, noise, (0.25, 0.25), compression=compression)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_what_is_no_slide_is_refused(tmp_path: Path, noise: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="uint8"):
        write_pyramid(tmp_path / "a.tif", noise[..., 0], (0.25, 0.25))
    with pytest.raises(ValueError, match="mpp"):
        write_pyramid(tmp_path / "a.tif", noise, (0.0, 0.25))
    assert not (tmp_path / "a.tif").exists()
