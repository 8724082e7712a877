"""What changed between two versions of a slide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import Polygon

from bridge.annotations import Annotation
from bridge.annotations.diff import diff_annotations, is_suspicious

squares = st.builds(
    lambda x, y, side, name: Annotation("id", box(20 * x, 20 * y, 20 * x + side, 20 * y + side), name),
    st.integers(0, 6),
    st.integers(0, 6),
    st.integers(4, 15),
    st.sampled_from(["Tumor", "Stroma", None]),
)
drawings = st.lists(squares, max_size=12)


def _resaved(annotation: Annotation, place: int) -> Annotation:
    """The same drawing after another tool's save: renumbered, rounded, reversed."""
    shape = shapely.reverse(shapely.transform(annotation.geometry, lambda xy: np.round(xy + 0.3)))
    return replace(annotation, object_id=f"L0R{place}", geometry=shape)


def test_nothing_differs_from_itself() -> None:
    empty = Annotation("e", Polygon(), "Tumor")
    for drawing in ([], [empty], [Annotation("a", box(0, 0, 5, 5)), empty]):
        difference = diff_annotations(drawing, drawing)
        assert difference.added == difference.removed == ()


@settings(max_examples=60, deadline=None)
@given(drawings, st.randoms(use_true_random=False))
def test_saving_anew_in_another_order_changes_nothing(before: list[Annotation], random: object) -> None:
    after = [_resaved(a, place) for place, a in enumerate(before)]
    random.shuffle(after)  # type: ignore[attr-defined]
    difference = diff_annotations(before, after)
    assert difference.added == difference.removed == ()


@settings(max_examples=60, deadline=None)
@given(drawings, drawings)
def test_counts_add_up_and_sides_mirror(before: list[Annotation], after: list[Annotation]) -> None:
    there, back = diff_annotations(before, after), diff_annotations(after, before)
    assert len(before) - len(there.removed) == len(after) - len(there.added)
    assert (len(there.added), len(there.removed)) == (len(back.removed), len(back.added))
    assert all(any(a is b for b in after) for a in there.added)
    assert all(any(a is b for b in before) for a in there.removed)


@settings(max_examples=60, deadline=None)
@given(drawings, drawings)
def test_what_is_added_is_found_in_file_order(common: list[Annotation], extra: list[Annotation]) -> None:
    far = [replace(a, geometry=shapely.transform(a.geometry, lambda xy: xy + 1000)) for a in extra]
    difference = diff_annotations(common, [*common, *far])
    assert list(difference.added) == far
    assert difference.removed == ()


def test_an_edited_object_is_in_both_lists() -> None:
    kept, old = Annotation("a", box(0, 0, 9, 9), "Tumor"), Annotation("b", box(50, 0, 70, 20), "Tumor")
    for new in (replace(old, path_class="Stroma"), replace(old, geometry=box(50, 0, 73, 20))):
        difference = diff_annotations([kept, old], [new, kept])
        assert (difference.added, difference.removed) == ((new,), (old,))


def test_of_three_copies_that_became_two_one_was_removed() -> None:
    copies = [Annotation(name, box(0, 0, 9, 9), "Tumor") for name in "abc"]
    difference = diff_annotations(copies, copies[:2])
    assert difference.added == () and len(difference.removed) == 1


def test_objects_without_geometry_are_told_apart_by_class() -> None:
    tumor, stroma = (Annotation(name, Polygon(), name) for name in ("Tumor", "Stroma"))
    difference = diff_annotations([tumor, tumor], [tumor, stroma])
    assert difference.added == (stroma,) and difference.removed == (tumor,)


@pytest.mark.parametrize(
    ("before", "after", "suspicious"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (10, 5, False), (10, 4, True), (11, 5, True), (3, 8, False)],
)
def test_a_save_that_lost_all_or_more_than_half_is_suspicious(before: int, after: int, suspicious: bool) -> None:
    assert is_suspicious(before, after) is suspicious
