"""What of a plan no training has learned from."""

from __future__ import annotations

from dataclasses import replace

import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations.labels import apply_hold_out, area_key, learned_keys
from bridge.annotations.new_labels import keys_digest, new_labels, without_news
from bridge.annotations.plan import LabelledShape, LabelPlan, PatchLabel
from bridge.coords import Region

_ROI, _OTHER_ROI = shapely.box(0, 0, 100, 100), shapely.box(200, 0, 300, 100)
_INSIDE, _OUTSIDE = shapely.box(10, 10, 30, 30), shapely.box(400, 0, 410, 10)


def plan(**parts: object) -> LabelPlan:
    return LabelPlan("slide", **parts)  # type: ignore[arg-type]


def known(earlier: LabelPlan) -> tuple[frozenset[str], str]:
    keys = learned_keys(earlier)
    return keys, keys_digest(keys)


coordinates = st.integers(0, 500)
sides = st.integers(1, 50)
boxes = st.builds(lambda x, y, w, h: shapely.box(x, y, x + w, y + h), coordinates, coordinates, sides, sides)
plans = st.builds(
    lambda shapes, complete, patches: plan(
        shapes=tuple(LabelledShape(g, label) for g, label in shapes),
        complete=tuple(complete),
        patch_labels=tuple(PatchLabel(Region(x, y, 9, 9), label) for x, y, label in patches),
    ),
    st.lists(st.tuples(boxes, st.integers(1, 2)), max_size=4),
    st.lists(boxes, max_size=3),
    st.lists(st.tuples(coordinates, coordinates, st.integers(0, 2)), max_size=2),
)


@given(plans)
@settings(max_examples=80, deadline=None)
def test_nothing_is_new_of_what_was_learned(labels: LabelPlan) -> None:
    new = new_labels(labels, *known(labels))
    assert (new.area, new.patches, new.is_corrected) == (0, 0, False)


@given(plans)
@settings(max_examples=80, deadline=None)
def test_all_of_a_slide_that_was_never_learned_is_new(labels: LabelPlan) -> None:
    new = new_labels(labels, frozenset(), None)
    everything = [*labels.complete, *(shape.geometry for shape in labels.shapes)]
    assert abs(new.area - shapely.union_all(everything).area) < 1e-6
    assert (new.patches, new.is_corrected) == (len(labels.patch_labels), False)


@given(plans, plans)
@settings(max_examples=80, deadline=None)
def test_labels_that_are_only_added_are_no_correction(first: LabelPlan, second: LabelPlan) -> None:
    both = replace(
        first,
        shapes=first.shapes + second.shapes,
        complete=first.complete + second.complete,
        patch_labels=first.patch_labels + second.patch_labels,
    )
    new = new_labels(both, *known(first))
    assert not new.is_corrected
    assert new.area <= new_labels(second, frozenset(), None).area + 1e-6


def test_a_new_area_counts_once_with_what_is_drawn_in_it() -> None:
    before = plan(complete=(_ROI,))
    shapes = (LabelledShape(shapely.box(210, 10, 220, 20), 1), LabelledShape(_OUTSIDE, 1))
    new = new_labels(plan(complete=(_ROI, _OTHER_ROI), shapes=shapes), *known(before))
    assert new.area == 100 * 100 + 10 * 10
    assert not new.is_corrected


def test_what_is_held_out_or_ignored_teaches_nothing_new() -> None:
    labels = plan(complete=(_ROI, _OTHER_ROI), shapes=(LabelledShape(_INSIDE, 1),))
    held = apply_hold_out(labels, {area_key(_ROI)})
    assert new_labels(held, frozenset(), None).area == 100 * 100
    ignored = replace(held, ignore=(shapely.box(200, 0, 250, 100),))
    assert new_labels(ignored, frozenset(), None).area == 50 * 100


def test_removed_reshaped_renamed_and_ignored_are_corrections() -> None:
    before = plan(complete=(_ROI,), shapes=(LabelledShape(_INSIDE, 1), LabelledShape(_OUTSIDE, 1)))
    reshaped = LabelledShape(shapely.box(10, 10, 30, 40), 1)
    for shapes in ((before.shapes[0],), (reshaped, before.shapes[1]), (LabelledShape(_INSIDE, 2), before.shapes[1])):
        assert new_labels(replace(before, shapes=shapes), *known(before)).is_corrected
    assert new_labels(replace(before, ignore=(_INSIDE,)), *known(before)).is_corrected


def test_what_was_learned_long_ago_and_is_back_is_a_correction() -> None:
    first = plan(shapes=(LabelledShape(_INSIDE, 1), LabelledShape(_OUTSIDE, 1)))
    last = replace(first, shapes=first.shapes[:1])
    assert new_labels(first, learned_keys(first), keys_digest(learned_keys(last))).is_corrected


def test_a_training_that_begins_anew_knows_no_news_but_what_was_rejected() -> None:
    rejected = shapely.box(40, 40, 60, 60)
    labels = plan(
        complete=(_ROI, _OTHER_ROI),
        shapes=(LabelledShape(shapely.box(90, 10, 220, 30), 1),),
        emphasis=(_ROI, _OTHER_ROI, shapely.box(90, 10, 220, 30), rejected),
    )
    assert without_news(labels).emphasis == (rejected,)
    held = without_news(apply_hold_out(labels, {area_key(_OTHER_ROI)}))
    assert [area.bounds for area in held.emphasis] == [rejected.bounds]
