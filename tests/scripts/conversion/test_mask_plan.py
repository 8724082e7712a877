"""Which objects go into a mask, as which label."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely.geometry import LineString, Polygon, box

from bridge.annotations import Annotation, ClassScheme, LabelOptions, ObjectKind, Shape
from bridge.errors import ConfigError
from scripts.conversion.classes import ClassFile
from scripts.conversion.mask_plan import plan_mask

BOX = box(0, 0, 10, 10)
CHOSEN = ClassFile(Path("c.toml"), ClassScheme({"Tumor": (255, 0, 0), "Fat": (0, 255, 0)}, ("Tumor",)))


def drawn(path_class: str | None, geometry: Polygon = BOX, **more: object) -> Annotation:
    return Annotation("x", geometry, path_class, **more)


def test_only_what_people_drew_goes_in() -> None:
    objects = [
        drawn("Tumor"),
        drawn("Tumor", kind=ObjectKind.DETECTION),
        Annotation("x", LineString([(0, 0), (5, 5)]), "Tumor", Shape.LINE),
        drawn("Tumor", Polygon(), shape=Shape.NONE),
        drawn("Tumor: Predicted"),
        drawn("Proposed"),
        drawn("ROI"),
    ]
    plan = plan_mask(objects, None, {})
    expected = {"detection": 1, "line": 1, "no shape": 1, "prediction": 1, "proposal": 1, "ROI": 1}
    assert (plan.written, plan.left_out) == ((objects[0],), expected)
    assert len(plan.written) + sum(plan.left_out.values()) == len(objects)


def test_classes_of_the_source_become_labels_and_small_lies_on_large() -> None:
    plan = plan_mask([drawn("Small", box(2, 2, 4, 4)), drawn("Large"), drawn("Ignore*")], None, {})
    assert plan.scheme.names == ("Background", "Small", "Large")
    assert [label for _, label in plan.shapes] == [2, 1, 255]


def test_labels_that_the_source_lists_keep_their_numbers() -> None:
    plan = plan_mask([drawn("C")], None, {"A": (1, 1, 1), "B": (2, 2, 2), "C": (3, 3, 3)})
    assert [label for _, label in plan.shapes] == [3]


def test_objects_without_class_get_one_by_color() -> None:
    one = plan_mask([drawn(None), drawn("Tumor")], None, {})
    assert one.scheme.names == ("Background", "Annotation", "Tumor") and "Annotation" in one.notes[0]
    two = plan_mask([drawn(None, color=(0, 255, 0)), drawn(None, color=(0, 0, 255))], None, {})
    assert two.scheme.names[1:] == ("Annotation 1", "Annotation 2") and "#0000ff" in two.notes[0]


def test_a_given_scheme_orders_and_refuses() -> None:
    plan = plan_mask([drawn("Tumor"), drawn("Fat"), drawn("Background"), drawn(None)], CHOSEN, {})
    assert [label for _, label in plan.shapes] == [0, 2, 1] and plan.left_out == {"without a class": 1}
    with pytest.raises(ConfigError, match=r"'Bone' \(2\), 'Skin' \(1\)"):
        plan_mask([drawn("Bone"), drawn("Bone"), drawn("Skin"), drawn("Tumor")], CHOSEN, {})


def test_roi_and_ignore_classes_are_those_of_the_settings() -> None:
    chosen = ClassFile(CHOSEN.path, CHOSEN.scheme, LabelOptions(("Region*",), ("Fold",)))
    plan = plan_mask([drawn("Region*"), drawn("Fold"), drawn("Fat")], chosen, {})
    assert [label for _, label in plan.shapes] == [2, 255] and plan.left_out == {"Region*": 1}
