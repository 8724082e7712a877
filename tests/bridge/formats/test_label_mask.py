"""Label masks: what is written reads back, other programs' files read or are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mask_support import read_label_mask
from numpy.typing import NDArray
from PIL import Image

from bridge.errors import AnnotationFileError
from bridge.formats.label_mask import write_label_mask
from bridge.formats.mask_info import MaskInfo

INFO = MaskInfo(
    names=("Background", "Tumor", "Strömä: In situ"),
    colors=((255, 255, 255), (200, 0, 0), (0, 120, 30)),
    mask_mpp=(0.503, 0.5),
    downsample=2.5,
    origin=(-3, 40),
)
SUFFIXES = (".png", ".tif", ".tiff")


def blocks(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 4, (height // 37 + 1, width // 41 + 1), dtype=np.uint8)
    mask = np.kron(small, np.ones((37, 41), dtype=np.uint8))[:height, :width]
    mask[::50, ::7] = 255
    return mask


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 1400), st.integers(1, 700), st.integers(1, 900), st.sampled_from([INFO, MaskInfo()]))
def test_bands_of_any_height_read_back_as_the_whole(
    tmp_path: Path, suffix: str, height: int, width: int, band: int, info: MaskInfo
) -> None:
    mask = blocks(height, width)
    path = tmp_path / f"mask{suffix}"
    bands = ((row, mask[row : row + band]) for row in range(0, height, band))
    write_label_mask(path, bands, info, shape=mask.shape)
    found = read_label_mask(path)
    assert found.labels.dtype == np.uint8
    np.testing.assert_array_equal(found.labels, mask)
    assert found.info == info
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_mask_same_bytes(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{n}{suffix}" for n in range(2)]
    for path in paths:
        write_label_mask(path, blocks(600, 700), INFO)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_another_program_sees_the_colours_and_the_scale(tmp_path: Path, suffix: str) -> None:
    mask = blocks(300, 400)
    path = tmp_path / f"mask{suffix}"
    write_label_mask(path, mask, INFO)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGB"))
    for label, color in enumerate(INFO.colors):
        assert (shown[mask == label] == color).all()
    with Image.open(path) as image:
        assert [25_400 / float(dpi) for dpi in image.info["dpi"]] == pytest.approx(INFO.mask_mpp, rel=1e-4)


def test_openslide_opens_a_large_mask_with_its_levels(tmp_path: Path) -> None:
    mask = blocks(2300, 1900)
    path = tmp_path / "mask.tif"
    write_label_mask(path, mask, INFO)
    palette = np.array(INFO.palette(), dtype=np.uint8)
    with openslide.OpenSlide(path) as slide:
        assert slide.level_dimensions == ((1900, 2300), (475, 575))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.503)
        level_0 = np.asarray(slide.read_region((700, 900), 0, (600, 500)).convert("RGB"))
        level_1 = np.asarray(slide.read_region((0, 0), 1, (475, 575)).convert("RGB"))
    np.testing.assert_array_equal(level_0, palette[mask[900:1400, 700:1300]])
    np.testing.assert_array_equal(level_1, palette[mask[2::4, 2::4]])


def test_reduced_levels_hold_no_label_that_is_not_there(tmp_path: Path) -> None:
    mask = blocks(5000, 1030)
    path = tmp_path / "mask.tif"
    write_label_mask(path, mask, INFO)
    with tifffile.TiffFile(path) as file:
        levels = [page.asarray() for page in file.pages]
    assert [level.shape for level in levels] == [(5000, 1030), (1250, 258), (313, 65)]
    assert set(np.unique(levels[2])) <= set(np.unique(mask))
    np.testing.assert_array_equal(levels[2][:312, :64], levels[1][2::4, 2::4][:312, :64])


# --- files of other programs


@pytest.mark.parametrize(
    ("mode", "values"),
    [("L", [0, 1, 2, 255]), ("P", [0, 1, 2, 3]), ("1", [0, 1, 1, 0])],
    ids=["grey", "indexed", "bits"],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_channel_pictures_are_masks(tmp_path: Path, mode: str, values: list[int], suffix: str) -> None:
    mask = np.array(values, dtype=np.uint8).reshape(2, 2)
    image = Image.fromarray(mask * 255).convert("1") if mode == "1" else Image.frombytes(mode, (2, 2), mask.tobytes())
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    path = tmp_path / f"mask{suffix}"
    image.save(path)
    found = read_label_mask(path)
    np.testing.assert_array_equal(found.labels, mask)
    assert (found.names, found.mask_mpp, found.downsample) == (None, None, None)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    ("pixels", "what"),
    [
        (np.zeros((4, 5, 3), np.uint8), "colour"),
        (np.zeros((4, 5, 4), np.uint8), "colour"),
        (np.zeros((4, 5), np.uint16), "16"),
    ],
)
def test_what_is_no_mask_is_refused_with_the_way_out(
    tmp_path: Path, suffix: str, pixels: NDArray[np.uint8], what: str
) -> None:
    path = tmp_path / f"mask{suffix}"
    Image.fromarray(pixels).save(path)
    with pytest.raises(AnnotationFileError, match=what) as caught:
        read_label_mask(path)
    assert caught.value.path == path
    assert "save it" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("dpi", "mpp"), [(72, None), (300, None), (50_800, 0.5)])
def test_only_a_microscope_s_resolution_is_one(tmp_path: Path, dpi: int, mpp: float | None) -> None:
    for suffix in (".png", ".tif"):
        path = tmp_path / f"mask{suffix}"
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(path, dpi=(dpi, dpi))
        found = read_label_mask(path).mask_mpp
        assert found == (None if mpp is None else pytest.approx((mpp, mpp), rel=1e-3))


def test_too_large_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros((100, 120), np.uint8)
    for suffix in (".png", ".tif"):
        write_label_mask(tmp_path / f"mask{suffix}", mask, INFO)
    with pytest.raises(AnnotationFileError, match="120 x 100"):
        read_label_mask(tmp_path / "mask.tif", max_pixels=11_999)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 11_999)
    with pytest.raises(AnnotationFileError, match=r"use \.tif"):
        read_label_mask(tmp_path / "mask.png")
    with pytest.raises(AnnotationFileError, match=r"use \.tif"):
        write_label_mask(tmp_path / "other.png", mask, INFO)
    assert not (tmp_path / "other.png").exists()
    assert read_label_mask(tmp_path / "mask.tif", max_pixels=12_000).labels.shape == (100, 120)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_cut_file_is_an_error_of_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mask{suffix}"
    write_label_mask(path, blocks(300, 400), INFO)
    data = path.read_bytes()
    for end in (0, 5, 20, 40, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:end])
        try:
            read_label_mask(path)
        except AnnotationFileError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            assert end == len(data) - 20  # the last bytes may be tables that a reader can do without


def test_a_file_that_is_not_there_or_not_a_mask(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError):
        read_label_mask(tmp_path / "none.png")
    with pytest.raises(AnnotationFileError):
        read_label_mask(tmp_path / "none.tif")
    with pytest.raises(AnnotationFileError, match="jpg"):
        read_label_mask(tmp_path / "mask.jpg")
    (tmp_path / "fake.png").write_bytes(b"GIF89a" + b"\0" * 50)
    with pytest.raises(AnnotationFileError, match="not a PNG"):
        read_label_mask(tmp_path / "fake.png")


# --- misuse


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(
    "bands",
    [
        [(0, np.zeros((4, 9), np.uint8))],
        [(0, np.zeros((4, 9), np.uint8)), (5, np.zeros((5, 9), np.uint8))],
        [(0, np.zeros((10, 8), np.uint8))],
        [(0, np.zeros((10, 9), np.int64))],
        [(0, np.zeros((11, 9), np.uint8))],
    ],
    ids=["too few", "gap", "narrow", "type", "too many"],
)
def test_bands_that_do_not_make_up_the_mask_leave_the_old_file(
    tmp_path: Path, suffix: str, bands: list[tuple[int, NDArray[np.uint8]]]
) -> None:
    path = tmp_path / f"mask{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="row"):
        write_label_mask(path, bands, INFO, shape=(10, 9))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_bands_need_a_shape_and_names_their_colours(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        write_label_mask(tmp_path / "mask.png", [(0, np.zeros((4, 9), np.uint8))], INFO)
    with pytest.raises(ValueError, match="colour per name"):
        MaskInfo(names=("A",))


@pytest.mark.parametrize(
    "text",
    [
        *("", "Software", "{}", "[]", "5", '{"slidebridge": 5}', '{"slidebridge": {"names": ["A"]}}', "[" * 9999),
        '{"slidebridge":{"names":["A"],"colors":[[1]],"mask_mpp":null,"downsample":null,"origin":[0,0]}}',
    ],
)
def test_other_descriptions_say_nothing(text: str) -> None:
    assert MaskInfo.from_json(text) is None
