from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.slides import open_slide
from models.data import TrainingSlide
from models.errors import TrainingDataError
from models.simulation import GridOptions, LabelRule
from models.simulation.grid import cell_labels, cell_objects, cell_truth, cell_window

SCHEME = ClassScheme({"Tumor": (255, 0, 0), "Stroma": (0, 255, 0)}, priority=("Tumor", "Stroma"))
OPTIONS = GridOptions(cell_um=8, mpp=1, parts=2)
WIDTH, HEIGHT = 30, 16  # the fourth column of cells reaches over the border


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "pink.png"
    Image.new("RGB", (WIDTH, HEIGHT), (230, 120, 200)).save(path)
    return path


def _labels(picture: Path, shapes: list[tuple[int, shapely.Polygon]], rule: LabelRule, **plan: object) -> np.ndarray:
    drawn = tuple(LabelledShape(outline, label) for label, outline in shapes)
    whole = {"complete": (shapely.box(0, 0, WIDTH, HEIGHT),), **plan}
    with open_slide(picture, mpp=(1.0, 1.0)) as opened:
        slide = TrainingSlide(opened, LabelPlan("one", drawn, **whole))  # type: ignore[arg-type]
        options = GridOptions(cell_um=8, mpp=1, parts=2, rule=rule)
        return cell_labels(slide, SCHEME, cell_window(slide, options), options)


def test_one_pixel_in_the_middle_half_makes_a_cell_positive(picture: Path) -> None:
    inside, outside = (1, shapely.box(5, 5, 6, 6)), (1, shapely.box(8, 0, 10, 8))
    labels = _labels(picture, [inside, outside], LabelRule.CENTRE)
    assert labels[0].tolist()[:3] == [1, 0, 0]


def test_by_majority_background_is_a_class_like_others(picture: Path) -> None:
    labels = _labels(picture, [(1, shapely.box(0, 0, 4, 7)), (1, shapely.box(8, 0, 13, 8))], LabelRule.MAJORITY)
    assert labels[0].tolist()[:3] == [0, 1, 0]


def test_of_several_classes_the_largest_in_the_middle_wins(picture: Path) -> None:
    tumor, stroma = (1, shapely.box(2, 2, 6, 5)), (2, shapely.box(2, 5, 6, 6))
    assert _labels(picture, [tumor, stroma], LabelRule.CENTRE)[0, 0] == 1


@pytest.mark.parametrize("rule", list(LabelRule), ids=lambda rule: rule.value)
def test_of_equal_classes_the_later_in_the_priority_wins(picture: Path, rule: LabelRule) -> None:
    labels = _labels(picture, [(2, shapely.box(0, 0, 4, 8)), (1, shapely.box(4, 0, 8, 8))], rule)
    assert labels[0, 0] == 2


def test_background_is_said_only_of_what_is_labelled_all_over(picture: Path) -> None:
    labels = _labels(picture, [], LabelRule.CENTRE, complete=(shapely.box(0, 0, 13, 16),))
    assert labels.tolist() == [[0, 255, 255, 255]] * 2


def test_cells_at_the_border_are_told_by_what_is_on_the_slide(picture: Path) -> None:
    whole = _labels(picture, [], LabelRule.CENTRE)
    assert whole[0].tolist() == [0, 0, 0, 0]  # the middle half of the last column ends at pixel 30
    assert _labels(picture, [], LabelRule.MAJORITY)[0].tolist() == [0, 0, 0, 255]


def test_held_out_areas_count_like_all_others(picture: Path) -> None:
    held = (shapely.box(0, 0, 16, 16),)
    assert _labels(picture, [(1, shapely.box(0, 0, 8, 8))], LabelRule.CENTRE, hold_out=held)[0, 0] == 1


def test_the_truth_is_what_lies_under_the_middle_of_each_part(picture: Path) -> None:
    plan = LabelPlan("one", (LabelledShape(shapely.box(0, 0, 3, 16), 1),), (shapely.box(0, 0, WIDTH, HEIGHT),))
    with open_slide(picture, mpp=(1.0, 1.0)) as opened:
        slide = TrainingSlide(opened, plan)
        truth = cell_truth(slide, SCHEME, cell_window(slide, OPTIONS), OPTIONS)
    assert truth.tolist() == [[1, 0, 0, 0, 0, 0, 0, 255]] * 4


def test_objects_are_single_polygons_in_cells(picture: Path) -> None:
    two = shapely.union(shapely.box(0, 0, 4, 8), shapely.box(16, 8, 24, 16))
    plan = LabelPlan("one", (LabelledShape(two, 1), LabelledShape(shapely.box(8, 0, 16, 8), 2)))
    with open_slide(picture, mpp=(1.0, 1.0)) as opened:
        objects = cell_objects(plan, cell_window(TrainingSlide(opened, plan), OPTIONS))
    expected = [(1, (0, 0, 0.5, 1)), (1, (2, 1, 3, 2)), (2, (1, 0, 2, 1))]
    assert [(label, outline.bounds) for label, outline in objects] == expected


def test_cells_are_alike_on_slides_of_other_resolutions(tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH * 2, HEIGHT * 2)).save(tmp_path / "fine.png")
    with open_slide(tmp_path / "fine.png", mpp=(0.5, 0.5)) as opened:
        window = cell_window(TrainingSlide(opened, LabelPlan("one")), OPTIONS)
    assert (window.shape, window.downsample) == ((2, 4), 16.0)


def test_a_slide_too_coarse_for_the_cells_is_refused(picture: Path) -> None:
    with open_slide(picture, mpp=(2.0, 2.0)) as opened, pytest.raises(TrainingDataError, match="slide one has 2 µm"):
        cell_window(TrainingSlide(opened, LabelPlan("one")), OPTIONS)


@pytest.mark.parametrize("wrong", [{"cell_um": 8.5}, {"cell_um": 2.0}, {"mpp": 0.0}, {"parts": 0}, {"min_tissue": 2.0}])
def test_cells_that_can_not_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cells"):
        GridOptions(**{"cell_um": 8, "mpp": 1, **wrong})  # type: ignore[arg-type]
