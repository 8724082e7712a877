"""What nobody touched and what people drew themselves, as QuPath saves it and as ImageScope does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roles_support import BOX, CELL, FAR, fates, moved, roles
from shapely.geometry import LineString, Polygon

from bridge.annotations import LabelOptions, ObjectKind, Shape
from bridge.annotations.roles import Fate, Marker, Role


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


# Text is a gesture in ImageScope only


def test_the_name_of_a_qupath_object_is_no_gesture(qupath, ours, read) -> None:
    proposal = ours.proposal(BOX)
    reading = read(qupath.save([replace(qupath.show(proposal), name="ROI")]), [proposal])
    assert roles(reading) == [Role.OTHER]


def test_text_in_a_persons_layer_is_no_gesture(imagescope, read) -> None:
    assert roles(read(imagescope.save([imagescope.draw(BOX, "Tumor", name="ROI")]), [])) == [Role.ANNOTATION]
