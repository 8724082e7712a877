"""What is ours, and what a person did, after ImageScope has written the whole file anew."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree
from shapely.geometry import Point, box

from bridge.annotations import (
    ClassScheme,
    Edits,
    LabelOptions,
    MachineObject,
    MachineRole,
    is_same_outline,
    repair_area,
)
from bridge.annotations.ownership import WrittenObject, is_as_written
from bridge.annotations.roles import Fate, Marker, Reconciliation, Role, reconcile
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.read import read_imagescope
from bridge.imagescope.write import apply_edits
from scripts.bench.simulators.imagescope import resave

SCHEME = ClassScheme({"Tumor": (255, 0, 0), "Stroma": (0, 200, 0)})
PREDICTION, PROPOSAL = MachineRole.PREDICTION, MachineRole.PROPOSAL
RING = Point(500.4, 500.6).buffer(100.3).difference(Point(510, 510).buffer(30))
FIRST = (
    MachineObject("a", PREDICTION, "Tumor: Predicted", RING, (255, 0, 0), probability=0.875),
    MachineObject("b", PREDICTION, "Tumor: Predicted", box(700.4, 0.2, 760.7, 50.1), (255, 0, 0)),
    MachineObject("c", PREDICTION, "Stroma: Predicted", box(5, 805, 90, 840), (0, 200, 0)),
    MachineObject("d", PROPOSAL, "Proposed", box(1000, 1000, 1512, 1512), (0, 0, 255), name="#1 uncertain, 0.41"),
)
SAVES = list(itertools.product([True, False], [1, 30_000]))


@pytest.fixture
def human(file_xml, region_xml, square) -> bytes:
    """A person's layers: one with a hole named by its region's id, an empty one."""
    tumor = [
        region_xml(square(0, 0, 100), Id=7, Type=0, Text="mine", Zoom="0.5"),
        region_xml(square(10, 10, 30), Id=8, Type=0, NegativeROA=1, InputRegionId=7),
        region_xml([(200.4, 0), (290.6, 80.5)], Id=9, Type=2),
    ]
    return file_xml({"Tumor": tumor, "Empty": []})


def written_in(data: bytes) -> list[WrittenObject]:
    """What the store keeps of a write: the objects as the file holds them."""
    roles = {o.object_id: o.role for o in FIRST}
    return [
        WrittenObject(name, roles.get(name, PREDICTION), a.path_class or "", a.geometry, a.name)
        for a in read_imagescope(data).annotations
        if a.is_ours and (name := a.metadata["slidebridge"])
    ]


def reconciled(data: bytes, written: list[WrittenObject], marker: str = "w1", **more: object) -> Reconciliation:
    return reconcile(read_imagescope(data), written, marker, SCHEME, LabelOptions(), **more)


def fates(found: Reconciliation) -> dict[str, Fate]:
    return {outcome.written.object_id: outcome.fate for outcome in found.outcomes}


@pytest.mark.parametrize(("keep_marker", "first_id"), SAVES)
def test_ours_are_as_written_and_open(human: bytes, keep_marker: bool, first_id: int) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    saved = resave(data, keep_marker=keep_marker, first_region_id=first_id)
    assert (read_imagescope(saved).write_marker == "w1") is keep_marker
    assert b"slidebridge.probability" not in saved
    found = reconciled(saved, written_in(data))
    assert found.marker is Marker.NEWEST
    assert fates(found) == dict.fromkeys("abcd", Fate.OPEN)
    assert all(is_as_written(o.annotation, o.written) for o in found.outcomes if o.annotation is not None)
    people = [a for a in read_imagescope(saved).annotations if not a.is_ours]
    assert [(a.path_class, a.name) for a in people] == [("Tumor", "mine"), ("Tumor", None)]
    assert people[0].geometry.area == 10_000 - 900


@pytest.mark.parametrize(("keep_marker", "first_id"), SAVES)
def test_ours_can_be_replaced_and_leave_nothing_behind(human: bytes, keep_marker: bool, first_id: int) -> None:
    saved = resave(apply_edits(human, Edits("w1", add=FIRST)), keep_marker=keep_marker, first_region_id=first_id)
    ours = frozenset(a.object_id for a in read_imagescope(saved).annotations if a.is_ours)
    emptied = parse_document(apply_edits(saved, Edits("w2", ours)))
    assert [layer.name for layer in emptied.layers] == ["Tumor", "Empty", "SlideBridge"]
    assert sum(len(layer.regions) for layer in emptied.layers) == 3


def test_marker_layers_do_not_pile_up_where_the_marker_is_dropped(human: bytes) -> None:
    data = human
    for write in ("w1", "w2", "w3"):
        data = resave(apply_edits(data, Edits(write)), keep_marker=False)
    assert [layer.name for layer in parse_document(data).layers] == ["Tumor", "Empty", "SlideBridge"]


def test_layer_of_a_person_named_like_ours_stays(file_xml, region_xml, square) -> None:
    """Told apart by its colour, or by what is drawn in it."""
    empty = file_xml({"SlideBridge": []}, color=255)
    drawn = file_xml({"SlideBridge": [region_xml(square(0, 0, 9))]}, color=128 * 0x010101)
    for data in (empty, drawn):
        names = [layer.name for layer in parse_document(apply_edits(data, Edits("w1"))).layers]
        assert names == ["SlideBridge", "SlideBridge"]


def edited(data: bytes, *, text: dict[str, str] | None = None, shift: str = "", delete: str = "") -> bytes:
    """What a person does in ImageScope, to objects of ours by their id: types a Text, drags a vertex, deletes."""
    root = etree.fromstring(data)
    for hint in root.findall(".//Region/Attributes/Attribute[@Name='slidebridge']"):
        name, region = hint.get("Value"), hint.getparent().getparent()
        if name in (text or {}):
            region.set("Text", text[name])
        if name == shift and region.get("NegativeROA") == "0":
            vertex = region.find("Vertices/Vertex")
            vertex.set("X", str(int(vertex.get("X")) - 40))
        if name == delete:
            region.getparent().remove(region)
    return etree.tostring(root)


@pytest.mark.parametrize("keep_marker", [True, False])
def test_what_a_person_did_in_between_is_seen(human: bytes, keep_marker: bool) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    changed = edited(data, text={"c": "ok"}, shift="a", delete="b")
    found = reconciled(resave(changed, keep_marker=keep_marker), written_in(data))
    assert found.marker is Marker.NEWEST
    assert fates(found) == {"a": Fate.CORRECTED, "b": Fate.REJECTED, "c": Fate.ACCEPTED, "d": Fate.OPEN}


@pytest.mark.parametrize("keep_marker", [True, False])
@pytest.mark.parametrize(("word", "fate"), [("ROI", Fate.LABELLED), ("tumor", Fate.PATCH_LABEL)])
def test_gestures_on_a_proposal_survive_the_save(human: bytes, keep_marker: bool, word: str, fate: Fate) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    found = reconciled(resave(edited(data, text={"d": word}), keep_marker=keep_marker), written_in(data))
    assert fates(found)["d"] is fate


def test_viewer_that_was_open_before_our_write_is_no_persons_deletion(human: bytes) -> None:
    first = apply_edits(human, Edits("w1", add=FIRST))
    more = tuple(
        MachineObject(f"n{i}", PREDICTION, "Tumor: Predicted", box(i * 99, 2000, i * 99 + 50, 2050), (255, 0, 0))
        for i in range(3)
    )
    gone = frozenset(a.object_id for a in read_imagescope(first).annotations if a.is_ours)
    second = apply_edits(first, Edits("w2", gone, add=more))
    for old, former in ((human, []), (first, written_in(first))):
        for keep_marker in (True, False):
            found = reconciled(resave(old, keep_marker=keep_marker), written_in(second), "w2", former=former)
            assert found.marker is Marker.STALE
            assert {fates(found)[f"n{i}"] for i in range(3)} == {Fate.OVERWRITTEN}
            assert [o.annotation.name for o in found.of(Role.ANNOTATION)] == ["mine", None]


def test_layer_that_a_person_renamed_is_theirs(human: bytes) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    renamed = resave(data.replace(b'"Stroma (predicted)"', b'"Stroma"'), keep_marker=False)
    found = reconciled(renamed, written_in(data))
    assert fates(found) == {"a": Fate.OPEN, "b": Fate.OPEN, "c": Fate.ACCEPTED, "d": Fate.OPEN}
    (stroma,) = [a for a in read_imagescope(renamed).annotations if a.path_class == "Stroma"]
    with pytest.raises(ImageScopeFormatError, match="not ours"):
        apply_edits(renamed, Edits("w2", frozenset({stroma.object_id})))


def test_layers_that_a_person_moved_or_deleted(human: bytes) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    root = etree.fromstring(data)
    layers = {layer.get("Name"): layer for layer in root}
    root.insert(0, layers["Proposed"])
    root.insert(0, layers["SlideBridge"])
    found = reconciled(resave(etree.tostring(root)), written_in(data))
    assert (found.marker, set(fates(found).values())) == (Marker.NEWEST, {Fate.OPEN})
    root.remove(layers["SlideBridge"])
    root.remove(layers["Stroma (predicted)"])
    found = reconciled(resave(etree.tostring(root)), written_in(data))
    assert (found.marker, fates(found)["c"], fates(found)["a"]) == (Marker.NEWEST, Fate.REJECTED, Fate.OPEN)


def test_region_drawn_in_our_layer_is_an_annotation_of_its_class(human: bytes, region_xml, square) -> None:
    data = apply_edits(human, Edits("w1", add=FIRST))
    drawn = etree.fromstring(region_xml(square(3000, 3000, 50), Type=0))
    root = etree.fromstring(data)
    root.find(".//Annotation[@Name='Tumor (predicted)']/Regions").append(drawn)
    found = reconciled(resave(etree.tostring(root)), written_in(data))
    new = [o for o in found.of(Role.ANNOTATION) if o.annotation.geometry.bounds[0] == 3000]
    assert [(o.path_class, o.began_as_prediction) for o in new] == [("Tumor", True)]


def test_empty_layers_of_a_person_stay(human: bytes) -> None:
    saved = resave(apply_edits(human, Edits("w1", add=FIRST)))
    names = [layer.name for layer in parse_document(apply_edits(saved, Edits("w2"))).layers]
    assert names[:2] == ["Tumor", "Empty"]


def test_saving_again_changes_nothing(small_real_file: Path) -> None:
    once = resave(small_real_file.read_bytes())
    assert resave(once) == once
    assert resave(once, keep_marker=False) == resave(resave(once, keep_marker=False), keep_marker=False)


def test_real_files_keep_what_people_drew(small_real_file: Path) -> None:
    before = read_imagescope(small_real_file.read_bytes())
    after = read_imagescope(resave(small_real_file.read_bytes()))
    assert after.mpp == before.mpp
    assert Counter(a.layer.color for a in after.annotations) == Counter(a.layer.color for a in before.annotations)
    for old, new in zip(before.annotations, after.annotations, strict=True):
        assert (new.path_class, new.name, new.shape) in {
            (old.layer.name or None, old.name, old.shape),
            (None, old.name, old.shape),  # LayerName is another program's word
        }
        if old.geometry.is_valid:
            assert is_same_outline(old.geometry, new.geometry) or repair_area(new.geometry).area < 100
