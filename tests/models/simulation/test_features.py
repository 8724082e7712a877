from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bridge.coords import Window
from bridge.slides import Slide, open_slide
from models.nets import PlainEncoder
from models.simulation import Extractor, FeatureCache
from models.simulation.features import slide_digest

CELL_PX, SIDE = 16, 12
CELLS = Window(0, 0, SIDE, SIDE, float(CELL_PX))
ALL = np.ones((SIDE, SIDE), np.bool_)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slide]:
    path = tmp_path_factory.mktemp("features") / "noise.png"
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE * CELL_PX, SIDE * CELL_PX - 5, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    with open_slide(path, mpp=(1.0, 1.0)) as slide:
        yield slide


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Extractor(PlainEncoder((4, 6, 8)).eval(), "plain", maps=(1, 2))


def test_features_do_not_depend_on_the_tiles(noise: Slide, extractor: Extractor) -> None:
    found = [
        replace(extractor, tile_px=tile_px).cell_features(noise, CELLS, CELL_PX, ALL) for tile_px in (16, 48, 80, 1024)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-5)
    assert found[0].shape == (SIDE, SIDE, 14)
    assert (found[0].std(axis=(0, 1)) > 1e-3).any()


def test_features_of_the_imagenet_encoder_do_not_depend_on_the_tiles(noise: Slide) -> None:
    extractor = Extractor.imagenet()
    whole, cut = (
        replace(extractor, tile_px=tile_px).cell_features(noise, CELLS, CELL_PX, ALL) for tile_px in (1024, 112)
    )
    assert whole.shape == (SIDE, SIDE, 152)
    np.testing.assert_allclose(cut, whole, atol=2e-4)


def test_a_margin_too_small_would_show(noise: Slide, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = extractor.cell_features(noise, CELLS, CELL_PX, ALL)
    monkeypatch.setattr(Extractor, "margin_px", 0)
    cut = replace(extractor, tile_px=48).cell_features(noise, CELLS, CELL_PX, ALL)
    assert np.abs(cut - whole).max() > 1e-3


def test_a_cell_is_the_mean_of_what_the_encoder_maps_in_it(noise: Slide, extractor: Extractor) -> None:
    inner = Window(64, 64, 64, 64)
    margin = 32
    pixels = noise.read_window(Window(inner.x - margin, inner.y - margin, 128, 128))
    inputs = (torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.inference_mode():
        fine, coarse = extractor.encoder(inputs)[1:]
    found = extractor.cell_features(noise, CELLS, CELL_PX, ALL)[5, 6]  # cell (5, 6) begins at (80, 96)
    expected = [
        fine[0, :, (80 - 32) // 4 : (96 - 32) // 4, (96 - 32) // 4 : (112 - 32) // 4].mean(dim=(1, 2)),
        coarse[0, :, (80 - 32) // 8 : (96 - 32) // 8, (96 - 32) // 8 : (112 - 32) // 8].mean(dim=(1, 2)),
    ]
    np.testing.assert_allclose(found, torch.cat(expected).numpy(), atol=1e-5)


def test_cells_without_tissue_are_not_looked_at(noise: Slide, extractor: Extractor) -> None:
    tissue = np.zeros_like(ALL)
    tissue[3, 4] = True
    found = extractor.cell_features(noise, CELLS, CELL_PX, tissue)
    np.testing.assert_allclose(found[3, 4], extractor.cell_features(noise, CELLS, CELL_PX, ALL)[3, 4], atol=1e-5)
    assert not found[~tissue].any()


def test_cells_that_do_not_fit_the_maps_are_refused(noise: Slide, extractor: Extractor) -> None:
    with pytest.raises(ValueError, match="no multiple of the encoder's stride of 8"):
        extractor.cell_features(noise, CELLS, 12, ALL)


MADE = np.arange(12, dtype=np.float32).reshape(2, 3, 2)


class _Maker:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> np.ndarray:
        self.count += 1
        return MADE + self.count


def test_kept_features_are_not_made_again(tmp_path: Path) -> None:
    make = _Maker()
    first = FeatureCache(tmp_path / "new").get("a", make)
    np.testing.assert_array_equal(FeatureCache(tmp_path / "new").get("a", make), first)
    FeatureCache(tmp_path / "new").get("b", make)
    assert make.count == 2


@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "short", "flipped"])
def test_damaged_features_are_made_again(tmp_path: Path, damage: bytes | None) -> None:
    make, cache = _Maker(), FeatureCache(tmp_path)
    cache.get("a", make)
    (kept,) = tmp_path.iterdir()
    data = bytearray(kept.read_bytes())
    data[-1] ^= 1
    kept.write_bytes(bytes(data) if damage is None else damage)
    np.testing.assert_array_equal(cache.get("a", make), MADE + 2)
    np.testing.assert_array_equal(cache.get("a", make), MADE + 2)
    assert make.count == 2


def test_features_whose_making_fails_leave_nothing_behind(tmp_path: Path) -> None:
    def fail() -> np.ndarray:
        raise OSError("damaged slide")

    with pytest.raises(OSError, match="damaged slide"):
        FeatureCache(tmp_path).get("a", fail)
    assert not list(tmp_path.iterdir())


def test_a_slide_is_told_by_its_bytes_and_the_folder_beside_it(tmp_path: Path) -> None:
    slide = tmp_path / "one.mrxs"
    slide.write_bytes(b"index")
    alone = slide_digest(slide)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "data.dat").write_bytes(b"pixels")
    beside = slide_digest(slide)
    (tmp_path / "one" / "data.dat").write_bytes(b"more pixels")
    other = slide_digest(slide)
    slide.write_bytes(b"Index")
    assert len({alone, beside, other, slide_digest(slide)}) == 4
