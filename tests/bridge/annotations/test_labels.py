"""What a reconciled slide teaches."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import Polygon

from bridge.annotations import LabelledShape, LabelOptions, LabelPlan, Part, PatchLabel
from bridge.annotations.labels import (
    WHOLE_SLIDE,
    apply_hold_out,
    area_key,
    blind_areas,
    build_plan,
    learned_keys,
    missing_among,
    shape_keys,
    taught_by,
    without_patch_labels,
)
from bridge.coords import Region
from bridge.raster import PlanRaster

SLIDE = Region(0, 0, 10_000, 10_000)
LEFT, RIGHT = box(0, 0, 500, 500), box(1000, 0, 1500, 500)
CELL = box(100, 100, 200, 180)  # in LEFT
FAR = box(5000, 5000, 5100, 5080)  # in neither


def area(shapes) -> float:
    return float(shapely.union_all(list(shapes)).area)


@pytest.fixture
def plan_of(read, scheme):
    """Reconcile what a viewer saved, and plan."""

    def build(found, written=(), *, options=None, adopted=(), extent=SLIDE, **more) -> LabelPlan:
        options = options or LabelOptions()
        reading = read(found, written, options=options, adopted=adopted)
        return build_plan("slide", reading, scheme, options, extent=extent, **more)

    return build


def test_each_role_goes_to_its_place(tool, ours, plan_of) -> None:
    patch = ours.proposal(box(3000, 3000, 3512, 3512))
    drawn = [
        tool.draw(LEFT, "ROI"),
        tool.draw(CELL, "Stroma"),
        tool.draw(FAR, "Background"),
        tool.draw(RIGHT, "Ignore*"),
        tool.draw(box(7000, 7000, 7100, 7100), "Fat"),
        tool.name(tool.show(patch), "Tumor"),
    ]
    plan = plan_of(tool.save(drawn), [patch])
    assert [(s.label, s.is_blind) for s in plan.shapes] == [(2, True), (0, True)]
    assert plan.shapes[0].geometry.equals(CELL)
    assert [a.equals(LEFT) for a in plan.complete] == [True]
    assert [a.equals(RIGHT) for a in plan.ignore] == [True]
    assert plan.patch_labels == (PatchLabel(Region(3000, 3000, 512, 512), 1),)
    assert plan.hold_out == ()


def test_open_predictions_and_proposals_teach_nothing(tool, ours, plan_of) -> None:
    written = [ours.prediction(FAR), ours.proposal(LEFT)]
    assert plan_of(tool.save([tool.show(w) for w in written]), written).is_empty


def test_crossing_outlines_are_repaired(tool, plan_of) -> None:
    bowtie = Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    (shape,) = plan_of(tool.save([tool.draw(bowtie, "Tumor")])).shapes
    assert shape.geometry.is_valid and shape.geometry.area == 5000


@pytest.mark.parametrize(("x", "teaches"), [(-200, False), (-100, False), (-50, True), (9950, True), (10_000, False)])
def test_what_lies_off_the_slide_teaches_nothing(tool, ours, plan_of, x, teaches) -> None:
    here = box(x, 0, x + 100, 100)
    patch = ours.proposal(here)
    for drawn in ([tool.draw(here, "Tumor")], [tool.draw(here, "ROI")], [tool.name(tool.show(patch), "Tumor")]):
        assert plan_of(tool.save(drawn), [patch]).is_empty is not teaches
    assert bool(plan_of(tool.save([tool.draw(here, "Ignore")])).ignore) is teaches


def test_a_patch_label_is_the_box_as_proposed(qupath, ours, plan_of) -> None:
    patch = ours.proposal(box(3000, 3000, 3512, 3512))
    shaken = replace(qupath.show(patch), path_class="Tumor", geometry=box(2999.9, 3000.2, 3512.3, 3511.8))
    assert plan_of(qupath.save([shaken]), [patch]).patch_labels == (PatchLabel(Region(3000, 3000, 512, 512), 1),)


def test_in_complete_slides_everything_is_labelled(tool, plan_of) -> None:
    plan = plan_of(tool.save([tool.draw(CELL, "Tumor")]), options=LabelOptions(complete="slide"))
    assert [a.bounds for a in plan.complete] == [SLIDE.bounds]


# Border objects


def test_a_border_prediction_is_ignored_outside_every_roi(tool, ours, plan_of) -> None:
    border = ours.prediction(box(440, 100, 540, 200))
    for shown in (tool.show(border), replace(tool.show(border), geometry=box(440, 100, 545, 200))):
        (shape,) = plan_of(tool.save([tool.draw(LEFT, "ROI"), shown]), [border]).shapes
        assert shape.geometry.equals(box(440, 100, 500, 200))
        assert not shape.is_blind


def test_a_border_prediction_stays_cut_after_our_write_made_it_plain(tool, ours, plan_of) -> None:
    adopted = replace(ours.prediction(box(440, 100, 540, 200)), path_class="Tumor")
    plain = replace(tool.draw(adopted.geometry, "Tumor"), object_id=adopted.object_id)
    (shape,) = plan_of(tool.save([tool.draw(LEFT, "ROI"), plain]), adopted=[adopted]).shapes
    assert shape.geometry.equals(box(440, 100, 500, 200))


def test_what_a_person_drew_across_an_edge_or_accepted_outside_is_whole(tool, ours, plan_of) -> None:
    mostly_outside = ours.prediction(box(460, 300, 560, 400))
    far = ours.prediction(FAR)
    drawn = [
        tool.draw(LEFT, "ROI"),
        tool.draw(box(440, 100, 540, 200), "Tumor"),
        tool.accept(tool.show(mostly_outside)),
        tool.accept(tool.show(far)),
    ]
    shapes = plan_of(tool.save(drawn), [mostly_outside, far]).shapes
    assert [s.geometry.area for s in shapes] == [10_000, 10_000, FAR.area]
    assert [s.is_blind for s in shapes] == [True, False, False]


# Emphasis


def test_what_is_new_is_drawn_more_often_and_what_was_learned_is_not(tool, plan_of) -> None:
    first = tool.save([tool.draw(LEFT, "ROI"), tool.draw(CELL, "Tumor")])
    plan = plan_of(first)
    assert area(plan.emphasis) == LEFT.area
    learned = learned_keys(plan)
    assert plan_of(first, learned=learned).emphasis == ()
    more = tool.save([tool.draw(LEFT, "ROI"), tool.draw(CELL, "Tumor"), tool.draw(FAR, "Tumor")])
    assert [a.equals(FAR) for a in plan_of(more, learned=learned).emphasis] == [True]


def test_a_new_patch_label_is_new_until_it_was_learned_or_is_taken_away(tool, ours, plan_of) -> None:
    here = box(3000, 3000, 3512, 3512)
    patch = ours.proposal(here)
    saved = tool.save([tool.draw(LEFT, "ROI"), tool.name(tool.show(patch), "Tumor")])
    plan = plan_of(saved, [patch])
    assert area(plan.emphasis) == LEFT.area + here.area
    assert plan_of(saved, [patch], learned=learned_keys(plan)).emphasis == ()
    less = without_patch_labels(plan)
    assert less.patch_labels == ()
    assert [a.equals(LEFT) for a in less.emphasis] == [True]


@pytest.mark.parametrize(
    ("shape", "path_class"),
    [(CELL, "Stroma"), (CELL.difference(box(120, 120, 150, 150)), "Tumor"), (box(100, 100, 210, 180), "Tumor")],
    ids=["class", "inside", "outline"],
)
def test_what_was_corrected_is_new(tool, plan_of, shape, path_class) -> None:
    learned = learned_keys(plan_of(tool.save([tool.draw(CELL, "Tumor")])))
    plan = plan_of(tool.save([tool.draw(shape, path_class)]), learned=learned)
    assert area(plan.emphasis) == shape.area


def test_rejected_predictions_are_drawn_more_often_inside_rois_only(tool, ours, plan_of) -> None:
    across, outside, stays = (ours.prediction(s) for s in (box(460, 0, 560, 100), FAR, CELL))
    earlier = ours.prediction(box(0, 400, 50, 450))
    found = tool.save([tool.draw(LEFT, "ROI"), tool.show(stays)])
    learned = learned_keys(plan_of(found, [stays]))
    plan = plan_of(found, [across, outside, stays], learned=learned, rejected=[earlier])
    assert area(plan.emphasis) == pytest.approx(40 * 100 + 50 * 50)


# Hold-out


def test_a_held_out_roi_judges_and_nothing_in_it_trains(tool, ours, plan_of) -> None:
    patch, other = ours.proposal(box(1100, 100, 1356, 356)), ours.proposal(box(3000, 3000, 3256, 3256))
    drawn = [
        tool.draw(LEFT, "ROI"),
        tool.draw(RIGHT, "ROI"),
        tool.draw(box(1400, 0, 1600, 100), "Tumor"),
        tool.name(tool.show(patch), "Tumor"),
        tool.name(tool.show(other), "Tumor"),
    ]
    plan = plan_of(tool.save(drawn), [patch, other], hold_out={area_key(RIGHT)})
    assert [a.equals(RIGHT) for a in plan.hold_out] == [True]
    assert len(plan.complete) == 2
    assert [p.region.x for p in plan.patch_labels] == [3000]
    emphasized = shapely.union_all(plan.emphasis)
    assert emphasized.intersection(RIGHT).area == 0
    assert emphasized.area == pytest.approx(LEFT.area + 100 * 100 + 256 * 256)


def test_a_held_out_slide_teaches_nothing_at_all(tool, ours, plan_of) -> None:
    patch = ours.proposal(box(3000, 3000, 3256, 3256))
    drawn = [
        tool.draw(LEFT, "ROI"),
        tool.draw(box(440, 100, 540, 200), "Tumor"),
        tool.draw(FAR, "Tumor"),
        tool.name(tool.show(patch), "Tumor"),
    ]
    plan = plan_of(tool.save(drawn), [patch], hold_out={WHOLE_SLIDE})
    assert [a.equals(LEFT) for a in plan.hold_out] == [True]
    assert [s.geometry.bounds for s in plan.shapes] == [(440, 100, 500, 200)]
    assert plan.patch_labels == plan.emphasis == ()
    assert learned_keys(plan) == frozenset()


def test_a_held_out_slide_without_rois_is_empty(tool, plan_of) -> None:
    plan = plan_of(tool.save([tool.draw(FAR, "Tumor")]), hold_out={WHOLE_SLIDE})
    assert plan.is_empty and plan.hold_out == ()


def test_hold_out_can_be_decided_after_planning(tool, plan_of) -> None:
    found = tool.save([tool.draw(LEFT, "ROI"), tool.draw(RIGHT, "ROI"), tool.draw(CELL, "Tumor")])
    for keys in ((), {area_key(RIGHT)}, {WHOLE_SLIDE}):
        assert apply_hold_out(plan_of(found), keys) == plan_of(found, hold_out=keys)


def test_learned_keys_leave_out_what_was_held_out(tool, plan_of) -> None:
    found = tool.save([tool.draw(LEFT, "ROI"), tool.draw(RIGHT, "ROI"), tool.draw(CELL, "Tumor")])
    assert area_key(LEFT) not in learned_keys(plan_of(found, hold_out={area_key(LEFT)}))
    assert len(learned_keys(plan_of(found, hold_out={area_key(LEFT)}))) == 1  # the cell lies in it


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.integers(-1000, 90_000)] * 2), st.integers(2, 5000), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_area_keys_survive_rounding(corner: tuple[int, int], side: int, x: float, y: float) -> None:
    shape = box(*corner, corner[0] + side, corner[1] + side)
    shaken = shapely.reverse(shapely.transform(shape, lambda xy: xy + np.array([x, y])))
    assert area_key(shape) == area_key(shaken)
    assert area_key(shape) != area_key(shapely.transform(shape, lambda xy: xy + 1))


def test_shape_keys_tell_class_and_inside_apart() -> None:
    shapes = [LabelledShape(CELL, 1), LabelledShape(CELL, 2), LabelledShape(CELL.difference(box(0, 0, 150, 150)), 1)]
    assert len(set(shape_keys(shapes))) == 3


def test_areas_with_labels_that_began_as_predictions_do_not_judge() -> None:
    plan = LabelPlan("s", (LabelledShape(CELL, 1, is_blind=False), LabelledShape(FAR, 1)), complete=(LEFT, RIGHT))
    assert blind_areas(plan) == (RIGHT,)
    assert blind_areas(replace(plan, shapes=plan.shapes[1:])) == (LEFT, RIGHT)


# What is missing


def test_what_is_missing_before_training() -> None:
    tumor, stroma = LabelledShape(CELL, 1), LabelledShape(FAR, 2)
    enough = [
        [LabelPlan("a", (tumor, stroma))],
        [LabelPlan("a", (tumor,)), LabelPlan("b", (stroma,))],
        [LabelPlan("a", (tumor,), complete=(LEFT,))],
        [LabelPlan("a", (tumor, LabelledShape(FAR, 0)))],
        [LabelPlan("a", (tumor,)), LabelPlan("b", patch_labels=(PatchLabel(Region(0, 0, 9, 9), 2),))],
    ]
    assert [missing_among(map(taught_by, plans)) for plans in enough] == [None] * len(enough)
    nothing = [[], [LabelPlan("a")], [LabelPlan("a", complete=(LEFT,))]]
    assert all("nothing is labelled" in (missing_among(map(taught_by, plans)) or "") for plans in nothing)
    assert "only one label" in (missing_among([taught_by(LabelPlan("a", (tumor,)))]) or "")


def test_labels_in_held_out_areas_do_not_count_for_training() -> None:
    plan = LabelPlan("a", (LabelledShape(CELL, 1),), complete=(LEFT, RIGHT), hold_out=(LEFT,))
    assert missing_among([taught_by(plan)]) is not None
    assert missing_among([taught_by(replace(plan, hold_out=(RIGHT,)))]) is None
    assert missing_among([taught_by(replace(plan, hold_out=(LEFT, RIGHT)))]) is not None


# Order, and what lies far off


@pytest.mark.parametrize("seed", range(5))
def test_whatever_a_file_lists_first_the_plan_is_the_same(qupath, ours, plan_of, seed) -> None:
    chance = random.Random(seed)
    border = [ours.prediction(box(440, 100 * i, 540, 100 * i + 90)) for i in range(3)]
    patches = [ours.proposal(box(3000, y, 3512, y + 512)) for y in (3000, 4000)]
    gone = [ours.prediction(box(50 * i, 300, 50 * i + 40, 340)) for i in range(3)]
    halves = [Polygon([(20, 20), (80, 20), (80, 80)]), Polygon([(20, 20), (80, 80), (20, 80)])]  # of one box
    drawn = [
        *(qupath.draw(roi, "ROI") for roi in (LEFT, RIGHT, box(400, 0, 900, 300))),
        *(qupath.draw(half, "Stroma") for half in halves),
        *(qupath.draw(CELL, name) for name in ("Stroma", "Tumor")),
        *(qupath.draw(box(x, 5000, x + 10, 5010), "Ignore*") for x in (100, 50)),
        *(qupath.show(w) for w in border),
        *(qupath.name(qupath.show(w), "Tumor") for w in patches),
    ]
    written = [*border, *patches, *gone]
    expected = plan_of(qupath.save(drawn), written)
    assert len(expected.shapes) == 7 and len(expected.emphasis) > 10
    mixed = chance.sample(drawn, len(drawn)), chance.sample(written, len(written))
    assert plan_of(qupath.save(mixed[0]), mixed[1]) == expected


FURTHEST = 1e7


@pytest.mark.parametrize("path_class", ["ROI", "Ignore*", "Stroma"])
def test_what_reaches_far_off_the_slide_ends_at_its_edge(qupath, plan_of, path_class) -> None:
    slip = box(9000, 9000, FURTHEST, FURTHEST)
    plan = plan_of(qupath.save([qupath.draw(slip, path_class)]))
    (found,) = (*plan.complete, *plan.ignore, *(shape.geometry for shape in plan.shapes))
    assert found.equals(box(9000, 9000, 10_000, 10_000))


def test_what_reaches_over_the_edge_a_little_stays_as_drawn(qupath, plan_of) -> None:
    over = box(-500, 9000, 300, 10_400)
    assert plan_of(qupath.save([qupath.draw(over, "ROI")])).complete[0].equals(over)


@pytest.mark.parametrize(("near", "most"), [(0, 100), (9000, 4)])
def test_an_area_that_ends_far_off_costs_the_tiles_of_the_slide(qupath, plan_of, scheme, near, most) -> None:
    plan = plan_of(qupath.save([qupath.draw(box(near, near, FURTHEST, FURTHEST), "ROI")]))
    raster = PlanRaster(plan, scheme, 2.0, Part.TRAINING)
    assert 0 < sum(1 for _ in raster.tiles(512)) <= most
