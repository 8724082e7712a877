"""What one slide teaches, as a value."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
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


CORNERS = st.integers(0, 3).map(float)
BOXES = st.builds(lambda x, y, size: box(x, y, x + size, y + size), CORNERS, CORNERS, st.integers(1, 2))
AREAS = st.lists(BOXES, max_size=3).map(tuple)
SHAPES = st.lists(st.builds(LabelledShape, BOXES, st.integers(0, 2), st.booleans()), max_size=4).map(tuple)
PATCHES = st.lists(st.builds(PatchLabel, st.just(Region(0, 0, 4, 4)), st.integers(0, 2)), max_size=3).map(tuple)
PLANS = st.builds(
    LabelPlan, st.sampled_from(["s", "t"]), SHAPES, AREAS, AREAS, AREAS, emphasis=AREAS, patch_labels=PATCHES
)


def shuffled(plan: LabelPlan, chance: random.Random) -> LabelPlan:
    """Return a plan that lists the same things in another order."""
    parts = ("shapes", "complete", "ignore", "hold_out", "emphasis", "patch_labels")
    return replace(
        plan, **{part: tuple(chance.sample(getattr(plan, part), len(getattr(plan, part)))) for part in parts}
    )


def content(plan: LabelPlan) -> object:
    """Return what a plan says, as values that don't depend on how it lists them."""
    return (
        plan.slide_key,
        sorted((shape.geometry.wkt, shape.label, shape.is_blind) for shape in plan.shapes),
        *(sorted(area.wkt for area in areas) for areas in (plan.complete, plan.ignore, plan.hold_out)),
        sorted((patch.region.bounds, patch.label) for patch in plan.patch_labels),
    )


@given(PLANS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_things_are_listed_changes_no_hash(plan: LabelPlan, chance: random.Random) -> None:
    assert shuffled(plan, chance).content_hash() == plan.content_hash()


@given(PLANS, PLANS)
@settings(max_examples=200, deadline=None)
def test_plans_have_one_hash_only_if_they_say_the_same(plan: LabelPlan, other: LabelPlan) -> None:
    assert (plan.content_hash() == other.content_hash()) is (content(plan) == content(other))


def test_what_is_said_of_one_shape_is_not_said_of_another() -> None:
    first, second = PLAN.shapes
    swapped = (replace(first, label=2, is_blind=False), replace(second, label=1, is_blind=True))
    assert replace(PLAN, shapes=swapped).content_hash() != PLAN.content_hash()


def test_the_name_of_a_slide_is_no_label() -> None:
    patch = PatchLabel(Region(0, 0, 4, 4), 1)
    line = f"patch {patch.label} {patch.region.bounds}"
    assert LabelPlan("s", patch_labels=(patch,)).content_hash() != LabelPlan(f"s{line}").content_hash()


def test_what_is_drawn_more_often_decides_no_label() -> None:
    assert replace(PLAN, emphasis=()).content_hash() == PLAN.content_hash()
