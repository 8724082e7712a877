"""Opening by path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.errors import SlideError, SlideNotFoundError, UnsupportedSlideError
from bridge.slides import open_slide
from bridge.slides.openslide_slide import OpenSlideSlide
from bridge.slides.picture import PictureSlide

ROOT = Path(__file__).resolve().parents[3]


def test_pyramid_opens_with_openslide(noise_slide: Path) -> None:
    with open_slide(noise_slide) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert slide.path == noise_slide


def test_picture_opens_as_one_level(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=(0.5, 0.5)) as slide:
        assert isinstance(slide, PictureSlide)
        assert slide.pyramid.mpp == (0.5, 0.5)


def test_missing_slide_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFoundError, match=r"12\.svs is not in"):
        open_slide(tmp_path / "12.svs")


def test_folder_is_no_slide(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=tmp_path.name):
        open_slide(tmp_path)


def test_what_nobody_opens_names_both_reasons(shared_data: Path) -> None:
    path = shared_data / "wsi" / "openslide-python-fixtures" / "unopenable.tiff"
    with pytest.raises(UnsupportedSlideError, match=r"52479.*OpenSlide says.*52479"):
        open_slide(path)


def test_text_is_no_slide(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_text("no slide")
    with pytest.raises(UnsupportedSlideError, match=r"a\.svs is neither"):
        open_slide(tmp_path / "a.svs")


@pytest.mark.parametrize("name", ["slide_a.tif", "slide_b.tif"])
def test_slides_of_the_qupath_projects(shared_data: Path, name: str) -> None:
    with open_slide(shared_data / "qupath_projects" / "images" / name) as slide:
        assert slide.pyramid.downsamples == (1.0, 2.0, 4.0)
        assert slide.pyramid.mpp == (0.5, 0.5)


def test_import_loads_no_reader() -> None:
    """Start-up: OpenSlide, tifffile and scipy.ndimage wait for the first slide."""
    code = "import sys, bridge.slides; print([m for m in ('openslide', 'tifffile', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
