"""Values of one annotation and of a slide's."""

from __future__ import annotations

import dataclasses

import pytest
from shapely import box

from bridge.annotations import Annotation, AnnotationSet, ObjectKind, Plane, Shape


@pytest.mark.parametrize("shape", Shape)
def test_only_closed_shapes_cover_an_area(shape: Shape) -> None:
    closed = {"polygon", "rectangle", "ellipse", "geometry"}
    assert shape.is_area is (shape.value in closed)


def test_an_annotation_needs_an_id_and_a_geometry_only() -> None:
    annotation = Annotation("a", box(0, 0, 1, 1))
    assert annotation.kind is ObjectKind.ANNOTATION
    assert not annotation.is_ours
    assert annotation.plane == Plane(-1, 0, 0)  # QuPath's default plane: every channel


def test_annotations_are_changed_by_replace_only() -> None:
    annotation = Annotation("a", box(0, 0, 1, 1), "Tumor")
    with pytest.raises(dataclasses.FrozenInstanceError):
        annotation.path_class = "Stroma"  # type: ignore[misc]
    assert dataclasses.replace(annotation, path_class="Stroma").geometry is annotation.geometry


def test_two_annotations_share_no_mutable_default() -> None:
    first, second = (Annotation(name, box(0, 0, 1, 1)) for name in "ab")
    assert first.metadata is not second.metadata


def test_a_set_counts_its_annotations() -> None:
    assert len(AnnotationSet()) == 0
    assert len(AnnotationSet((Annotation("a", box(0, 0, 1, 1)),))) == 1
