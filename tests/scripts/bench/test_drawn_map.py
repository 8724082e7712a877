"""A map with so many objects: as many outlines come out, whatever becomes of the bands."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.raster import vectorize_bands
from bridge.slides import open_slide, tissue_mask
from scripts.bench.drawn_map import DrawnMap
from scripts.bench.huge_slide import HugeSlide, write_huge_slide


@pytest.mark.parametrize("objects", [1, 30, 200])
def test_every_object_is_an_outline(tmp_path: Path, objects: int) -> None:
    drawn = DrawnMap(objects)
    side = -(-drawn.side // 32) * 32
    write_huge_slide(tmp_path / "a.tif", HugeSlide(side, side))
    with open_slide(tmp_path / "a.tif") as slide:
        bands = drawn(slide, tissue_mask(slide))
        found = list(vectorize_bands(band.most_probable() for band in bands))
    assert len(found) == drawn.across**2 >= objects
    assert {label for label, _ in found} <= {1, 2}
