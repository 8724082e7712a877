"""Every gesture of an expert on a prediction, as QuPath saves it and as ImageScope does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from roles_support import BOX, CELL, FAR, fates, moved, roles
from shapely import box
from shapely.geometry import Point

from bridge.annotations import LabelOptions
from bridge.annotations.roles import Fate, Role, reconcile

# Its class → the plain class; edit it; delete it


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
