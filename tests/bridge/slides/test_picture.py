"""Flat pictures as slides."""

from __future__ import annotations

import logging
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from bridge.coords import Window
from bridge.errors import SlideError, UnsupportedSlideError
from bridge.slides import picture
from bridge.slides.picture import PictureSlide

RGB = np.random.default_rng(5).integers(0, 256, (37, 53, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def read(path: Path) -> npt.NDArray[np.uint8]:
    with PictureSlide(path) as slide:
        return slide.read_window(slide.pyramid.window_at(1.0))


def test_png_is_read_exactly(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with PictureSlide(tmp_path / "a.png") as slide:
        assert slide.pyramid.dimensions == ((53, 37),)
        assert slide.pyramid.downsamples == (1.0,)
        assert slide.pyramid.mpp is None
        assert (slide.read_window(Window(3, 5, 20, 10)) == RGB[5:15, 3:23]).all()


def test_jpeg_resolution_is_not_believed(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.jpg", dpi=(2540, 2540))
    with PictureSlide(tmp_path / "a.jpg") as slide:
        assert slide.pyramid.mpp is None
        assert slide.read_level(0, 0, 0, 53, 37).shape == (37, 53, 3)


def test_grey_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png") == GREY[..., None]).all()


def test_black_and_white_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(GREY).convert("1").save(tmp_path / "a.png")
    assert set(np.unique(read(tmp_path / "a.png")).tolist()) == {0, 255}


def test_palette_becomes_its_colours(tmp_path: Path) -> None:
    indexed = Image.fromarray(RGB).quantize(16)
    indexed.save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png") == np.asarray(indexed.convert("RGB"))).all()


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    alpha = np.where(np.arange(53) < 20, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([RGB, np.broadcast_to(alpha, GREY.shape)])).save(tmp_path / "a.png")
    pixels = read(tmp_path / "a.png")
    assert (pixels[:, :20] == RGB[:, :20]).all()
    assert (pixels[:, 20:] == 255).all()


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    red, green, blue = read(tmp_path / "a.jpg")[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


def test_more_than_eight_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 9).save(tmp_path / "a.png")
    with pytest.raises(UnsupportedSlideError, match="16 bits"):
        PictureSlide(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (RGB, {"photometric": "rgb"}, RGB),
        (RGB, {"photometric": "rgb", "compression": "lzw", "predictor": True}, RGB),
        (RGB, {"photometric": "rgb", "compression": "adobe_deflate", "tile": (16, 16)}, RGB),
        (np.moveaxis(RGB, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}, RGB),
        (GREY, {"photometric": "minisblack"}, np.dstack([GREY] * 3)),
        (GREY, {"photometric": "miniswhite"}, 255 - np.dstack([GREY] * 3)),
        (GREY > 99, {"photometric": "minisblack"}, np.dstack([np.where(GREY > 99, 255, 0)] * 3)),
        (np.dstack([RGB, GREY * 0 + 255]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, RGB),
        (np.dstack([RGB, GREY * 0]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, RGB * 0 + 255),
        (np.dstack([RGB, GREY * 0]), {"photometric": "rgb", "extrasamples": ["unspecified"]}, RGB),
    ],
)
def test_kinds_of_tiff(
    tmp_path: Path, pixels: npt.NDArray[np.uint8], options: dict[str, object], expected: npt.NDArray[np.uint8]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, metadata=None, **options)
    assert (read(tmp_path / "a.tif") == expected).all()


def test_palette_tiff_becomes_its_colours(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (3, 256), dtype=np.uint16) << 8
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="palette", colormap=colours)
    assert (read(tmp_path / "a.tif") == (colours >> 8).T[GREY]).all()


def test_jpeg_in_tiff_becomes_rgb(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((32, 32, 3), (200, 30, 40), np.uint8), compression="jpeg")
    assert np.abs(read(tmp_path / "a.tif").astype(int) - (200, 30, 40)).max() < 6


def test_cmyk_tiff_becomes_rgb(tmp_path: Path) -> None:
    inks = np.full((8, 8, 4), (0, 255, 255, 0), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated")
    assert read(tmp_path / "a.tif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (GREY.astype(np.uint16), {}, "uint16"),
        (RGB.astype(np.float32), {"photometric": "rgb"}, "float32"),
        (np.moveaxis(RGB, 2, 0), {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}}, "channels"),
        (RGB, {"photometric": "cielab"}, "CIELAB"),
        (RGB, {"photometric": "ycbcr"}, "YCBCR"),
    ],
)
def test_pixels_that_are_no_picture_are_refused(
    tmp_path: Path, pixels: npt.NDArray[np.uint8], options: dict[str, object], reason: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(UnsupportedSlideError, match=reason):
        PictureSlide(tmp_path / "a.tif")


def test_of_a_stack_the_first_plane_is_read_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stack = np.stack([GREY, GREY + 1, GREY + 2])
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    with caplog.at_level(logging.WARNING):
        assert (read(tmp_path / "a.tif") == GREY[..., None]).all()
    assert "planes=3" in caplog.text


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}, (0.25, 0.5)),
        ({"resolution": (50_800, 50_800), "resolutionunit": "INCH"}, (0.5, 0.5)),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
        ({"resolution": (0, 0), "resolutionunit": "CENTIMETER"}, None),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, (0.25, 0.25)),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "\\u00B5m"}}, (0.25, 0.25)),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "pixel"}}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.22, "PhysicalSizeY": 0.23}}, (0.22, 0.23)),
        (
            {"ome": True, "metadata": {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.2}},
            (0.25, 0.2),
        ),
        ({"ome": True, "metadata": {"PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeY": 1}}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0, "PhysicalSizeY": 0}}, None),
    ],
)
def test_mpp_of_a_tiff(tmp_path: Path, options: dict[str, object], mpp: tuple[float, float] | None) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb", **options)
    with PictureSlide(tmp_path / "a.tif") as slide:
        assert slide.pyramid.mpp == (None if mpp is None else pytest.approx(mpp))


def test_given_mpp_goes_over_the_pictures(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", RGB, resolution=(40_000, 40_000), resolutionunit="CENTIMETER")
    with PictureSlide(tmp_path / "a.tif", mpp=(0.7, 0.8)) as slide:
        assert slide.pyramid.mpp == (0.7, 0.8)
    with PictureSlide(tmp_path / "a.tif", mpp=(0.0, 0.0)) as slide:
        assert slide.pyramid.mpp == (0.25, 0.25)


def test_too_large_a_picture_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(picture, "MAX_PICTURE_PIXELS", 53 * 37 - 1)
    with pytest.raises(UnsupportedSlideError, match="53 × 37"):
        PictureSlide(tmp_path / "a.png")


def test_bomb_of_a_header_is_refused(tmp_path: Path) -> None:
    """A PNG of 67 bytes that claims 60,000 × 60,000 pixels; Pillow's own warning must not come out either."""
    Image.fromarray(GREY).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    ihdr = data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:29]
    data[: len(ihdr)] = ihdr
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(UnsupportedSlideError, match="60000 × 60000"):
        PictureSlide(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_cut_picture_is_an_error_of_ours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).save(path)
    data = path.read_bytes()
    for length in (9, 20, 60, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        with pytest.raises(SlideError, match=f"a\\.{suffix}") as caught, PictureSlide(path) as slide:
            slide.read_level(0, 0, 0, 53, 37)
        assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no picture")
    with pytest.raises(UnsupportedSlideError, match="neither"):
        PictureSlide(tmp_path / "a.txt")


def test_closed_picture_says_so(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    slide = PictureSlide(tmp_path / "a.png")
    slide.close()
    slide.close()
    with pytest.raises(SlideError, match="closed"):
        slide.read_level(0, 0, 0, 1, 1)


def test_real_pictures(shared_data: Path) -> None:
    cells = shared_data / "wsi" / "qupath-cells"
    mpp = {"cells.png": None, "cells.tif": (0.25, 0.25), "cells.ome.tif": (0.25, 0.25)}
    expected = np.asarray(Image.open(cells / "cells.png").convert("RGB"))
    for name, value in mpp.items():
        with PictureSlide(cells / name) as slide:
            assert slide.pyramid.mpp == value
            assert (slide.read_window(slide.pyramid.window_at(1.0)) == expected).all()


def test_every_picture_of_the_segmentation_sets_opens(shared_data: Path) -> None:
    root = shared_data / "segmentation"
    paths = [*root.glob("monuseg/test/*.tif"), *root.glob("langerhans_islets/image/*.jpg")]
    assert paths
    for path in paths:
        with PictureSlide(path) as slide:
            assert slide.pyramid.mpp is None
            assert slide.thumbnail(64).std() > 0
