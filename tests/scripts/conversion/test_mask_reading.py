"""Label masks of ours and of others, as outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.annotations import ClassScheme
from bridge.coords import Window
from bridge.errors import AnnotationFileError, ConfigError
from bridge.formats import MaskInfo, write_label_mask
from bridge.raster import ShapeIndex
from scripts.conversion.classes import ClassFile
from scripts.conversion.mask_reading import read_mask
from scripts.conversion.reading import SlideFacts

SCHEME = ClassFile(Path("c.toml"), ClassScheme({"Tumor": (255, 0, 0), "Fat": (0, 255, 0)}))


def blobs(seed: int = 3, shape: tuple[int, int] = (2300, 500), labels: int = 4) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, labels, (shape[0] // 20, shape[1] // 20), dtype=np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


def test_outlines_give_the_mask_back_whatever_its_bands(tmp_path: Path) -> None:
    mask = blobs()  # several bands high
    write_label_mask(tmp_path / "m.tif", mask, MaskInfo())
    found = read_mask(tmp_path / "m.tif", 4.0, None, None)
    number = {f"Label {i}": i for i in (1, 2, 3)}
    shapes = [(a.geometry, number[a.path_class or ""]) for a in found.found.annotations]
    assert np.array_equal(ShapeIndex(shapes, 4.0).burn(Window(0, 0, 500, 2300, 4.0)), mask)
    assert (found.size, found.downsample) == ((2000, 9200), 4.0)


def test_the_files_own_names_scale_and_place_count(tmp_path: Path) -> None:
    labels = np.zeros((10, 20), np.uint8)
    labels[2:4, 5:9], labels[6:8, 5:9] = 1, 255
    names, colors = ("Background", "Nerve"), ((0, 0, 0), (9, 8, 7))
    info = MaskInfo(names, colors, mask_mpp=(2.0, 2.0), downsample=8.0, origin=(100, 50))
    write_label_mask(tmp_path / "m.png", labels, info)
    found = read_mask(tmp_path / "m.png", None, SCHEME, None)
    classes = [(a.path_class, a.color, a.geometry.bounds) for a in found.found.annotations]
    assert classes[0] == ("Nerve", (9, 8, 7), (840, 416, 872, 432))
    assert classes[1][0] == "Ignore*"
    assert found.mpp == (0.25, 0.25) and found.notes == ()


def test_a_binary_mask_of_0_and_255_is_label_1(tmp_path: Path) -> None:
    labels = np.zeros((10, 20), np.uint8)
    labels[2:4, 5:9] = 255
    write_label_mask(tmp_path / "m.png", labels, MaskInfo())
    found = read_mask(tmp_path / "m.png", None, SCHEME, None)
    assert [a.path_class for a in found.found.annotations] == ["Tumor"] and "255" in found.notes[0]


def test_labels_beyond_the_given_classes_are_kept_and_said(tmp_path: Path) -> None:
    labels = np.zeros((10, 20), np.uint8)
    labels[2:4, 5:9], labels[6:8, 5:9], labels[9, 0] = 1, 7, 255
    write_label_mask(tmp_path / "m.png", labels, MaskInfo())
    found = read_mask(tmp_path / "m.png", None, SCHEME, None)
    assert [a.path_class for a in found.found.annotations] == ["Tumor", "Label 7", "Ignore*"]
    assert any("Label 7" in note for note in found.notes) and any("label 255" in note for note in found.notes)


@pytest.mark.parametrize("downsample", [1.0, 3.7, 4.0, 10.1])
def test_the_size_is_one_that_the_mask_covers(tmp_path: Path, downsample: float) -> None:
    write_label_mask(tmp_path / "m.png", np.zeros((97, 61), np.uint8), MaskInfo(downsample=downsample))
    size = read_mask(tmp_path / "m.png", None, None, None).size
    assert size is not None
    assert [np.ceil(side / downsample) for side in size] == [61, 97]


def test_a_mask_that_does_not_fit_the_slide(tmp_path: Path) -> None:
    write_label_mask(tmp_path / "m.png", np.zeros((50, 70), np.uint8), MaskInfo())
    slide = SlideFacts("s.svs", (695, 500), None)
    with pytest.raises(ConfigError, match="give --downsample"):
        read_mask(tmp_path / "m.png", None, None, slide)
    assert read_mask(tmp_path / "m.png", 10.0, None, slide).notes == ()
    assert "don't cover the same" in read_mask(tmp_path / "m.png", 5.0, None, slide).notes[0]


def test_a_mask_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="no such file"):
        read_mask(tmp_path / "m.png", None, None, None)
