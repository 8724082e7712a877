"""The write marker: whether whoever saved had seen our newest write, and what may be concluded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roles_support import BOX, CELL, FAR, fates, moved, roles

from bridge.annotations import LabelOptions
from bridge.annotations.roles import Fate, Marker, Role, reconcile


@pytest.mark.parametrize("marker", ["write-1", None])
def test_a_save_that_had_not_seen_our_newest_write_counts_nothing(tool, ours, read, marker) -> None:
    written = [ours.prediction(CELL), ours.proposal(BOX)]
    reading = read(tool.save([tool.draw(FAR, "Tumor")], marker), written)
    assert reading.marker is Marker.STALE
    assert fates(reading) == [Fate.OVERWRITTEN] * 2
    assert roles(reading) == [Role.ANNOTATION]


def test_an_older_marker_is_stale_even_where_some_of_ours_are_there(tool, ours, read) -> None:
    stays, gone = ours.proposal(BOX), ours.prediction(CELL)
    reading = read(tool.save([tool.show(stays)], "write-1"), [stays, gone])
    assert reading.marker is Marker.STALE
    assert fates(reading) == [Fate.OPEN, Fate.OVERWRITTEN]


def test_all_of_ours_gone_is_a_viewers_doing(tool, ours, read) -> None:
    written = [ours.prediction(CELL), ours.prediction(FAR), ours.proposal(BOX)]
    reading = read(tool.save([]), written)
    assert reading.marker is Marker.STALE
    assert fates(reading) == [Fate.OVERWRITTEN] * 3


def test_before_our_first_write_nothing_is_stale(tool, read, scheme) -> None:
    found = tool.save([tool.draw(CELL, "Tumor")], None)
    assert reconcile(found, [], None, scheme, LabelOptions()).marker is Marker.NEWEST


def test_without_a_marker_an_object_of_the_newest_write_proves_it_was_seen(tool, ours, read) -> None:
    stays, gone = ours.prediction(FAR), ours.prediction(CELL)
    reading = read(tool.save([tool.show(stays)], None), [stays, gone])
    assert reading.marker is Marker.NEWEST
    assert fates(reading) == [Fate.OPEN, Fate.REJECTED]


def test_without_a_marker_an_object_of_an_older_write_proves_nothing(qupath, ours, read) -> None:
    patch, gone = ours.proposal(BOX), ours.prediction(CELL)  # the box stayed over two writes
    found = qupath.save([qupath.name(qupath.show(patch, "write-1"), "Tumor")], None)
    reading = read(found, [patch, gone])
    assert fates(reading) == [Fate.PATCH_LABEL, Fate.OVERWRITTEN]


def test_without_a_marker_a_box_named_before_the_newest_write_proves_nothing(imagescope, ours, read) -> None:
    # Found by the torture: ImageScope drops the marker, and an ROI of weeks ago lies unmoved in layer Proposed.
    labelled = replace(ours.proposal(BOX), write_marker="write-1")
    newest = [replace(w, write_marker="write-2") for w in (ours.proposal(FAR), ours.prediction(CELL))]
    named = imagescope.name(imagescope.show(labelled), "ROI")
    reading = read(imagescope.save([named], marker=None), [labelled, *newest])
    assert reading.marker is Marker.STALE
    assert {o.fate for o in reading.outcomes if o.annotation is None} == {Fate.OVERWRITTEN}


def test_without_a_marker_a_region_of_a_persons_layer_proves_nothing(imagescope, ours, read) -> None:
    same, gone = ours.prediction(CELL), ours.prediction(FAR)
    reading = read(imagescope.save([imagescope.draw(CELL, "Tumor")], None), [same, gone])
    assert reading.marker is Marker.STALE


@pytest.mark.parametrize("marker", ["write-1", None])
def test_what_a_viewer_brought_back_is_ours_again(tool, ours, read, marker) -> None:
    former = [ours.prediction(CELL), ours.prediction(moved(CELL, 200), "Stroma"), ours.proposal(BOX)]
    newest = [ours.prediction(moved(CELL, 3)), ours.proposal(moved(BOX, 2000))]
    saved = tool.save([tool.show(w, "write-1") for w in former], marker)
    reading = read(saved, newest, former=former)
    assert roles(reading) == [Role.PREDICTION, Role.PREDICTION, Role.PROPOSAL]
    assert fates(reading) == [Fate.OVERWRITTEN] * 2 + [Fate.OPEN] * 3


def test_an_outline_predicted_twice_does_not_prove_that_the_second_write_was_seen(imagescope, ours, read) -> None:
    former = [ours.prediction(CELL), ours.prediction(FAR)]
    newest = [ours.prediction(CELL), ours.prediction(moved(FAR, 400))]
    reading = read(imagescope.save([imagescope.show(w) for w in former], None), newest, former=former)
    assert reading.marker is Marker.STALE
    assert fates(reading) == [Fate.OPEN, Fate.OVERWRITTEN, Fate.OPEN]


def test_what_was_accepted_before_a_viewer_overwrote_our_write_is_accepted_again(tool, ours, read) -> None:
    accepted, newest = ours.prediction(CELL), [ours.proposal(moved(BOX, 2000)), ours.prediction(FAR)]
    adopted = [replace(accepted, path_class="Tumor")]
    saved = tool.save([tool.draw(BOX, "ROI"), tool.show(accepted, "write-1")], "write-1")
    reading = read(saved, newest, former=[accepted], adopted=adopted)
    assert fates(reading) == [Fate.OVERWRITTEN] * 2 + [Fate.ACCEPTED]
    assert [(o.role, o.began_as_prediction) for o in reading.objects] == [(Role.ROI, False), (Role.ANNOTATION, True)]


def test_former_objects_that_are_not_back_have_no_outcome(tool, ours, read) -> None:
    former, promoted, newest = ours.prediction(CELL), ours.prediction(FAR), ours.proposal(BOX)
    plain = replace(tool.draw(FAR, "Tumor"), object_id=promoted.object_id)
    saved = tool.save([plain, tool.show(newest)], None)
    reading = read(saved, [newest], former=[former, promoted])
    assert reading.marker is Marker.NEWEST
    assert fates(reading) == [Fate.OPEN]
    assert roles(reading) == [Role.ANNOTATION, Role.PROPOSAL]
