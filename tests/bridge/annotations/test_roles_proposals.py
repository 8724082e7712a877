"""Every gesture of an expert on a proposal, as QuPath saves it and as ImageScope does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roles_support import BOX, CELL, FAR, fates, moved, roles
from shapely import box

from bridge.annotations import ObjectKind
from bridge.annotations.roles import Fate, Role

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
