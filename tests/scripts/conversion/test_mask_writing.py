"""Masks written band by band."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
from mask_support import read_label_mask
from shapely.geometry import box

from bridge.annotations import Annotation
from bridge.coords import Window
from bridge.raster import ShapeIndex
from scripts.conversion.mask_plan import plan_mask
from scripts.conversion.mask_writing import write_mask
from scripts.progress import Silent


def drawn(path_class: str, *corners: float) -> Annotation:
    return Annotation("x", box(*corners), path_class, color=(1, 2, 3))


def test_bands_join_without_a_seam(tmp_path: Path) -> None:
    plan = plan_mask([drawn("A", 10, 900, 300, 2500), drawn("B", 100, 1000, 200, 1100)], None, {})
    notes = write_mask(tmp_path / "m.tif", plan, (333, 2999), (0.5, 0.25), 1.0, Silent())
    mask = read_label_mask(tmp_path / "m.tif")
    assert np.array_equal(mask.labels, ShapeIndex(plan.shapes).burn(Window(0, 0, 333, 2999)))
    assert mask.mask_mpp == (0.5, 0.25)
    assert notes == ("10,000 mask pixels lie in several classes; the later wins: A, B",)


def test_a_class_of_which_nothing_is_seen_is_named(tmp_path: Path) -> None:
    plan = plan_mask([drawn("A", 0, 0, 50, 50), drawn("Far", 900, 900, 910, 910)], None, {})
    notes = write_mask(tmp_path / "m.png", plan, (100, 100), None, 1.0, Silent())
    assert notes == ("nothing is seen of Far: covered, off the slide, or below a pixel",)


def test_memory_is_that_of_a_band(tmp_path: Path) -> None:
    plan = plan_mask([drawn("A", 100, 100, 3000, 15000)], None, {})
    tracemalloc.start()
    write_mask(tmp_path / "m.tif", plan, (4_000, 16_000), None, 1.0, Silent())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000 * 16_000 / 2  # bytes: the whole mask would be twice that
