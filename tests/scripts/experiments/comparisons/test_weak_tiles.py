from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from bridge.slides import TissueMask, open_slide
from models.data import TrainingSlide
from models.data.weak_subsets import TileUse, WeakSubset
from scripts.experiments.comparisons.weak_tiles import TileStock, cut_tiles, held_out, teach

SCHEME = ClassScheme({"Tumor": (200, 0, 0), "In situ": (0, 0, 200)})
WHOLE = shapely.box(0, 0, 40, 20)


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[TrainingSlide]:
    """Give four by two tiles of 10: tumour on the left and over the third tile, both classes in the last tile below."""
    Image.fromarray(np.full((20, 45, 3), 200, np.uint8)).save(tmp_path / "picture.png")
    shapes = (
        LabelledShape(shapely.box(0, 0, 5, 20), 1),
        LabelledShape(shapely.box(20, 0, 30, 10), 1),
        LabelledShape(shapely.box(30, 10, 33, 20), 1),
        LabelledShape(shapely.box(33, 10, 36, 20), 2),
    )
    with open_slide(tmp_path / "picture.png", mpp=(1.0, 1.0)) as opened:
        yield TrainingSlide(opened, LabelPlan("picture", shapes, complete=(WHOLE,)))


def burnt(slide: TrainingSlide, part: Part = Part.TRAINING) -> np.ndarray:
    return PlanRaster(slide.plan, SCHEME, 1.0, part).burn(Window(0, 0, 40, 20)).labels


def test_tiles_are_sorted_by_the_papers_rule_and_only_whole_ones_are_cut(slide: TrainingSlide) -> None:
    tiles = cut_tiles(slide, SCHEME, 1.0, 10)
    stock = TileStock.of(tiles)

    assert [tile.region.x for tile in tiles] == [0, 10, 20, 30] * 2
    assert [tile.classes for tile in stock.masks] == [(0, 1), (0, 1)]
    assert stock.label_counts == {0: 4, 1: 1}
    assert stock.useless == 1
    assert tiles[-1].use is TileUse.NOTHING


def test_tiles_with_too_little_tissue_are_left_out(slide: TrainingSlide) -> None:
    mask = np.zeros((20, 45), np.bool_)
    mask[:, :18] = True

    tiles = cut_tiles(slide, SCHEME, 1.0, 10, TissueMask(mask, Window(0, 0, 45, 20)))

    assert [(tile.region.x, tile.region.y) for tile in tiles] == [(0, 0), (10, 0), (0, 10), (10, 10)]


def test_what_is_taught_is_the_truth_within_the_masks_drawn_and_nothing_else(slide: TrainingSlide) -> None:
    stock = TileStock.of(cut_tiles(slide, SCHEME, 1.0, 10))

    (taught,) = teach([slide], stock, WeakSubset(masks=(0,), labels=(1, 2)))

    expected = np.full((20, 40), 255, np.uint8)
    expected[:10, :10] = burnt(slide)[:10, :10]
    assert np.array_equal(burnt(taught), expected)
    assert [(p.region.x, p.region.y, p.label) for p in taught.plan.patch_labels] == [(20, 0, 1), (30, 0, 0)]


def test_labels_alone_teach_no_pixel_and_a_slide_without_either_is_left_out(slide: TrainingSlide) -> None:
    stock = TileStock.of(cut_tiles(slide, SCHEME, 1.0, 10))

    (taught,) = teach([slide], stock, WeakSubset(masks=(), labels=(0,)))

    assert (burnt(taught) == 255).all()
    assert teach([slide], stock, WeakSubset(masks=(), labels=())) == []


def test_held_out_slide_judges_everything_and_teaches_nothing(slide: TrainingSlide) -> None:
    judging = held_out(slide)

    assert (burnt(judging) == 255).all()
    assert np.array_equal(burnt(judging, Part.HOLD_OUT), burnt(slide))
