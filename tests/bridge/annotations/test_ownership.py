"""What is still ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area, repair_areas
from bridge.annotations.ownership import is_as_written, match_written, overlapping_pairs, share_inside

BLOB = Point(1000.25, 2000.75).buffer(80)
few = settings(max_examples=60, deadline=None)
boxes = st.builds(
    lambda x, y, w, h: box(x, y, x + w, y + h),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 40),
    st.integers(1, 40),
)
bowties = st.builds(
    lambda x, y, s: Polygon([(x, y), (x + s, y + s), (x + s, y), (x, y + s)]),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(2, 40),
)


def whole(shape: BaseGeometry) -> BaseGeometry:
    return shapely.transform(shape, np.round)


def moved(shape: BaseGeometry, x: float, y: float = 0.0) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: xy + np.array([x, y]))


def test_a_save_that_touched_nothing_leaves_all_as_written(tool, ours) -> None:
    written = [ours.prediction(whole(BLOB)), ours.proposal(box(0, 0, 512, 512))]
    saved = tool.save([tool.show(w) for w in written])
    assert all(is_as_written(a, w) for a, w in zip(saved.annotations, written, strict=True))


def test_class_text_and_outline_each_make_a_difference(tool, ours) -> None:
    written = ours.prediction(whole(BLOB))
    shown = tool.show(written)
    assert not is_as_written(replace(shown, path_class="Tumor"), written)
    assert not is_as_written(replace(shown, name="really?"), written)
    assert not is_as_written(replace(shown, geometry=moved(shown.geometry, 2)), written)
    assert is_as_written(replace(shown, name=""), written)  # an absent Text and an empty one are one
    assert is_as_written(replace(shown, geometry=moved(shown.geometry, 0.5)), written)


@few
@given(
    start=st.integers(0, 200),
    is_reversed=st.booleans(),
    copies=st.integers(1, 3),
    rounding=st.sampled_from([np.float32, lambda xy: np.round(xy, 2), np.round, lambda xy: xy]),
    is_turned=st.booleans(),
    data=st.data(),
)
def test_as_written_whatever_a_tool_does_to_the_ring(
    tool, ours, start: int, is_reversed: bool, copies: int, rounding, is_turned: bool, data: st.DataObject
) -> None:
    """Ring start, direction, vertices said twice, numbers, order of parts; and no further than a pixel."""
    parts = [whole(BLOB), box(1200, 2000, 1300, 2050)]
    written = ours.prediction(shapely.MultiPolygon(parts))

    def again(part: Polygon) -> Polygon:
        ring = np.roll(shapely.get_coordinates(part)[:-1], start, axis=0)
        return Polygon(np.repeat(rounding(ring[::-1] if is_reversed else ring).astype(float), copies, axis=0))

    shape = shapely.MultiPolygon([again(p) for p in (parts[::-1] if is_turned else parts)])
    shown = tool.show(written)
    assert is_as_written(replace(shown, geometry=shape), written)
    step, place = data.draw(st.floats(1.1, 30)), data.draw(st.integers(0, 3))
    corners = shapely.get_coordinates(parts[1])[:-1]
    corners[place] += np.sign(corners[place] - corners.mean(axis=0)) * step
    assert not is_as_written(replace(shown, geometry=shapely.MultiPolygon([parts[0], Polygon(corners)])), written)


def test_every_object_of_ours_is_found_whatever_a_tool_did_to_order_and_numbers(tool, ours) -> None:
    written = [ours.prediction(whole(moved(BLOB, 300 * i))) for i in range(7)]
    saved = tool.save(reversed([tool.show(w) for w in written]))
    pairs = match_written(saved.annotations, written)
    assert [saved.annotations.index(pairs[w.object_id]) for w in written] == [6, 5, 4, 3, 2, 1, 0]


def test_an_edited_object_is_found(tool, ours) -> None:
    written = [ours.prediction(whole(BLOB)), ours.prediction(whole(moved(BLOB, 500)))]
    edited = replace(tool.show(written[0]), geometry=whole(BLOB).union(box(1000, 2000, 1120, 2030)))
    saved = tool.save([tool.show(written[1]), edited])
    pairs = match_written(saved.annotations, written)
    assert pairs[written[0].object_id] is saved.annotations[1]
    assert pairs[written[1].object_id] is saved.annotations[0]


def test_what_is_gone_is_found_nowhere(tool, ours) -> None:
    written = [ours.prediction(whole(BLOB)), ours.prediction(whole(moved(BLOB, 500)))]
    human = tool.draw(moved(BLOB, 900), "Tumor")
    pairs = match_written(tool.save([tool.show(written[1]), human]).annotations, written)
    assert set(pairs) == {written[1].object_id}
    assert match_written((), written) == {} == match_written(tool.save([human]).annotations, ())


def test_one_id_twice_is_matched_to_the_one_as_written(qupath, ours) -> None:
    written = ours.prediction(BLOB)
    shown = qupath.show(written)
    edited = replace(shown, geometry=moved(shown.geometry, 30))
    for order in ([edited, shown], [shown, edited]):
        assert match_written(order, [written])[written.object_id] is shown


def test_an_id_that_lost_our_key_is_found_and_told_by_is_ours(qupath, ours) -> None:
    written = ours.prediction(BLOB)
    bare = replace(qupath.show(written), is_ours=False, metadata={})
    assert match_written([bare], [written])[written.object_id] is bare


def test_a_region_moved_to_a_persons_layer_is_found_there(imagescope, ours) -> None:
    written = ours.prediction(whole(BLOB))
    moved_region = imagescope.draw(whole(BLOB), "Tumor")
    assert match_written([moved_region], [written])[written.object_id] is moved_region


def test_a_copy_elsewhere_cannot_steal_the_place_of_what_stayed(imagescope, ours) -> None:
    written = ours.prediction(whole(BLOB))
    copy, stayed = imagescope.draw(whole(BLOB), "Tumor"), imagescope.show(written)
    assert match_written([copy, stayed], [written])[written.object_id] is stayed


def test_of_two_edited_neighbours_each_finds_the_one_it_overlaps_most(imagescope, ours) -> None:
    first, second = ours.prediction(box(0, 0, 100, 100)), ours.prediction(box(40, 0, 140, 100))
    shown_first = replace(imagescope.show(first), geometry=box(0, 0, 104, 100))
    shown_second = replace(imagescope.show(second), geometry=box(36, 0, 140, 100))
    for order in ([shown_first, shown_second], [shown_second, shown_first]):
        pairs = match_written(order, [second, first])
        assert pairs[first.object_id] is shown_first
        assert pairs[second.object_id] is shown_second


def test_a_person_drawing_beside_a_deleted_region_is_not_taken_for_it(imagescope, ours) -> None:
    written = ours.prediction(box(0, 0, 100, 100))
    human = replace(imagescope.show(written), geometry=box(70, 0, 170, 100))
    assert match_written([human], [written]) == {}


def test_former_objects_are_known_only_where_they_lie_unchanged(imagescope, ours) -> None:
    former = ours.prediction(box(0, 0, 100, 100))
    shown = imagescope.show(former)
    edited = replace(shown, geometry=box(0, 0, 110, 100))
    assert match_written([shown], [], former=[former]) == {former.object_id: shown}
    assert match_written([edited], [], former=[former]) == {}
    assert match_written([imagescope.draw(box(0, 0, 100, 100), "Tumor")], [], former=[former]) == {}


def test_regions_without_geometry_are_in_nobodys_way(imagescope, ours) -> None:
    written = ours.prediction(box(0, 0, 100, 100))
    nothing = imagescope.draw(Polygon(), "Tumor: Predicted")
    assert match_written([nothing], [written]) == {}


@few
@given(st.lists(boxes | bowties, max_size=6), st.lists(boxes, max_size=4))
def test_share_inside_is_the_area_within_the_union(shapes: list[Polygon], areas: list[Polygon]) -> None:
    shares = share_inside(shapes, areas)
    union = shapely.union_all(areas)
    expected = [repair_area(s).intersection(union).area / repair_area(s).area for s in shapes]
    assert shares == pytest.approx(expected)
    assert shares.shape == (len(shapes),)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_shapes_without_area_lie_nowhere() -> None:
    assert share_inside([Point(1, 1), Polygon()], [box(0, 0, 9, 9)]).tolist() == [0, 0]
    assert share_inside([box(0, 0, 1, 1)], [Polygon()]).tolist() == [0]


named = st.tuples(boxes | bowties, st.sampled_from(["Tumor", "Stroma"]))


@few
@given(st.lists(named, max_size=6), st.lists(named, max_size=6), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_overlapping_pairs_are_those_of_one_class_that_overlap_enough(
    first: list[tuple[Polygon, str]], second: list[tuple[Polygon, str]], least: float
) -> None:
    areas, others = (repair_areas([shape for shape, _ in side]) for side in (first, second))
    names, other_names = ([name for _, name in side] for side in (first, second))
    pairs, overlap = overlapping_pairs(areas, others, names, other_names, least_iou=least)
    expected = {}
    for i, a in enumerate(areas):
        for j, b in enumerate(others):
            iou = a.intersection(b).area / a.union(b).area
            if iou >= least - 1e-9 and names[i] == other_names[j]:
                expected[i, j] = iou
    got = dict(zip(map(tuple, pairs.T.tolist()), overlap.tolist(), strict=True))
    assert {k: v for k, v in got.items() if abs(v - least) > 1e-9} == pytest.approx(
        {k: v for k, v in expected.items() if abs(v - least) > 1e-9}
    )


def test_nothing_overlaps_nothing() -> None:
    none = repair_areas([])
    for first, second in ((none, none), (none, repair_areas([BLOB])), (repair_areas([BLOB, Polygon()]), none)):
        names = ["Tumor"] * len(first), ["Tumor"] * len(second)
        pairs, overlap = overlapping_pairs(first, second, *names, least_iou=0.3)
        assert pairs.shape == (2, 0) and overlap.shape == (0,)
