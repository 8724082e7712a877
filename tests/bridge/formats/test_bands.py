"""Masks read band by band: the same pixels as the whole, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from mask_support import read_label_mask
from numpy.typing import NDArray
from PIL import Image

from bridge.errors import AnnotationFileError
from bridge.formats import MaskInfo, open_label_mask, write_label_mask


def pattern(height: int, width: int) -> NDArray[np.uint8]:
    return (np.add.outer(np.arange(height) * 7, np.arange(width) * 3) // 50 % 6).astype(np.uint8)


def joined(path: Path, rows: int) -> NDArray[np.uint8]:
    with open_label_mask(path) as mask:
        bands = list(mask.bands(rows))
        assert [row for row, _ in bands] == list(np.cumsum([0, *(len(band) for _, band in bands)])[:-1])
        assert {band.shape[1] for _, band in bands} == {mask.shape[1]}
        return np.concatenate([band for _, band in bands])


@pytest.mark.parametrize("rows", [1, 100, 512, 5000])
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_bands_are_the_whole(tmp_path: Path, name: str, rows: int) -> None:
    mask = pattern(1100, 700)
    write_label_mask(tmp_path / name, mask, MaskInfo())
    np.testing.assert_array_equal(joined(tmp_path / name, rows), mask)


@pytest.mark.parametrize(
    "layout",
    [
        {"rowsperstrip": 7},
        {"rowsperstrip": 1100},
        {"rowsperstrip": 64, "compression": "lzw"},
        {"tile": (64, 128), "compression": "zlib"},
        {"tile": (128, 64), "predictor": True, "compression": "zlib"},
    ],
    ids=str,
)
def test_every_layout_of_a_tiff_reads(tmp_path: Path, layout: dict[str, object]) -> None:
    mask = pattern(1100, 333)
    tifffile.imwrite(tmp_path / "a.tif", mask, photometric="minisblack", **layout)
    np.testing.assert_array_equal(joined(tmp_path / "a.tif", 200), mask)


@pytest.mark.parametrize("compression", [None, "group4"])
def test_one_bit_a_pixel(tmp_path: Path, compression: str | None) -> None:
    bits = pattern(90, 75) > 2
    Image.fromarray(bits).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(joined(tmp_path / "a.tif", 16), bits.astype(np.uint8))


def test_a_tile_that_was_never_written_is_background(tmp_path: Path) -> None:
    tiles = (tile for tile in (b"", bytes([3]) * 256))
    tifffile.imwrite(tmp_path / "a.tif", tiles, shape=(16, 32), dtype=np.uint8, tile=(16, 16), compression=None)
    data = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        counts = file.pages.first.databytecounts
    if counts[0] != 0:  # this tifffile has written it all the same
        pytest.skip(f"tifffile writes empty tiles: {len(data)} bytes")
    assert joined(tmp_path / "a.tif", 16).sum() == 3 * 256


def test_palettes_tell_masks_from_grey_pictures(tmp_path: Path) -> None:
    write_label_mask(tmp_path / "m.tif", pattern(9, 9), MaskInfo())
    write_label_mask(tmp_path / "m.png", pattern(9, 9), MaskInfo())
    Image.fromarray(pattern(9, 9)).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "grey.tif", pattern(9, 9))
    found = {}
    for name in ("m.tif", "m.png", "grey.png", "grey.tif"):
        with open_label_mask(tmp_path / name) as mask:
            found[name] = mask.has_palette
    assert found == {"m.tif": True, "m.png": True, "grey.png": False, "grey.tif": False}


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_damage_inside_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    write_label_mask(tmp_path / name, np.random.default_rng(0).integers(0, 6, (1100, 700), np.uint8), MaskInfo())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 900] = bytes(900)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AnnotationFileError, match="save it again"):
        read_label_mask(tmp_path / name)


def test_memory_is_bounded_by_a_band(tmp_path: Path) -> None:
    side = 6000
    bands = ((row, np.zeros((500, side), np.uint8)) for row in range(0, side, 500))
    write_label_mask(tmp_path / "a.tif", bands, MaskInfo(), shape=(side, side))
    tracemalloc.start()
    with open_label_mask(tmp_path / "a.tif") as mask:
        count = sum(int(band.size) for _, band in mask.bands(512))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == side**2
    assert peak < 12_000_000, "three bands at most; the whole has 36 MB"
