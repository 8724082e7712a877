"""OpenSlide's slides, whole and damaged."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from bridge.coords import Window
from bridge.errors import SlideError, UnsupportedSlideError
from bridge.slides.openslide_slide import OpenSlideSlide


@pytest.fixture
def fixtures(shared_data: Path) -> Path:
    return shared_data / "wsi" / "openslide-python-fixtures"


def test_reads_an_aperio_slide(shared_data: Path) -> None:
    with OpenSlideSlide(shared_data / "wsi" / "CMU-1-Small-Region.svs") as slide:
        assert slide.pyramid.dimensions == ((2220, 2967),)
        assert slide.pyramid.mpp == (0.499, 0.499)
        assert slide.properties["openslide.vendor"] == "aperio"
        pixels = slide.read_window(Window(100, 200, 64, 32, 2.0))
    assert pixels.shape == (32, 64, 3)
    assert pixels.std() > 0


@pytest.mark.parametrize("name", ["boxes_0.dcm", "boxes_1.dcm"])
def test_reads_a_dicom_slide_by_either_of_its_files(fixtures: Path, name: str) -> None:
    with OpenSlideSlide(fixtures / name) as slide:
        assert slide.pyramid.dimensions[0] == (16, 16)
        assert slide.read_window(slide.pyramid.window_at(1.0)).shape == (16, 16, 3)


def test_reads_the_boxes_as_the_picture_shows_them(fixtures: Path) -> None:
    expected = np.asarray(Image.open(fixtures / "boxes.png").convert("RGB"))
    with OpenSlideSlide(fixtures / "boxes.tiff") as slide:
        assert (slide.read_window(slide.pyramid.window_at(1.0)) == expected).all()


def test_resolution_of_a_print_is_not_believed(fixtures: Path) -> None:
    """The TIFF says 72 dpi: 353 µm per pixel."""
    with OpenSlideSlide(fixtures / "boxes.tiff") as slide:
        assert slide.pyramid.mpp is None


def test_given_mpp_goes_over_the_slides(noise_slide: Path) -> None:
    with OpenSlideSlide(noise_slide, mpp=(1.5, 1.6)) as slide:
        assert slide.pyramid.mpp == (1.5, 1.6)
    with OpenSlideSlide(noise_slide, mpp=(float("nan"), 1.0)) as slide:
        assert slide.pyramid.mpp == pytest.approx((0.25, 0.26), rel=1e-6)


def test_file_that_does_not_open_says_why(fixtures: Path) -> None:
    with pytest.raises(UnsupportedSlideError, match=r"unopenable\.tiff.*compression"):
        OpenSlideSlide(fixtures / "unopenable.tiff")


def test_slide_that_fails_on_reading_can_be_asked_again(fixtures: Path) -> None:
    with OpenSlideSlide(fixtures / "unreadable.svs") as slide:
        assert slide.pyramid.dimensions == ((16, 16),)
        for _ in range(2):
            with pytest.raises(SlideError, match=r"unreadable\.svs can't be read at \(0, 0\)") as caught:
                slide.read_level(0, 0, 0, 10, 10)
            assert "Bogus" in str(caught.value)
            assert "\n" not in str(caught.value)


def test_slide_that_was_damaged_only_for_a_while_reads_again(fixtures: Path, tmp_path: Path) -> None:
    """After an error OpenSlide's own handle stays broken; ours is opened anew."""
    path = tmp_path / "slide.svs"
    path.write_bytes((fixtures / "unreadable.svs").read_bytes())
    with OpenSlideSlide(path) as slide:
        with pytest.raises(SlideError):
            slide.read_level(0, 0, 0, 10, 10)
        path.write_bytes((fixtures / "small.svs").read_bytes())
        assert slide.read_level(0, 0, 0, 10, 10).shape == (10, 10, 3)


def test_closed_slide_says_so(noise_slide: Path) -> None:
    slide = OpenSlideSlide(noise_slide)
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_level(0, 0, 0, 1, 1)


def test_value_of_a_pixel_does_not_depend_on_the_read(noise_slide: Path) -> None:
    """Level 1's downsample is not whole: OpenSlide alone would interpolate differently for each read."""
    with OpenSlideSlide(noise_slide) as slide:
        width, height = slide.pyramid.dimensions[1]
        assert slide.pyramid.downsamples[1] % 1 != 0
        whole = slide.read_level(1, 0, 0, width, height)
        for x, y in [(1, 0), (17, 33), (200, 101), (width - 9, height - 9)]:
            assert (slide.read_level(1, x, y, 9, 9) == whole[y : y + 9, x : x + 9]).all()


def test_threads_read_the_same(noise_slide: Path, noise: npt.NDArray[np.uint8]) -> None:
    windows = list(Window(0, 0, 903, 701).tiles(100))
    with OpenSlideSlide(noise_slide) as slide, ThreadPoolExecutor(4) as pool:
        for window, pixels in zip(windows, pool.map(slide.read_window, windows), strict=True):
            assert (pixels == noise[window.y : window.bottom, window.x : window.right]).all()
