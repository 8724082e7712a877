"""Short names for drawings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon, box

from bridge.annotations import Annotation, ObjectKind
from bridge.annotations.fingerprints import count_of, fingerprints, holds_all
from bridge.annotations.objects import Plane

SHAPE = Polygon([(10, 10), (90, 12), (88, 90), (12, 86)], [[(30, 30), (50, 30), (50, 50), (30, 50)]])
DRAWN = Annotation("a", SHAPE, "Tumor", name="mine")

drawings = st.lists(
    st.builds(
        lambda x, side, name: Annotation("id", box(x, 0, x + side, side), name),
        st.integers(0, 5),
        st.integers(1, 3),
        st.sampled_from(["Tumor", None]),
    ),
    max_size=8,
)


def _key(annotation: Annotation) -> tuple[object, ...]:
    return annotation.path_class, annotation.geometry.wkb


@given(drawings, drawings)
@settings(max_examples=100, deadline=None)
def test_one_version_holds_another_as_multisets_do(first: list[Annotation], second: list[Annotation]) -> None:
    expected = Counter(map(_key, second)) <= Counter(map(_key, first))
    assert holds_all(fingerprints(first), fingerprints(second)) is expected
    assert holds_all(fingerprints([*first, *second]), fingerprints(second))
    assert count_of(fingerprints(first)) == len(first)


@given(st.integers(0, 3), st.booleans(), st.floats(-0.4, 0.4), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_what_a_tool_does_to_numbers_and_order_does_not_count(
    start: int, is_reversed: bool, shift: float, random: object
) -> None:
    ring = np.roll(shapely.get_coordinates(SHAPE.exterior)[:-1], start, axis=0) + shift
    again = Polygon(ring[::-1] if is_reversed else ring, [SHAPE.interiors[0].coords[::-1]])
    assert fingerprints([replace(DRAWN, object_id="b", geometry=again)]) == fingerprints([DRAWN])
    parts = [box(0, 0, 9, 9), box(20, 0, 29, 9), box(40, 0, 49, 9)]
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    two = [replace(DRAWN, geometry=MultiPolygon(p)) for p in (parts, shuffled)]
    assert fingerprints(two[:1]) == fingerprints(two[1:])


def test_class_text_kind_plane_and_outline_each_count() -> None:
    others = [
        replace(DRAWN, path_class="Stroma"),
        replace(DRAWN, name="yours"),
        replace(DRAWN, kind=ObjectKind.DETECTION),
        replace(DRAWN, plane=Plane(z=1)),
        replace(DRAWN, geometry=Polygon(SHAPE.exterior)),
        replace(DRAWN, geometry=shapely.transform(SHAPE, lambda xy: xy + 2)),
    ]
    assert len({fingerprints([a]) for a in (DRAWN, *others)}) == 7
    assert fingerprints([replace(DRAWN, name="")]) == fingerprints([replace(DRAWN, name=None)])


def test_nothing_and_empty_outlines_have_names_too() -> None:
    assert fingerprints([]) == b""
    assert holds_all(b"", b"")
    empty = Annotation("e", Polygon())
    assert holds_all(fingerprints([empty, DRAWN]), fingerprints([empty]))
    assert not holds_all(fingerprints([DRAWN]), fingerprints([empty]))
