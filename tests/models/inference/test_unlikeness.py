"""A slide of another stain is told from one of the same look, whatever the seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import shapely
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


def of_one_box(slide: Slide, side_um: float, mpp: float, tile_px: int = 64) -> list[PixelStatistics]:
    """Return what a model knows of a slide of which one small box is labelled: in the middle, and off it."""
    width, height = slide.pyramid.dimensions[0]
    assert slide.pyramid.mpp is not None
    side = side_um / slide.pyramid.mpp[0]
    found = []
    for x, y in ((0.5, 0.5), (0.3, 0.6)):
        box = shapely.box(x * width, y * height, x * width + side, y * height + side)
        training = [TrainingSlide(slide, LabelPlan("s", complete=(box,)))]
        features, count = training_features(training, SCHEME, mpp=mpp, tile_px=tile_px)
        found.append(PixelStatistics.of(features, mpp=mpp, tile_px=tile_px, slides=count))
    return found


def test_a_slide_of_two_tissues_is_near_though_one_alone_was_labelled(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:1024, :1024]
    noise = np.random.default_rng(0).normal(0, 8, (1024, 1024, 3))
    pixels = np.where(((columns // 384 + rows // 384) % 2 == 0)[..., None], (225, 150, 190), (150, 90, 160)) + noise
    write_pyramid(tmp_path / "two.tif", pixels.clip(0, 255).astype(np.uint8), (MPP, MPP))
    with open_slide(tmp_path / "two.tif") as slide:
        for statistics in of_one_box(slide, 40, MPP):
            found = measure_unlikeness(slide, tissue_mask(slide), statistics)
            assert found is not None and not found.is_far


REAL = ["wsi/CMU-1-Small-Region.svs", *(f"segmentation/langerhans_islets/image/Lh{n}.jpg" for n in ("05-04", "10-03"))]


@pytest.mark.parametrize("name", REAL)
def test_a_real_slide_of_which_little_was_labelled_is_near_and_another_is_far(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other.tif"
    with Image.open(shared_data / "segmentation/langerhans_islets/image/Lh05-09.jpg") as picture:
        write_pyramid(other, np.asarray(picture), (MPP, MPP))
    with open_slide(shared_data / name, mpp=(MPP, MPP)) as slide, open_slide(other) as unlike:
        for statistics in of_one_box(slide, 60, MPP):
            own, far = (measure_unlikeness(one, tissue_mask(one), statistics) for one in (slide, unlike))
            assert own is not None and not own.is_far
            assert far is not None and far.is_far


def test_without_tissue_nothing_is_said(tmp_path: Path) -> None:
    statistics = statistics_of(tmp_path, [0])
    write_pyramid(tmp_path / "glass.tif", np.full((SIDE, SIDE, 3), 250, np.uint8), (MPP, MPP))
    with open_slide(tmp_path / "glass.tif") as slide:
        assert measure_unlikeness(slide, tissue_mask(slide), statistics) is None
