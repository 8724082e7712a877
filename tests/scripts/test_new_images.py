"""What a new QuPath project is told of real and odd slides."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.errors import ConfigError, SlideError, SlideNotFoundError, UnsupportedSlideError
from bridge.qupath import create_project
from lab_support import draw_slide
from scn_support import PART, write_scn
from scripts.new_images import new_image, new_images


def test_a_real_slide_is_described_as_qupath_describes_it(shared_data: Path) -> None:
    image = new_image(shared_data / "qupath_projects" / "images" / "slide_a.tif")
    assert (image.width, image.height, image.levels) == (2048, 1536, ((2048, 1536), (1024, 768), (512, 384)))
    assert (image.mpp, image.tile, image.is_openslide, image.is_described) == ((0.5, 0.5), (256, 256), True, True)
    svs = new_image(shared_data / "wsi" / "CMU-1-Small-Region.svs")
    assert (svs.magnification, svs.tile, svs.mpp) == (20.0, (240, 240), (0.499, 0.499))


@pytest.mark.parametrize("version", ["051", "060", "070"])
def test_the_server_builder_is_the_one_that_qupath_wrote(shared_data: Path, tmp_path: Path, version: str) -> None:
    folder = shared_data / "qupath_projects"
    real = json.loads((folder / f"shapes_{version}" / "project.qpproj").read_bytes())["images"]
    images = new_images([folder / "images" / name for name in ("slide_a.tif", "slide_b.tif")])
    project = create_project(tmp_path / "p", images, {}, now=datetime(2030, 1, 2, tzinfo=UTC))
    made = json.loads(project.path.read_bytes())["images"]
    for ours, theirs in zip(made, real, strict=True):
        ours["serverBuilder"].pop("uri"), theirs["serverBuilder"].pop("uri")
        assert ours["serverBuilder"] == theirs["serverBuilder"]
        assert ours["imageName"] == theirs["imageName"]


def test_a_slide_with_bounds_is_described_as_qupath_crops_it(tmp_path: Path) -> None:
    write_scn(tmp_path / "a.scn")
    image = new_image(tmp_path / "a.scn")
    assert (image.width, image.height) == PART[2:]
    assert image.levels == ((512, 256), (128, 64))
    assert image.magnification == 20
    assert image.thumbnail is not None
    assert Image.open(io.BytesIO(image.thumbnail)).size == (512, 256)


@pytest.mark.parametrize(
    ("mode", "suffix", "is_described"),
    [("RGB", "png", True), ("RGB", "jpg", True), ("RGB", "tif", True), ("L", "png", False), ("RGBA", "png", False),
     ("P", "png", False), ("L", "tif", False), ("CMYK", "jpg", False)],
)  # fmt: skip
def test_pictures_are_described_where_qupath_shows_three_colours(
    tmp_path: Path, mode: str, suffix: str, is_described: bool
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).convert(mode).save(path)
    image = new_image(path)
    assert (image.is_openslide, image.is_described) == (False, is_described)
    assert (image.width, image.height, image.tile, image.magnification) == (30, 20, (30, 20), None)


def test_stacks_and_odd_packings_are_left_to_qupath(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((3, 20, 30, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "jpeg.tif", np.zeros((32, 32, 3), np.uint8), compression="jpeg", photometric="rgb")
    assert [new_image(tmp_path / name).is_described for name in ("stack.tif", "jpeg.tif")] == [False, False]


def test_folders_series_and_repetitions(shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ü b"
    folder.mkdir()
    for name in ("boxes_0.dcm", "boxes_1.dcm", "small.svs"):
        shutil.copy(shared_data / "wsi" / "openslide-python-fixtures" / name, folder)
    (folder / "notes.txt").touch()
    images = new_images([folder / "small.svs", folder, folder / ".." / "ü b" / "boxes_1.dcm"])
    assert [image.path.name for image in images] == ["small.svs", "boxes_0.dcm"]


def test_slides_of_one_name_get_names_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "a.tif" for folder in ("x", "y", "z/x")] + [tmp_path / "x" / "b.tif"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_slide(path)
    assert [i.name for i in new_images(paths)] == ["a.tif (x) 1", "a.tif (y)", "a.tif (x) 2", "b.tif"]


def test_slides_that_we_cannot_open_point_to_paquo(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.vsi").write_bytes(b"what only Bio-Formats reads")
    fixtures = shared_data / "wsi" / "openslide-python-fixtures"
    for path in (tmp_path / "a.vsi", fixtures / "unopenable.tiff"):
        with pytest.raises(UnsupportedSlideError, match=rf"{path.name}.*--backend paquo") as caught:
            new_images([path])
        assert "\n" not in str(caught.value)


def test_slides_that_are_damaged_or_missing_are_named(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"unreadable\.svs can't be read"):
        new_images([shared_data / "wsi" / "openslide-python-fixtures" / "unreadable.svs"])
    with pytest.raises(SlideNotFoundError, match=r"gone\.svs"):
        new_images([tmp_path / "gone.svs"])


def test_a_dicom_file_without_a_slide_is_refused_and_never_left_out_in_silence(
    shared_data: Path, tmp_path: Path
) -> None:
    wsi = shared_data / "wsi"
    other = wsi / "highdicom" / "sm_annotations.dcm"
    for given in ([other], [wsi / "CMU-1-Small-Region.svs", other]):
        with pytest.raises(ConfigError, match=r"sm_annotations\.dcm: this DICOM file holds no slide"):
            new_images(given)
    shutil.copytree(other.parent, tmp_path / "folder")
    assert [image.name for image in new_images([tmp_path / "folder"])] == ["sm_image.dcm"]


def test_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one slide"):
        new_images([])
    with pytest.raises(ConfigError, match="no slide lies in this folder"):
        new_images([tmp_path])
