"""H-AI-L's dialect: a layer's Id is its class, nothing is named, and nothing of ours may change the count of layers."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box

from bridge.annotations import AnnotationSet, Edits, MachineObject, MachineRole
from bridge.errors import ImageScopeFormatError
from bridge.imagescope import LayerClass
from bridge.imagescope.hail import apply_hail, create_hail, list_layers, read_hail
from hail_lab import hail_xml

CLASSES = (LayerClass(1, "Glomerulus", (255, 0, 0)), LayerClass(2, "Sclerotic", (0, 255, 0)))
RING = Point(300, 300).buffer(80).difference(Point(300, 300).buffer(30))


def prediction(name: str, path_class: str = "Glomerulus", shape: object = None) -> MachineObject:
    geometry = box(10, 10, 60, 60) if shape is None else shape
    return MachineObject(name, MachineRole.PREDICTION, f"{path_class}: Predicted", geometry, (255, 0, 0))


def offered(data: bytes) -> AnnotationSet:
    return read_hail(data, CLASSES, is_offered=True)


def seen_by_hail(data: bytes) -> dict[str, int]:
    """Return what H-AI-L's own reader finds: regions per layer Id, looked up as it does."""
    root = ElementTree.fromstring(data)
    ids = [layer.attrib["Id"] for layer in root.iter("Annotation")]
    assert len(ids) == len(set(ids))
    return {i: len(root.findall(f"Annotation[@Id='{i}']/Regions/Region/Vertices")) for i in ids}


def test_first_file_has_a_layer_for_every_class_and_none_is_left_out_below_the_highest() -> None:
    data = create_hail((LayerClass(3, "Cast", (0, 0, 255)), LayerClass(1, "Glomerulus", (255, 0, 0))), None)

    assert seen_by_hail(data) == {"1": 0, "2": 0, "3": 0}
    assert {layer.name for layer in list_layers(data)} == {""}
    assert [layer.color for layer in list_layers(data)][::2] == [(255, 0, 0), (0, 0, 255)]


def test_predictions_lie_in_the_layer_of_their_class_and_no_other_layer_is_made() -> None:
    objects = (prediction("a"), prediction("b", "Sclerotic", RING), prediction("c"))
    data = apply_hail(create_hail(CLASSES, None), Edits("w1", add=objects), CLASSES)

    assert seen_by_hail(data) == {"1": 2, "2": 2}  # a hole is a region of its own
    assert {layer.name for layer in list_layers(data)} == {""}
    found = offered(data)
    assert [(a.path_class, a.is_ours) for a in found.annotations] == [
        ("Glomerulus: Predicted", True),
        ("Glomerulus: Predicted", True),
        ("Sclerotic: Predicted", True),
    ]
    assert found.annotations[2].geometry.symmetric_difference(RING).area < 0.05 * RING.area
    assert found.write_marker == "w1"


def test_the_same_file_taken_over_is_all_a_persons_and_still_shows_which_write_they_had_seen() -> None:
    data = apply_hail(create_hail(CLASSES, None), Edits("w1", add=(prediction("a"),)), CLASSES)
    found = read_hail(data, CLASSES, is_offered=False)

    assert [(a.path_class, a.is_ours) for a in found.annotations] == [("Glomerulus", False)]
    assert found.write_marker == "w1"


@pytest.mark.parametrize(
    ("name", "path_class"),
    [("", "Sclerotic"), ("whatever", "Sclerotic"), ("Glomerulus", "Glomerulus"), ("ROI", "ROI"), ("Ignore", "Ignore")],
)
def test_id_says_the_class_of_a_layer_whose_name_does_not(name: str, path_class: str) -> None:
    data = hail_xml({2: [box(0, 0, 9, 9)]}, {2: name})

    assert [a.path_class for a in read_hail(data, CLASSES, is_offered=False).annotations] == [path_class]


def test_resolution_that_hail_writes_into_every_file_says_nothing() -> None:
    data = hail_xml({1: [box(0, 0, 9, 9)]})

    assert read_hail(data, CLASSES, is_offered=False).mpp is None
    assert read_hail(data.replace(b"0.252000", b"0.499000"), CLASSES, is_offered=False).mpp == (0.499, 0.499)


def test_each_write_leaves_one_marker_its_own() -> None:
    data = hail_xml({1: [box(0, 0, 9, 9)], 2: []})
    for marker in ("w1", "w2", "w3"):
        data = apply_hail(data, Edits(marker), CLASSES)

        assert offered(data).write_marker == marker
        assert data.count(b"slidebridge.write") == 1


@settings(max_examples=40, deadline=None)
@given(
    human=st.lists(st.sampled_from([1, 2]), max_size=4),
    ours=st.lists(st.sampled_from(["Glomerulus", "Sclerotic"]), min_size=1, max_size=4),
    newline=st.sampled_from([b"\n", b"\r\n", b""]),
)
def test_what_we_take_out_again_leaves_every_byte_of_a_persons(
    human: list[int], ours: list[str], newline: bytes
) -> None:
    drawn = {n: [box(100 * k, 0, 100 * k + 50, 50) for k, m in enumerate(human) if m == n] for n in (1, 2)}
    base = apply_hail(hail_xml(drawn).replace(b"\n", newline), Edits("w"), CLASSES)
    objects = tuple(prediction(str(k), name, box(900, 90 * k, 980, 90 * k + 80)) for k, name in enumerate(ours))

    written = apply_hail(base, Edits("w", add=objects), CLASSES)
    hints = {a.metadata.get("slidebridge"): a.object_id for a in offered(written).annotations}
    again = apply_hail(written, Edits("w", delete=frozenset(hints[str(k)] for k in range(len(ours)))), CLASSES)

    assert len(offered(written)) == len(human) + len(ours)
    assert again.replace(b"\r", b"").replace(b"\n", b"") == base.replace(b"\r", b"").replace(b"\n", b"")
    if newline:
        assert again == base
    assert len(again) == len(apply_hail(again, Edits("w"), CLASSES))  # nothing piles up


def test_hole_of_ours_goes_with_its_region() -> None:
    data = apply_hail(create_hail(CLASSES, None), Edits("w", add=(prediction("a", shape=RING),)), CLASSES)
    (ours,) = offered(data).annotations

    assert seen_by_hail(apply_hail(data, Edits("w", delete=frozenset({ours.object_id})), CLASSES)) == {"1": 0, "2": 0}


@pytest.mark.parametrize(
    "layers", [b"", b'<Annotation Id="1"/>', b'<Annotation Id="2"><Regions/></Annotation>', b'<Annotation Id="x"/>']
)
def test_file_that_lacks_layers_or_what_belongs_in_them_gets_it(layers: bytes) -> None:
    for root in (b"<Annotations>" + layers + b"</Annotations>", b"<Annotations/>"):
        data = apply_hail(root, Edits("w", add=(prediction("a"), prediction("b", "Sclerotic"))), CLASSES)

        assert seen_by_hail(data)["1"] == seen_by_hail(data)["2"] == 1
        assert offered(data).write_marker == "w"


def test_real_files_without_layer_names_are_reproduced(small_real_file: Path) -> None:
    first = apply_hail(small_real_file.read_bytes(), Edits("w", add=(prediction("mine"),)), CLASSES)
    (mine,) = (a for a in offered(first).annotations if a.metadata.get("slidebridge") == "mine")
    base = apply_hail(first, Edits("w", delete=frozenset({mine.object_id})), CLASSES)  # with layers for all classes
    before = offered(base)
    assert [a.geometry for a in before.annotations] == [
        a.geometry for a in offered(small_real_file.read_bytes()).annotations
    ]
    written = apply_hail(base, Edits("w", add=(prediction("mine"),)), CLASSES)
    (mine,) = (a for a in offered(written).annotations if a.metadata.get("slidebridge") == "mine")

    assert len(offered(written)) == len(before) + 1
    assert apply_hail(written, Edits("w", delete=frozenset({mine.object_id})), CLASSES) == base


def test_what_the_dialect_cannot_hold_is_refused() -> None:
    data = create_hail(CLASSES, None)
    box_to_label = MachineObject("p", MachineRole.PROPOSAL, "Proposed", box(0, 0, 9, 9), (0, 0, 0))
    with_ours = apply_hail(data, Edits("w", add=(prediction("a"),)), CLASSES)
    (ours,) = offered(with_ours).annotations

    with pytest.raises(ValueError, match="predictions only"):
        apply_hail(data, Edits("w", add=(box_to_label,)), CLASSES)
    with pytest.raises(ImageScopeFormatError, match=r'add "id:N" = "Cast" to \[classes.map\]'):
        apply_hail(data, Edits("w", add=(prediction("a", "Cast"),)), CLASSES)
    with pytest.raises(ImageScopeFormatError, match="moving the file to TRAINING_data"):
        apply_hail(with_ours, Edits("w", promote={ours.object_id: ("Glomerulus", (1, 2, 3))}), CLASSES)
    with pytest.raises(ImageScopeFormatError, match="there is no object"):
        apply_hail(data, Edits("w", delete=frozenset({"L0R0"})), CLASSES)
    with pytest.raises(ImageScopeFormatError, match="no class has a layer"):
        apply_hail(b"<Annotations/>", Edits("w"), ())
