from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Region, Window
from bridge.errors import UnknownPathClassError
from bridge.raster import PlanRaster

SCHEME = ClassScheme({"Tumor": (200, 0, 0), "Stroma": (0, 200, 0)}, priority=("Stroma", "Tumor"))
TUMOR, STROMA, OFF = 1, 2, 255


def columns(first: float, stop: float) -> BaseGeometry:
    return shapely.box(first, 0, stop, 1)


def burn(plan: LabelPlan, part: Part = Part.TRAINING, width: int = 6) -> list[int]:
    labels: list[int] = PlanRaster(plan, SCHEME, 1.0, part).burn(Window(0, 0, width, 1)).labels[0].tolist()
    return labels


def test_unlabelled_is_background_inside_a_roi_and_ignored_outside() -> None:
    plan = LabelPlan("s", shapes=(LabelledShape(columns(1, 4), TUMOR),), complete=(columns(0, 3),))
    assert burn(plan) == [0, TUMOR, TUMOR, TUMOR, OFF, OFF]


def test_priority_decides_overlap_whatever_the_order_in_the_file() -> None:
    shapes = LabelledShape(columns(0, 2), TUMOR), LabelledShape(columns(1, 3), STROMA)
    for order in (shapes, shapes[::-1]):
        assert burn(LabelPlan("s", shapes=order)) == [TUMOR, TUMOR, STROMA, OFF, OFF, OFF]


def test_ignored_area_is_stronger_than_everything() -> None:
    plan = LabelPlan(
        "s", shapes=(LabelledShape(columns(0, 3), TUMOR),), complete=(columns(0, 6),), ignore=(columns(2, 4),)
    )
    assert burn(plan) == [TUMOR, TUMOR, OFF, OFF, 0, 0]


def test_shape_that_was_predicted_trains_like_any_other() -> None:
    plan = LabelPlan(
        "s",
        shapes=(LabelledShape(columns(1, 4), TUMOR, is_blind=False), LabelledShape(columns(5, 6), STROMA)),
        complete=(columns(0, 3),),
    )
    assert burn(plan) == [0, TUMOR, TUMOR, TUMOR, OFF, STROMA]


def test_ignored_area_is_ignored_beside_predicted_shapes_too() -> None:
    plan = LabelPlan(
        "s",
        shapes=(LabelledShape(columns(0, 1), STROMA, is_blind=False), LabelledShape(columns(2, 6), TUMOR)),
        complete=(columns(0, 4),),
        ignore=(columns(3, 5),),
    )
    assert burn(plan) == [STROMA, 0, TUMOR, OFF, OFF, TUMOR]


def test_hold_out_never_trains() -> None:
    plan = LabelPlan(
        "s",
        shapes=(LabelledShape(columns(2, 5), TUMOR),),
        complete=(columns(0, 4), columns(4, 6)),
        hold_out=(columns(0, 4),),
    )
    assert burn(plan) == [OFF, OFF, OFF, OFF, TUMOR, 0]


def test_hold_out_judges_within_its_areas_by_blind_labels_only() -> None:
    plan = LabelPlan(
        "s",
        shapes=(LabelledShape(columns(1, 2), STROMA), LabelledShape(columns(2, 5), TUMOR, is_blind=False)),
        complete=(columns(0, 4), columns(4, 6)),
        hold_out=(columns(0, 4),),
        ignore=(columns(3, 4),),
    )
    assert burn(plan, Part.HOLD_OUT) == [0, STROMA, OFF, OFF, OFF, OFF]


def test_of_one_class_what_was_predicted_judges_nothing_whichever_comes_first() -> None:
    shapes = LabelledShape(columns(0, 3), TUMOR), LabelledShape(columns(2, 5), TUMOR, is_blind=False)
    for order in (shapes, shapes[::-1]):
        plan = LabelPlan("s", shapes=order, complete=(columns(0, 6),), hold_out=(columns(0, 6),))
        assert burn(plan, Part.HOLD_OUT) == [TUMOR, TUMOR, OFF, OFF, OFF, 0]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.randoms(use_true_random=False), st.sampled_from(list(Part)))
def test_the_order_in_which_a_plan_lists_things_changes_no_pixel(
    data: st.DataObject, chance: random.Random, part: Part
) -> None:
    span = st.tuples(st.integers(0, 5), st.integers(1, 4)).map(lambda at: columns(at[0], at[0] + at[1]))
    spans = st.lists(span, max_size=3)
    shapes = data.draw(st.lists(st.builds(LabelledShape, span, st.integers(0, 2), st.booleans()), max_size=5))
    complete, ignore, hold_out = data.draw(spans), data.draw(spans), data.draw(spans)

    def plan(mixed: Callable[[list[Any]], list[Any]]) -> LabelPlan:
        lists = (tuple(mixed(part)) for part in (shapes, complete, ignore, hold_out))
        return LabelPlan("s", *lists)

    as_listed, otherwise = plan(list), plan(lambda items: chance.sample(items, len(items)))
    assert burn(as_listed, part, 9) == burn(otherwise, part, 9)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(list(Part)), st.sampled_from([1.0, 2.5, 4.0]))
def test_tile_is_exactly_the_crop_of_the_whole(data: st.DataObject, part: Part, downsample: float) -> None:
    def areas() -> tuple[BaseGeometry, ...]:
        corner, size = st.floats(0, 60), st.floats(1, 40)
        boxes = data.draw(st.lists(st.tuples(corner, corner, size, st.floats(0, 90)), max_size=3))
        return tuple(shapely.affinity.rotate(shapely.box(x, y, x + s, y + s), turn) for x, y, s, turn in boxes)

    shapes = tuple(LabelledShape(area, 1 + i % 2, is_blind=bool(i % 3)) for i, area in enumerate(areas() + areas()))
    plan = LabelPlan("s", shapes, complete=areas(), ignore=areas(), hold_out=areas())
    raster = PlanRaster(plan, SCHEME, downsample, part)
    window = Window(-2, -3, 40, 45, downsample)
    whole = raster.burn(window)
    for tile in window.tiles(data.draw(st.integers(3, 40))):
        assert np.array_equal(raster.burn(tile).labels, whole.labels[window.slices(tile)])


def test_areas_hold_every_labelled_pixel() -> None:
    plan = LabelPlan(
        "s",
        shapes=(LabelledShape(shapely.box(90, 10, 95, 20), TUMOR), LabelledShape(columns(0, 2), TUMOR, is_blind=False)),
        complete=(shapely.box(40, 40, 60, 50),),
        hold_out=(shapely.box(40, 40, 60, 50),),
    )
    assert PlanRaster(plan, SCHEME, 1.0, Part.TRAINING).bounds == Region(0, 0, 95, 50)
    assert PlanRaster(plan, SCHEME, 1.0, Part.HOLD_OUT).bounds == Region(40, 40, 20, 10)


def test_tiles_are_those_of_the_grid_that_touch_a_labelled_area() -> None:
    plan = LabelPlan("s", complete=(shapely.box(10, 10, 30, 30), shapely.box(70, 70, 75, 75)))
    tiles = list(PlanRaster(plan, SCHEME, 2.0, Part.TRAINING).tiles(10))
    assert [(t.x, t.y) for t in tiles] == [(0, 0), (10, 0), (0, 10), (10, 10), (30, 30)]
    assert {(t.width, t.height, t.downsample) for t in tiles} == {(10, 10, 2.0)}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([7, 10]), st.sampled_from([1.0, 2.5]))
def test_tiles_hold_every_labelled_pixel_once_row_by_row(data: st.DataObject, side: int, downsample: float) -> None:
    corner, size = st.floats(-30, 90), st.floats(0.5, 60)
    boxes = data.draw(st.lists(st.tuples(corner, corner, size, size, st.floats(0, 90)), min_size=1, max_size=4))
    areas = [shapely.affinity.rotate(shapely.box(x, y, x + w, y + h), turn) for x, y, w, h, turn in boxes]
    raster = PlanRaster(LabelPlan("s", complete=tuple(areas)), SCHEME, downsample, Part.TRAINING)
    tiles = list(raster.tiles(side))
    assert [(t.y, t.x) for t in tiles] == sorted({(t.y, t.x) for t in tiles})
    assert all(t.x % side == t.y % side == 0 for t in tiles)
    assert all(any(shapely.box(*t.bounds).intersects(area) for area in areas) for t in tiles)
    whole = raster.burn(Window(-70, -70, 260, 260, downsample)).labels != OFF
    for tile in tiles:
        rows, columns = Window(-70, -70, 260, 260, downsample).slices(tile)
        whole[rows, columns] = False
    assert not whole.any()


def test_what_lies_between_two_areas_far_apart_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    far = 10_000_000
    plan = LabelPlan("s", complete=(shapely.box(10, 10, 20, 20), shapely.box(far, far, far + 10, far + 10)))
    looked_at, box = [], shapely.box

    def counted(*bounds: Any) -> Any:
        boxes = box(*bounds)
        looked_at.append(np.size(boxes))
        return boxes

    monkeypatch.setattr("bridge.raster.plan_raster.shapely.box", counted)
    tiles = list(PlanRaster(plan, SCHEME, 1.0, Part.TRAINING).tiles(512))
    assert len(tiles) == 2 and sum(looked_at) < 10


def test_empty_plan_labels_nothing() -> None:
    raster = PlanRaster(LabelPlan("s"), SCHEME, 1.0, Part.TRAINING)
    assert raster.bounds is None
    assert list(raster.tiles(8)) == []
    assert burn(LabelPlan("s")) == burn(LabelPlan("s"), Part.HOLD_OUT) == [OFF] * 6


def test_label_of_another_scheme_is_refused() -> None:
    plan = LabelPlan("s", shapes=(LabelledShape(columns(0, 1), 9),))
    with pytest.raises(UnknownPathClassError, match="label 9"):
        PlanRaster(plan, SCHEME, 1.0, Part.TRAINING)
