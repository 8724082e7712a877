"""What a person calls an object."""

from __future__ import annotations

import pytest
from shapely import box

from bridge.annotations import Annotation, ClassScheme, LabelOptions, Layer
from bridge.annotations.gestures import class_of_text, names_plainly, said_class

SCHEME = ClassScheme(
    {"Tumor": (255, 0, 0), "Tumor: In situ": (0, 0, 255)},
    mapping={"Tumour": "Tumor", "text:dcis": "Tumor: In situ", "layer:Keep out": "Ignore*", "id:9": "Tumor"},
)
OPTIONS = LabelOptions(roi_classes=("ROI", "Region*"))


def in_layer(path_class: str | None, *, text: str | None = None, is_ours: bool = True) -> Annotation:
    layer = Layer(path_class or "", "1", None)
    return Annotation("L0R0", box(0, 0, 9, 9), path_class, name=text, layer=layer, is_ours=is_ours)


@pytest.mark.parametrize(
    ("text", "path_class"),
    [
        ("ROI", "ROI"),
        ("roi", "ROI"),
        (" Roi\t", "ROI"),
        ("region*", "Region*"),
        ("IGNORE", "Ignore"),
        ("ignore*", "Ignore*"),
        ("tumor", "Tumor"),
        ("TUMOR:  in situ", "Tumor: In situ"),
        ("background", "Background"),
        ("tumour", "Tumor"),
        ("DCIS", "Tumor: In situ"),
        ("keep out", "Ignore*"),
        ("ok", None),
        ("tumor?", None),
        ("id:9", None),
        ("", None),
        (None, None),
    ],
)
def test_a_text_names_a_class_in_any_case_of_letters(text: str | None, path_class: str | None) -> None:
    assert class_of_text(text, SCHEME, OPTIONS) == path_class


def test_text_speaks_in_our_layers_only() -> None:
    assert said_class(in_layer("Proposed", text="tumor"), SCHEME, OPTIONS) == "Tumor"
    assert said_class(in_layer("Tumor", text="roi", is_ours=False), SCHEME, OPTIONS) == "Tumor"
    named = Annotation("uuid", box(0, 0, 9, 9), "Proposed", name="tumor", is_ours=True)
    assert said_class(named, SCHEME, OPTIONS) == "Proposed"


@pytest.mark.parametrize(
    ("path_class", "said"),
    [
        ("Tumor: Predicted", "Tumor"),
        ("Tumor: In situ: Predicted", "Tumor: In situ"),
        ("Tumour: Predicted", "Tumor"),
        ("Tumour", "Tumor"),
        ("Fat", "Fat"),
        ("Fat: Predicted", "Fat"),
        (None, None),
    ],
)
def test_a_predicted_class_reads_as_its_plain_one(path_class: str | None, said: str | None) -> None:
    assert said_class(Annotation("uuid", box(0, 0, 9, 9), path_class), SCHEME, OPTIONS) == said
    assert said_class(in_layer(path_class), SCHEME, OPTIONS) == said


def test_a_prediction_is_confirmed_by_class_layer_or_a_word(qupath, imagescope, ours) -> None:
    written = ours.prediction(box(0, 0, 9, 9))
    region, found = imagescope.show(written), qupath.show(written)
    for yes in (
        qupath.accept(found),
        imagescope.accept(region),
        imagescope.name(region, "OK "),
        imagescope.name(region, "tumor"),
    ):
        assert names_plainly(yes, written, SCHEME, OPTIONS)
    for no in (
        found,
        qupath.draw(box(0, 0, 9, 9), "Tumor: Predicted", name="ok"),
        region,
        imagescope.name(region, "hm"),
    ):
        assert not names_plainly(no, written, SCHEME, OPTIONS)
