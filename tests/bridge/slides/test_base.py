"""Windows: one grid, whatever the tiling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bridge.coords import Pyramid, Window
from bridge.slides import open_slide
from bridge.slides.base import Slide, flatten_alpha


class ArraySlide(Slide):
    """One level in memory; counts the pixels that are read at once."""

    def __init__(self, pixels: npt.NDArray[np.uint8], properties: Mapping[str, str] = MappingProxyType({})) -> None:
        height, width = pixels.shape[:2]
        super().__init__(Path("array"), Pyramid(((width, height),), (1.0,), None), properties)
        self.pixels = pixels
        self.largest_read = 0

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> npt.NDArray[np.uint8]:
        assert level == 0
        assert x >= 0
        assert y >= 0
        assert x + width <= self.pixels.shape[1]
        assert y + height <= self.pixels.shape[0]
        self.largest_read = max(self.largest_read, width * height)
        return self.pixels[y : y + height, x : x + width]

    def close(self) -> None:
        pass


def apart(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max(initial=0))


def test_level_zero_window_is_the_picture(even_slide: Path, noise: npt.NDArray[np.uint8]) -> None:
    with open_slide(even_slide) as slide:
        assert (slide.read_window(Window(13, 27, 300, 200)) == noise[27:227, 13:313]).all()


def test_beyond_the_border_is_white(even_slide: Path, noise: npt.NDArray[np.uint8]) -> None:
    with open_slide(even_slide) as slide:
        pixels = slide.read_window(Window(-5, 630, 20, 20))
    assert (pixels[:, :5] == 255).all()
    assert (pixels[10:] == 255).all()
    assert (pixels[:10, 5:] == noise[630:640, :15]).all()


@pytest.mark.parametrize("downsample", [1.0, 2.0, 3.7])
def test_window_off_the_slide_is_white(even_slide: Path, downsample: float) -> None:
    with open_slide(even_slide) as slide:
        assert (slide.read_window(Window(5000, -900, 30, 20, downsample)) == 255).all()


def test_downsample_of_a_level_gives_its_own_pixels(even_slide: Path) -> None:
    with open_slide(even_slide) as slide:
        for level, downsample in enumerate(slide.pyramid.downsamples):
            width, height = slide.pyramid.dimensions[level]
            window = slide.pyramid.window_at(downsample)
            assert window.shape == (height, width)
            assert (slide.read_window(window) == slide.read_level(level, 0, 0, width, height)).all()


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("tile_px", [33, 64])
def test_tiles_of_a_level_are_crops_of_the_whole_exactly(noise_slide: Path, level: int, tile_px: int) -> None:
    with open_slide(noise_slide) as slide:
        whole_window = slide.pyramid.window_at(slide.pyramid.downsamples[level])
        whole = slide.read_window(whole_window)
        for tile in whole_window.tiles(tile_px):
            assert (slide.read_window(tile) == whole[whole_window.slices(tile)]).all()


@pytest.mark.parametrize("downsample", [1.25, 2.0, 3.3, 7.77, 40.0])
@pytest.mark.parametrize("tile_px", [5, 64])
def test_tiles_of_any_downsample_are_crops_of_the_whole(noise_slide: Path, downsample: float, tile_px: int) -> None:
    with open_slide(noise_slide) as slide:
        inner = slide.pyramid.window_at(downsample)
        around = Window(-3, -2, min(inner.width, 100) + 6, min(inner.height, 100) + 5, downsample)
        whole = slide.read_window(around)
        for tile in around.tiles(tile_px):
            assert apart(slide.read_window(tile), whole[around.slices(tile)]) <= 1


@settings(deadline=None, max_examples=100)
@given(st.floats(1, 9), st.integers(-9, 60), st.integers(-9, 60), st.integers(1, 40), st.integers(1, 40), st.data())
def test_any_window_agrees_with_any_larger_one(
    downsample: float, x: int, y: int, width: int, height: int, data: st.DataObject
) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (160, 210, 3), dtype=np.uint8)
    slide = ArraySlide(pixels)
    window = Window(x, y, width, height, downsample)
    left, top, right, bottom = (data.draw(st.integers(0, 7)) for _ in range(4))
    larger = Window(x - left, y - top, width + left + right, height + top + bottom, downsample)
    assert apart(slide.read_window(window), slide.read_window(larger)[larger.slices(window)]) <= 1


@pytest.mark.parametrize("downsample", [1.0, 1.5, 2.0, 3.7])
def test_pixel_next_to_the_slide_is_white_whatever_is_read_with_it(downsample: float) -> None:
    slide = ArraySlide(np.zeros((37, 37, 3), dtype=np.uint8))
    alone = slide.read_window(Window(3, -1, 1, 1, downsample))
    together = slide.read_window(Window(0, -4, 9, 9, downsample))
    assert (alone == 255).all()
    assert (together[:4] == 255).all()


@pytest.mark.parametrize("downsample", [1.0, 1.5, 2.0, 4.0, 6.3])
def test_colour_of_a_uniform_area_is_kept(downsample: float) -> None:
    slide = ArraySlide(np.full((300, 300, 3), (200, 100, 151), dtype=np.uint8))
    assert (slide.read_window(Window(5, 5, 20, 20, downsample)) == (200, 100, 151)).all()


def test_resampling_keeps_the_place() -> None:
    """A ramp of one grey value per pixel, seen at 1/4, shows the level-0 coordinate of each pixel's centre."""
    ramp = np.broadcast_to(np.arange(240, dtype=np.uint8)[None, :, None], (40, 240, 3))
    slide = ArraySlide(np.ascontiguousarray(ramp))
    seen = slide.read_window(Window(5, 2, 50, 4, 4.0))[..., 0].astype(float)
    centres = (np.arange(5, 55) + 0.5) * 4 - 0.5
    assert np.abs(seen - centres).max() <= 0.5


def test_large_downsample_is_read_piece_by_piece() -> None:
    slide = ArraySlide(np.zeros((100, 9000, 3), dtype=np.uint8))
    thumbnail = slide.thumbnail(30)
    assert thumbnail.shape == (1, 30, 3)
    assert slide.largest_read < 5000 * 100


def test_result_is_ours_to_write(even_slide: Path) -> None:
    with open_slide(even_slide) as slide:
        for window in (Window(0, 0, 8, 8), Window(0, 0, 8, 8, 2.0), Window(0, 0, 8, 8, 2.5)):
            assert slide.read_window(window).flags.writeable


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 120))
def test_thumbnail_covers_the_slide_within_its_limit(width: int, height: int, max_px: int) -> None:
    slide = ArraySlide(np.zeros((height, width, 3), dtype=np.uint8))
    window = slide.thumbnail_window(max_px)
    assert max(window.shape) <= max_px
    assert window.bounds[2] >= width - 1e-3
    assert window.bounds[3] >= height - 1e-3
    assert window.right - width / window.downsample < 1
    assert window.bottom - height / window.downsample < 1


def test_small_slide_is_its_own_thumbnail() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert (ArraySlide(pixels).thumbnail(512) == pixels).all()


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(10, 20, 30, 255), (10, 20, 30, 0), (0, 0, 0, 128)])
    assert flatten_alpha(image).tolist() == [[[10, 20, 30], [255, 255, 255], [127, 127, 127]]]


@given(width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 99), is_opaque=st.booleans())
@settings(deadline=None, max_examples=40)
def test_colours_are_laid_on_white_by_their_alpha(width: int, height: int, seed: int, is_opaque: bool) -> None:
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    if is_opaque:
        rgba[..., 3] = 255
    found = flatten_alpha(Image.fromarray(rgba, "RGBA"))
    share = rgba[..., 3:].astype(np.float64) / 255
    expected = rgba[..., :3] * share + 255 * (1 - share)
    assert found.shape == (height, width, 3)
    assert np.abs(found - expected).max() <= (0 if is_opaque else 1)
