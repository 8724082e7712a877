"""Every gesture of an expert, as QuPath saves it and as ImageScope does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely import box
from shapely.geometry import LineString, Point, Polygon

from bridge.annotations import LabelOptions, ObjectKind, Shape
from bridge.annotations.roles import Fate, Marker, Reconciliation, Role, reconcile

BOX = box(1000, 1000, 1512, 1512)
CELL = box(1100, 1100, 1200, 1180)  # inside BOX
FAR = box(5000, 5000, 5100, 5080)


def moved(shape, x, y=0):
    return shapely.transform(shape, lambda xy: xy + np.array([x, y]))


def fates(reading: Reconciliation) -> list[Fate]:
    return [o.fate for o in reading.outcomes]


def roles(reading: Reconciliation) -> list[Role]:
    return [o.role for o in reading.objects]


# 0. What nobody touched


def test_untouched_objects_of_ours_are_open(tool, ours, read) -> None:
    written = [ours.prediction(CELL), ours.prediction(FAR, "Stroma"), ours.proposal(BOX)]
    reading = read(tool.save([tool.show(w) for w in written]), written)
    assert roles(reading) == [Role.PREDICTION, Role.PREDICTION, Role.PROPOSAL]
    assert fates(reading) == [Fate.OPEN] * 3
    assert [o.path_class for o in reading.objects] == ["Tumor", "Stroma", None]
    assert reading.marker is Marker.NEWEST and reading.unknown == {}


def test_human_objects_get_the_role_that_their_class_says(tool, read) -> None:
    names = ["Tumor", "ROI", "Ignore", "Ignore*", "Background", "Tumor: In situ", "Fat"]
    reading = read(tool.save([tool.draw(moved(CELL, 300 * i), name) for i, name in enumerate(names)]), [])
    annotation, roi, ignore, other = Role.ANNOTATION, Role.ROI, Role.IGNORE, Role.OTHER
    assert roles(reading) == [annotation, roi, ignore, ignore, annotation, annotation, other]
    assert [o.path_class for o in reading.of(annotation)] == ["Tumor", "Background", "Tumor: In situ"]
    assert not any(o.began_as_prediction for o in reading.objects)
    assert reading.unknown == {"Fat": 1}


@pytest.mark.parametrize("shape", [Shape.ELLIPSE, Shape.RECTANGLE, Shape.GEOMETRY, Shape.POLYGON])
def test_an_roi_may_have_any_area_shape(tool, read, shape) -> None:
    assert roles(read(tool.save([tool.draw(BOX, "ROI", shape=shape)]), [])) == [Role.ROI]


@pytest.mark.parametrize("shape", [s for s in Shape if not s.is_area])
def test_what_covers_no_area_is_other_whatever_it_is_called(tool, read, shape) -> None:
    line = LineString([(0, 0), (90, 90)])
    reading = read(tool.save([tool.draw(line, name, shape=shape) for name in ("Tumor", "ROI", "Fat")]), [])
    assert roles(reading) == [Role.OTHER] * 3
    assert reading.unknown == {"Fat": 1}


@pytest.mark.parametrize("kind", [k for k in ObjectKind if k is not ObjectKind.ANNOTATION])
def test_peoples_detections_cells_and_cores_are_other(qupath, read, kind) -> None:
    reading = read(qupath.save([qupath.draw(CELL, "Tumor", kind=kind), qupath.draw(CELL, "ROI", kind=kind)]), [])
    assert roles(reading) == [Role.OTHER, Role.OTHER]


def test_no_class_and_no_geometry_are_other(tool, read) -> None:
    reading = read(tool.save([tool.draw(CELL, None), tool.draw(Polygon(), "Tumor")]), [])
    assert roles(reading) == [Role.OTHER] * 2
    assert reading.unknown == {}


def test_roi_classes_are_an_option(tool, read) -> None:
    found = tool.save([tool.draw(BOX, "Region*"), tool.draw(FAR, "ROI")])
    assert roles(read(found, [])) == [Role.OTHER, Role.ROI]
    assert roles(read(found, [], options=LabelOptions(roi_classes=("Region*",)))) == [Role.ROI, Role.OTHER]


# 1. A proposal's class → ROI


def test_a_proposal_called_roi_is_one(tool, ours, read) -> None:
    proposal = ours.proposal(BOX)
    reading = read(tool.save([tool.name(tool.show(proposal), "ROI")]), [proposal])
    assert roles(reading) == [Role.ROI]
    assert fates(reading) == [Fate.LABELLED]


@pytest.mark.parametrize(("word", "role"), [("roi", Role.ROI), ("Ignore", Role.IGNORE), ("STROMA", Role.PATCH_LABEL)])
def test_letters_of_a_text_may_be_small_or_capital(imagescope, ours, read, word, role) -> None:
    proposal = ours.proposal(BOX)
    reading = read(imagescope.save([imagescope.name(imagescope.show(proposal), word)]), [proposal])
    assert roles(reading) == [role]


def test_an_roi_accepts_what_lies_in_it_as_written_and_sees_what_was_edited(tool, ours, read) -> None:
    proposal, kept, edited, outside = ours.proposal(BOX), *(ours.prediction(s) for s in (CELL, moved(CELL, 200), FAR))
    drawn = [
        tool.name(tool.show(proposal), "ROI"),
        tool.show(kept),
        replace(tool.show(edited), geometry=moved(edited.geometry, 5)),
        tool.show(outside),
    ]
    reading = read(tool.save(drawn), [proposal, kept, edited, outside])
    assert fates(reading) == [Fate.LABELLED, Fate.ACCEPTED, Fate.CORRECTED, Fate.OPEN]
    assert roles(reading) == [Role.ROI, Role.ANNOTATION, Role.ANNOTATION, Role.PREDICTION]
    assert [(o.path_class, o.began_as_prediction) for o in reading.of(Role.ANNOTATION)] == [("Tumor", True)] * 2


@pytest.mark.parametrize(("left", "fate"), [(1461, Fate.ACCEPTED), (1462, Fate.ACCEPTED), (1463, Fate.OPEN)])
def test_half_of_the_area_inside_is_enough(tool, ours, read, left, fate) -> None:
    border = ours.prediction(box(left, 1100, left + 100, 1150))  # the ROI ends at 1512
    reading = read(tool.save([tool.draw(BOX, "ROI"), tool.show(border)]), [border])
    assert fates(reading) == [fate]


def test_two_rois_that_meet_accept_what_lies_across(tool, ours, read) -> None:
    across = ours.prediction(box(1460, 1100, 1560, 1150))
    rois = [tool.draw(BOX, "ROI"), tool.draw(moved(BOX, 512), "ROI")]
    assert fates(read(tool.save([*rois, tool.show(across)]), [across])) == [Fate.ACCEPTED]


def test_a_drawn_roi_answers_the_proposal_beneath(tool, ours, read) -> None:
    covered, beside = ours.proposal(BOX), ours.proposal(moved(BOX, 2000))
    drawn = [tool.show(covered), tool.show(beside), tool.draw(BOX.buffer(30, join_style="mitre"), "ROI")]
    reading = read(tool.save(drawn), [covered, beside])
    assert fates(reading) == [Fate.LABELLED, Fate.OPEN]
    assert roles(reading) == [Role.PROPOSAL, Role.PROPOSAL, Role.ROI]  # both boxes may go at the next write
    reading = read(tool.save(drawn[1:]), [covered, beside])  # deleted after drawing: answered, not declined
    assert fates(reading) == [Fate.LABELLED, Fate.OPEN]


def test_detections_of_ours_are_never_accepted_by_lying_in_an_roi(qupath, ours, read) -> None:
    detection = ours.prediction(CELL, is_editable=False)
    shown = qupath.show(detection)
    assert shown.kind is ObjectKind.DETECTION
    reading = read(qupath.save([qupath.draw(BOX, "ROI"), shown]), [detection])
    assert fates(reading) == [Fate.OPEN]
    assert roles(reading) == [Role.ROI, Role.PREDICTION]


def test_a_detection_named_by_a_person_is_accepted_for_good(qupath, ours, read) -> None:
    detection = ours.prediction(CELL, is_editable=False)
    named = qupath.accept(qupath.show(detection))
    reading = read(qupath.save([named]), [detection])
    assert fates(reading) == [Fate.ACCEPTED]
    assert roles(reading) == [Role.ANNOTATION]
    plain = replace(named, is_ours=False, metadata={})  # after our next write
    later = read(qupath.save([plain]), [], adopted=[replace(detection, path_class="Tumor")])
    assert [(o.role, o.began_as_prediction) for o in later.objects] == [(Role.ANNOTATION, True)]


# 2. A proposal's class → a class of the scheme


@pytest.mark.parametrize("path_class", ["Tumor", "Background", "Tumor: In situ"])
def test_a_proposal_called_by_a_class_is_a_patch_label(tool, ours, read, path_class) -> None:
    proposal = ours.proposal(BOX)
    reading = read(tool.save([tool.name(tool.show(proposal), path_class)]), [proposal])
    assert fates(reading) == [Fate.PATCH_LABEL]
    assert [(o.role, o.path_class) for o in reading.objects] == [(Role.PATCH_LABEL, path_class)]
    assert reading.outcomes[0].path_class == path_class


def test_a_patch_label_with_edited_geometry_is_an_annotation(tool, ours, read) -> None:
    proposal = ours.proposal(BOX)
    edited = replace(tool.name(tool.show(proposal), "Tumor"), geometry=box(1000, 1000, 1512, 1400))
    reading = read(tool.save([edited]), [proposal])
    assert [(o.role, o.path_class, o.began_as_prediction) for o in reading.objects] == [
        (Role.ANNOTATION, "Tumor", False)
    ]
    assert fates(reading) == [Fate.LABELLED]


def test_a_box_of_ones_own_is_no_patch_label(tool, ours, read) -> None:
    reading = read(tool.save([tool.draw(BOX, "Tumor")]), [])
    assert roles(reading) == [Role.ANNOTATION]


@pytest.mark.parametrize("change", ["name", "geometry"])
def test_a_proposal_changed_otherwise_is_a_persons_but_undecided(tool, ours, read, change) -> None:
    proposal = ours.proposal(BOX)
    shown = tool.show(proposal)
    changed = replace(shown, name="look here") if change == "name" else replace(shown, geometry=moved(BOX, 40))
    reading = read(tool.save([changed]), [proposal])
    assert roles(reading) == [Role.OTHER]
    assert fates(reading) == [Fate.OPEN]
    assert reading.unknown == {}  # it is no class that the scheme lacks


def test_a_persons_words_in_the_layer_proposed_count_without_a_box_of_ours(imagescope, read) -> None:
    shown = imagescope.draw(CELL, "Proposed", is_ours=True)
    found = imagescope.save([replace(shown, name="Tumor"), replace(shown, name="roi"), shown])
    assert roles(read(found, [])) == [Role.ANNOTATION, Role.ROI, Role.OTHER]


# 3. Delete a proposal


def test_a_deleted_proposal_is_declined(tool, ours, read) -> None:
    gone, stays = ours.proposal(BOX), ours.proposal(moved(BOX, 2000), "#2 random, 0.00")
    reading = read(tool.save([tool.show(stays)]), [gone, stays])
    assert fates(reading) == [Fate.DECLINED, Fate.OPEN]
    assert reading.outcomes[0].annotation is None


def test_the_only_object_of_ours_may_be_deleted(tool, ours, read) -> None:
    assert fates(read(tool.save([]), [ours.proposal(BOX)])) == [Fate.DECLINED]
    assert fates(read(tool.save([]), [ours.prediction(CELL)])) == [Fate.REJECTED]


# 4. A prediction's class → the plain class; edit it; delete it


def test_an_accepted_prediction_is_an_annotation(tool, ours, read) -> None:
    prediction = ours.prediction(CELL)
    reading = read(tool.save([tool.accept(tool.show(prediction))]), [prediction])
    assert fates(reading) == [Fate.ACCEPTED]
    assert [(o.role, o.path_class, o.began_as_prediction) for o in reading.objects] == [
        (Role.ANNOTATION, "Tumor", True)
    ]


@pytest.mark.parametrize("text", ["ok", "OK", " Ok ", "tumor", "Tumor"])
def test_words_that_accept_in_imagescope(imagescope, ours, read, text) -> None:
    prediction = ours.prediction(CELL)
    reading = read(imagescope.save([replace(imagescope.show(prediction), name=text)]), [prediction])
    assert fates(reading) == [Fate.ACCEPTED]


def test_a_region_moved_to_the_layer_of_its_class_is_accepted(imagescope, ours, read) -> None:
    prediction = ours.prediction(CELL)
    reading = read(imagescope.save([imagescope.draw(CELL, "Tumor")]), [prediction])
    assert fates(reading) == [Fate.ACCEPTED]
    assert [(o.role, o.began_as_prediction) for o in reading.objects] == [(Role.ANNOTATION, True)]


def test_any_other_word_makes_a_prediction_a_persons_without_accepting_it(tool, ours, read) -> None:
    prediction = ours.prediction(CELL)
    reading = read(tool.save([replace(tool.show(prediction), name="mitosis?")]), [prediction])
    assert fates(reading) == [Fate.CORRECTED]
    assert roles(reading) == [Role.ANNOTATION]


@pytest.mark.parametrize(
    "edit",
    [
        lambda g: moved(g, 4),
        lambda g: g.union(box(1190, 1100, 1230, 1120)),
        lambda g: g.difference(Point(1150, 1140).buffer(12)),
        lambda g: g.difference(box(1100, 1100, 1130, 1180)),
    ],
    ids=["moved", "grown", "hole", "cut"],
)
def test_an_edited_prediction_is_corrected_in_an_roi_or_not(tool, ours, read, edit) -> None:
    prediction = ours.prediction(CELL)
    edited = replace(tool.show(prediction), geometry=edit(CELL))
    for around in ([], [tool.draw(BOX, "ROI")]):
        reading = read(tool.save([edited, *around]), [prediction])
        assert fates(reading) == [Fate.CORRECTED]
        first = reading.objects[0]
        assert (first.role, first.path_class, first.began_as_prediction) == (Role.ANNOTATION, "Tumor", True)


def test_a_prediction_called_by_another_class_is_corrected(tool, ours, read) -> None:
    prediction = ours.prediction(CELL)
    reading = read(tool.save([tool.name(tool.show(prediction), "Stroma")]), [prediction])
    assert fates(reading) == [Fate.CORRECTED]
    assert [(o.role, o.path_class, o.began_as_prediction) for o in reading.objects] == [
        (Role.ANNOTATION, "Stroma", True)
    ]


def test_a_prediction_called_ignore_or_roi_is_that(tool, ours, read) -> None:
    written = [ours.prediction(CELL), ours.prediction(FAR)]
    drawn = [tool.name(tool.show(w), name) for w, name in zip(written, ("Ignore*", "ROI"), strict=True)]
    reading = read(tool.save(drawn), written)
    assert roles(reading) == [Role.IGNORE, Role.ROI]
    assert fates(reading) == [Fate.CORRECTED] * 2


def test_a_prediction_called_by_an_unknown_class_is_other_and_not_ours(qupath, ours, read) -> None:
    written = [ours.prediction(CELL), ours.prediction(FAR)]
    drawn = [replace(qupath.show(w), path_class=c) for w, c in zip(written, ("Fat", None), strict=True)]
    reading = read(qupath.save(drawn), written)
    assert roles(reading) == [Role.OTHER] * 2
    assert fates(reading) == [Fate.CORRECTED] * 2
    assert reading.unknown == {"Fat": 1}


def test_a_deleted_prediction_is_rejected(tool, ours, read) -> None:
    gone, stays = ours.prediction(CELL), ours.prediction(FAR)
    reading = read(tool.save([tool.show(stays)]), [gone, stays])
    assert fates(reading) == [Fate.REJECTED, Fate.OPEN]


def test_all_predictions_of_a_class_gone_at_once_are_cleared(tool, ours, read) -> None:
    tumor = [ours.prediction(moved(CELL, 200 * i)) for i in range(3)]
    stroma = [ours.prediction(moved(FAR, 200 * i), "Stroma") for i in range(2)]
    reading = read(tool.save([tool.show(stroma[1])]), [*tumor, *stroma])
    assert fates(reading) == [Fate.CLEARED] * 3 + [Fate.REJECTED, Fate.OPEN]


def test_a_class_worked_through_is_not_cleared(tool, ours, read) -> None:
    written = [ours.prediction(moved(CELL, 200 * i)) for i in range(3)]
    reading = read(tool.save([tool.accept(tool.show(written[0]))]), written)
    assert fates(reading) == [Fate.ACCEPTED, Fate.REJECTED, Fate.REJECTED]


def test_detections_wiped_by_a_menu_item_are_cleared(qupath, ours, read) -> None:
    editable = ours.prediction(CELL)
    detections = [ours.prediction(moved(FAR, 200 * i), is_editable=False) for i in range(3)]
    reading = read(qupath.save([qupath.show(editable)]), [editable, *detections])
    assert fates(reading) == [Fate.OPEN] + [Fate.CLEARED] * 3


# Split, merged, pasted; drawn into our layers


def test_pieces_of_a_prediction_are_annotations_that_never_judge(qupath, ours, read) -> None:
    prediction, other = ours.prediction(CELL), ours.prediction(FAR)
    pieces = [qupath.draw(box(x, 1100, x + 50, 1180), "Tumor: Predicted") for x in (1100, 1150)]
    reading = read(qupath.save([*pieces, qupath.show(other)]), [prediction, other])
    assert [(o.role, o.path_class, o.began_as_prediction) for o in reading.objects[:2]] == [
        (Role.ANNOTATION, "Tumor", True)
    ] * 2
    assert fates(reading) == [Fate.REJECTED, Fate.OPEN]


def test_a_pasted_prediction_is_a_persons_and_the_first_stays_ours(tool, ours, read) -> None:
    prediction = ours.prediction(CELL)
    shown = tool.show(prediction)
    reading = read(tool.save([shown, tool.paste(shown)]), [prediction])
    assert Counter(roles(reading)) == {Role.PREDICTION: 1, Role.ANNOTATION: 1}
    assert fates(reading) == [Fate.OPEN]


def test_a_copy_under_the_same_id_is_a_persons(qupath, ours, read) -> None:
    # QuPath reads a UUID that is there twice as two objects.
    prediction = ours.prediction(CELL)
    shown = qupath.show(prediction)
    edited = replace(shown, geometry=moved(CELL, 30))
    reading = read(qupath.save([edited, shown]), [prediction])
    assert roles(reading) == [Role.ANNOTATION, Role.PREDICTION]


def test_regions_drawn_into_our_layers_are_annotations_of_the_class(imagescope, ours, read) -> None:
    prediction = ours.prediction(CELL)
    drawn = imagescope.draw(FAR, "Tumor: Predicted", is_ours=True)
    reading = read(imagescope.save([imagescope.show(prediction), drawn]), [prediction])
    assert [(o.role, o.path_class) for o in reading.objects] == [
        (Role.PREDICTION, "Tumor"),
        (Role.ANNOTATION, "Tumor"),
    ]


def test_a_prediction_that_the_store_does_not_know_neither_trains_nor_goes(qupath, ours, read) -> None:
    lost = ours.prediction(CELL)
    reading = read(qupath.save([qupath.show(lost, "a write of another store")]), [])
    assert roles(reading) == [Role.OTHER]
    assert reading.unknown == {}


@pytest.mark.parametrize(
    ("newest", "marker"), [(None, "another store's"), (None, None), ("the newest", "another store's")]
)
def test_regions_of_a_write_that_the_store_does_not_know_train_only_once_named(
    imagescope, ours, scheme, newest, marker
) -> None:
    silent = imagescope.draw(CELL, "Tumor: Predicted", is_ours=True)
    named = imagescope.draw(FAR, "Tumor: Predicted", is_ours=True, name="ok")
    found = replace(imagescope.save([silent, named]), write_marker=marker)
    reading = reconcile(found, [ours.prediction(BOX)] if newest else [], newest, scheme, LabelOptions())
    assert roles(reading) == [Role.OTHER, Role.ANNOTATION]
    assert reading.objects[1].began_as_prediction and reading.unknown == {}


def test_a_pasted_copy_of_a_prediction_is_a_persons_annotation(qupath, ours, read) -> None:
    prediction = ours.prediction(CELL)
    copy = replace(qupath.show(prediction), object_id="00000000-0000-4000-8000-00000000c0b1", geometry=FAR)
    reading = read(qupath.save([qupath.show(prediction), copy]), [prediction])
    assert roles(reading) == [Role.PREDICTION, Role.ANNOTATION]
    assert reading.objects[1].began_as_prediction


def test_a_class_removed_from_the_scheme_is_not_accepted(tool, ours, read) -> None:
    removed = ours.prediction(CELL, "Necrosis")
    reading = read(tool.save([tool.draw(BOX, "ROI"), tool.show(removed)]), [removed])
    assert roles(reading) == [Role.ROI, Role.PREDICTION]
    assert fates(reading) == [Fate.OPEN]


# What a person adopted stays a label that never judges


def test_adopted_predictions_are_known_after_our_write(tool, ours, read) -> None:
    adopted = replace(ours.prediction(CELL), path_class="Tumor")
    mine = tool.draw(FAR, "Tumor")
    theirs = replace(tool.draw(CELL, "Tumor"), object_id=adopted.object_id)
    for shape in (CELL, CELL.union(box(1190, 1100, 1230, 1120))):  # as they had it, and edited again
        reading = read(tool.save([mine, replace(theirs, geometry=shape)]), [], adopted=[adopted])
        assert [o.began_as_prediction for o in reading.of(Role.ANNOTATION)] == [False, True]


# The write marker


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


# Text is a gesture in ImageScope only


def test_the_name_of_a_qupath_object_is_no_gesture(qupath, ours, read) -> None:
    proposal = ours.proposal(BOX)
    reading = read(qupath.save([replace(qupath.show(proposal), name="ROI")]), [proposal])
    assert roles(reading) == [Role.OTHER]


def test_text_in_a_persons_layer_is_no_gesture(imagescope, read) -> None:
    assert roles(read(imagescope.save([imagescope.draw(BOX, "Tumor", name="ROI")]), [])) == [Role.ANNOTATION]
