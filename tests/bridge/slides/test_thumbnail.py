from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.coords import Region
from bridge.slides import open_slide, thumbnail_jpeg, write_pyramid
from bridge.slides import thumbnail as thumbnail_module
from scn_support import PART, write_scn


def _open(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data))


def _slide_of(path: Path, width: int, height: int) -> Path:
    write_pyramid(path, np.full((height, width, 3), (200, 100, 50), np.uint8), (0.5, 0.5))
    return path


@pytest.mark.parametrize(
    ("size", "thumbnail"), [((2048, 1536), (800, 600)), ((320, 240), (320, 240)), ((3000, 300), (1000, 100))]
)
def test_it_fits_qupaths_box(tmp_path: Path, size: tuple[int, int], thumbnail: tuple[int, int]) -> None:
    with open_slide(_slide_of(tmp_path / "a.tif", *size)) as slide:
        image = _open(thumbnail_jpeg(slide))
    assert (image.size, image.mode, image.format) == (thumbnail, "RGB", "JPEG")
    assert np.abs(np.asarray(image).astype(int) - (200, 100, 50)).max() < 12


def test_it_is_the_picture_that_qupath_made(shared_data: Path) -> None:
    folder = shared_data / "qupath_projects"
    real = Image.open(folder / "shapes_070" / "data" / "1" / "thumbnail.jpg")
    with open_slide(folder / "images" / "slide_a.tif") as slide:
        ours = _open(thumbnail_jpeg(slide))
    assert ours.size == real.size
    assert ours.quantization == real.quantization
    assert np.abs(np.asarray(ours).astype(float) - np.asarray(real)).mean() < 4


def test_it_shows_the_scanned_part(tmp_path: Path) -> None:
    write_scn(tmp_path / "a.scn")
    with open_slide(tmp_path / "a.scn") as slide:
        image = np.asarray(_open(thumbnail_jpeg(slide, Region(*PART)))).astype(int)
    assert image.shape == (256, 512, 3)
    assert np.abs(image[4:60, 4:60] - (90, 50, 130)).max() < 12
    assert np.abs(image[80:, 80:] - (225, 150, 190)).max() < 12


def test_a_slide_without_a_small_level_is_left_to_qupath(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_module, "_MOST_PIXELS", 100)
    with open_slide(_slide_of(tmp_path / "a.tif", 64, 64)) as slide:
        assert thumbnail_jpeg(slide) is None
