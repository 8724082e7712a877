"""A slide of another stain is told from one of the same look, whatever the seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bridge.annotations import ClassScheme, LabelPlan
from bridge.slides import Slide, open_slide, tissue_mask, write_pyramid
from lab_support import MPP, SIDE, draw_slide, labelled
from models.checkpoints import PixelStatistics
from models.data import TrainingSlide, training_features
from models.inference import FAR, Unlikeness, measure_unlikeness

SEEDS = range(4)
SCHEME = ClassScheme({"Blob": (200, 0, 0)})


@contextmanager
def drawn(folder: Path, seed: int, hue: float = 0.0) -> Iterator[Slide]:
    """Open a slide whose hue was turned by a share of the colour circle."""
    plain, path = folder / f"{seed}.tif", folder / f"{seed}-{hue}.tif"
    draw_slide(plain, seed)
    with open_slide(plain) as slide:
        colors = np.array(Image.fromarray(slide.read_level(0, 0, 0, SIDE, SIDE)).convert("HSV"))
    colors[..., 0] = (colors[..., 0].astype(int) + round(256 * hue)) % 256
    write_pyramid(path, np.array(Image.fromarray(colors, "HSV").convert("RGB")), (MPP, MPP))
    with open_slide(path) as slide:
        yield slide


def statistics_of(folder: Path, seeds: range | list[int], tile_px: int = 64) -> PixelStatistics:
    features = []
    for seed in seeds:
        with drawn(folder, seed) as slide:
            boxes = tuple(box for box, _ in labelled(seed)["ROI"])
            plan = LabelPlan(str(seed), complete=boxes)
            features.append(
                training_features([TrainingSlide(slide, plan)], SCHEME, mpp=1.0, tile_px=tile_px, seed=seed)[0]
            )
    return PixelStatistics.of(np.concatenate(features), mpp=1.0, tile_px=tile_px, slides=len(features))


def look(folder: Path, seed: int, statistics: PixelStatistics, hue: float = 0.0) -> Unlikeness:
    with drawn(folder, seed, hue) as slide:
        found = measure_unlikeness(slide, tissue_mask(slide), statistics)
    assert found is not None
    return found


@pytest.mark.parametrize("trained_on", [[0], [1], [2, 3]])
def test_the_same_look_is_near_and_another_stain_far(tmp_path: Path, trained_on: list[int]) -> None:
    statistics = statistics_of(tmp_path, trained_on)
    same = [look(tmp_path, seed, statistics) for seed in SEEDS]
    shifted = [look(tmp_path, seed, statistics, hue) for seed in SEEDS for hue in ((0.06,) if seed % 2 else (-0.1,))]
    assert not any(found.is_far for found in same)
    assert all(found.is_far for found in shifted)
    assert max(f.distance for f in same) < FAR < min(f.distance for f in shifted)
    assert {found.training_slides for found in same} == {len(trained_on)}


def test_a_further_shift_is_further_and_each_measurement_the_same(tmp_path: Path) -> None:
    statistics = statistics_of(tmp_path, [0])
    found = [look(tmp_path, 1, statistics, hue).distance for hue in (0.0, 0.05, 0.1, 0.2)]
    assert found == sorted(found)
    assert look(tmp_path, 1, statistics) == look(tmp_path, 1, statistics)


def test_another_scanner_s_light_is_far(tmp_path: Path) -> None:
    statistics = statistics_of(tmp_path, [0])
    draw_slide(tmp_path / "lit.tif", 3)
    with open_slide(tmp_path / "lit.tif") as slide:
        pixels = slide.read_level(0, 0, 0, SIDE, SIDE)
    write_pyramid(tmp_path / "blue.tif", (pixels * np.array((0.9, 1.0, 0.75))).astype(np.uint8), (MPP, MPP))
    with open_slide(tmp_path / "blue.tif") as slide:
        found = measure_unlikeness(slide, tissue_mask(slide), statistics)
    assert found is not None and found.is_far


def test_without_tissue_nothing_is_said(tmp_path: Path) -> None:
    statistics = statistics_of(tmp_path, [0])
    write_pyramid(tmp_path / "glass.tif", np.full((SIDE, SIDE, 3), 250, np.uint8), (MPP, MPP))
    with open_slide(tmp_path / "glass.tif") as slide:
        assert measure_unlikeness(slide, tissue_mask(slide), statistics) is None
