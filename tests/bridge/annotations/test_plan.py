"""What one slide teaches, as a value."""

from __future__ import annotations

from dataclasses import replace

import pytest
import shapely
from shapely import box

from bridge.annotations import LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Region

PLAN = LabelPlan(
    "slide-1",
    shapes=(LabelledShape(box(0, 0, 10, 10), 1), LabelledShape(box(20, 0, 30, 10), 2, is_blind=False)),
    complete=(box(0, 0, 50, 50), box(100, 0, 150, 50)),
    ignore=(box(5, 5, 8, 8),),
    hold_out=(box(100, 0, 150, 50),),
    emphasis=(box(0, 0, 10, 10),),
    patch_labels=(PatchLabel(Region(200, 200, 64, 64), 1),),
)


def test_a_plan_without_labels_is_empty() -> None:
    assert LabelPlan("s").is_empty
    assert LabelPlan("s", ignore=(box(0, 0, 1, 1),)).is_empty
    for part in ("shapes", "complete", "patch_labels"):
        assert not LabelPlan("s", **{part: getattr(PLAN, part)}).is_empty


def test_the_same_plan_has_the_same_hash() -> None:
    copy = replace(PLAN, shapes=tuple(replace(s, geometry=shapely.from_wkt(s.geometry.wkt)) for s in PLAN.shapes))
    assert copy.content_hash() == PLAN.content_hash()


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, slide_key="slide-2"),
        replace(PLAN, shapes=PLAN.shapes[:1]),
        replace(PLAN, shapes=(replace(PLAN.shapes[0], label=2), PLAN.shapes[1])),
        replace(PLAN, shapes=(replace(PLAN.shapes[0], is_blind=False), PLAN.shapes[1])),
        replace(PLAN, shapes=(replace(PLAN.shapes[0], geometry=box(0, 0, 10, 11)), PLAN.shapes[1])),
        replace(PLAN, complete=PLAN.complete[:1]),
        replace(PLAN, ignore=()),
        replace(PLAN, complete=PLAN.ignore, ignore=PLAN.complete),
        replace(PLAN, hold_out=()),
        replace(PLAN, patch_labels=()),
        replace(PLAN, patch_labels=(PatchLabel(Region(200, 200, 64, 64), 2),)),
        replace(PLAN, patch_labels=(PatchLabel(Region(200, 200, 64, 65), 1),)),
    ],
)
def test_whatever_decides_the_labels_changes_the_hash(other: LabelPlan) -> None:
    assert other.content_hash() != PLAN.content_hash()


def test_what_is_drawn_more_often_decides_no_label() -> None:
    assert replace(PLAN, emphasis=()).content_hash() == PLAN.content_hash()
