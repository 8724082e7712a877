from __future__ import annotations

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    IGNORE_LABEL,
    Annotation,
    AnnotationSet,
    ClassScheme,
    LabelOptions,
    Layer,
    ObjectKind,
    Shape,
)
from bridge.coords import Region
from bridge.errors import UnknownPathClassError
from bridge.raster import rasterize

SCHEME = ClassScheme(
    {"Tumor": (200, 0, 0), "Stroma": (0, 200, 0), "Necrosis": (0, 0, 0)},
    priority=("Stroma", "Tumor"),
    mapping={"layer:glands": "Stroma"},
)
TUMOR, STROMA, NECROSIS = 1, 2, 3
REGION = Region(0, 0, 4, 1)


def drawn(path_class: str | None, geometry: BaseGeometry, **more: object) -> Annotation:
    return Annotation("id", geometry, path_class, **more)  # type: ignore[arg-type]  # tests pass known fields


def burn(*annotations: Annotation, region: Region = REGION, **more: object) -> list[list[int]]:
    return rasterize(AnnotationSet(annotations), region, SCHEME, **more).labels.tolist()  # type: ignore[arg-type]


def columns(first: float, stop: float) -> BaseGeometry:
    return shapely.box(first, 0, stop, 1)


def test_priority_decides_overlap_whatever_the_order_in_the_file() -> None:
    tumor, stroma = drawn("Tumor", columns(0, 2)), drawn("Stroma", columns(1, 3))
    assert burn(tumor, stroma) == burn(stroma, tumor) == [[TUMOR, TUMOR, STROMA, 0]]


def test_class_without_priority_lies_beneath() -> None:
    assert burn(drawn("Stroma", columns(0, 2)), drawn("Necrosis", columns(1, 3))) == [[STROMA, STROMA, NECROSIS, 0]]


def test_class_is_what_the_mapping_says() -> None:
    layer = Layer("glands", "1", None)
    assert burn(drawn("glands", columns(0, 1), layer=layer)) == [[STROMA, 0, 0, 0]]


def test_unknown_class_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownPathClassError, match="Fat"):
        burn(drawn("Fat", columns(0, 1)))


def test_only_classified_area_annotations_are_burnt() -> None:
    line = drawn("Tumor", shapely.LineString([(0, 0), (4, 1)]), shape=Shape.POLYLINE)
    detection = drawn("Tumor", columns(0, 4), kind=ObjectKind.DETECTION)
    unnamed = drawn(None, columns(0, 4))
    assert burn(line, detection, unnamed) == [[0, 0, 0, 0]]


def test_outside_every_roi_the_unlabelled_is_ignored() -> None:
    labelled = drawn("Tumor", columns(2, 3))
    roi = drawn("ROI", columns(0, 1))
    assert burn(labelled, roi, outside=IGNORE_LABEL) == [[0, IGNORE_LABEL, TUMOR, IGNORE_LABEL]]


def test_ignored_area_is_stronger_than_everything() -> None:
    shapes = drawn("Ignore*", columns(1, 2)), drawn("Tumor", columns(0, 2)), drawn("ROI", columns(0, 4))
    assert burn(*shapes) == [[TUMOR, IGNORE_LABEL, 0, 0]]


def test_roi_classes_are_the_options() -> None:
    options = LabelOptions(roi_classes=("Region*",))
    assert burn(drawn("Region*", columns(0, 1)), outside=9, options=options) == [[0, 9, 9, 9]]
    with pytest.raises(UnknownPathClassError, match="ROI"):
        burn(drawn("ROI", columns(0, 1)), options=options)


def test_mask_starts_on_the_grid_of_the_downsample() -> None:
    mask = rasterize(AnnotationSet(), Region(5, 3, 4, 6), SCHEME, downsample=4.0)
    assert (mask.window.x, mask.window.y, mask.labels.shape) == (1, 0, (3, 2))
    assert mask.names == ("Background", "Tumor", "Stroma", "Necrosis")
