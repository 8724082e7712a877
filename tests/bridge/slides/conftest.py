"""Synthetic slides, made where they are needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bridge.slides import TiffCompression, write_pyramid


@pytest.fixture(scope="session")
def noise() -> npt.NDArray[np.uint8]:
    """The picture in which any misplaced pixel shows; odd sizes, so that downsamples are not whole."""
    return np.random.default_rng(7).integers(0, 256, (701, 903, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def noise_slide(tmp_path_factory: pytest.TempPathFactory, noise: npt.NDArray[np.uint8]) -> Path:
    path = tmp_path_factory.mktemp("slides") / "noise.tif"
    write_pyramid(path, noise, (0.25, 0.26), compression=TiffCompression.DEFLATE, tile_px=64, smallest_px=200)
    return path


@pytest.fixture(scope="session")
def even_slide(tmp_path_factory: pytest.TempPathFactory, noise: npt.NDArray[np.uint8]) -> Path:
    path = tmp_path_factory.mktemp("slides") / "even.tif"
    pixels = np.ascontiguousarray(noise[:640, :768])
    write_pyramid(path, pixels, (0.5, 0.5), compression=TiffCompression.DEFLATE, tile_px=64, smallest_px=200)
    return path
