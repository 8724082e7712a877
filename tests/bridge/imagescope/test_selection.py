from __future__ import annotations

import pytest

from bridge.annotations import Edits
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.selection import is_ours, leaving_regions, user_layer

RED = (255, 0, 0)


@pytest.fixture
def document(file_xml, region_xml, square):
    """A layer of a person's, and predictions: one with two holes, one without, and a hole left over."""
    ours = [
        region_xml(square(0, 0, 100), Id=1),
        region_xml(square(10, 10, 9), Id=2, NegativeROA=1, InputRegionId=1),
        region_xml(square(30, 30, 9), Id=3, NegativeROA=1, InputRegionId=1),
        region_xml(square(200, 0, 50), Id=4),
    ]
    return parse_document(file_xml({"Tumor": [region_xml(square(0, 0, 9))], "Tumor (predicted)": ours}))


def test_holes_leave_with_their_region(document) -> None:
    leaving = leaving_regions(document, Edits("w", frozenset({"L1R0"})))
    assert leaving.targets == {(1, 0): None, (1, 1): None, (1, 2): None}
    assert leaving.by_layer() == {1: [0, 1, 2]}


def test_holes_are_promoted_with_their_region(document) -> None:
    leaving = leaving_regions(document, Edits("w", frozenset({"L1R3"}), {"L1R0": ("Tumor", RED)}))
    assert leaving.targets == {(1, 0): "Tumor", (1, 1): "Tumor", (1, 2): "Tumor", (1, 3): None}


def test_hole_stays_while_another_region_needs_it(file_xml, region_xml, square) -> None:
    regions = [region_xml(square(0, 0, 99)), region_xml(square(1, 1, 98)), region_xml(square(5, 5, 9), NegativeROA=1)]
    document = parse_document(file_xml({"Proposed": regions}))
    assert leaving_regions(document, Edits("w", frozenset({"L0R0"}))).targets == {(0, 0): None}


def test_hole_of_ours_without_its_region_leaves_by_itself(file_xml, region_xml, square) -> None:
    written = region_xml(square(5, 5, 9), NegativeROA=1, InputRegionId=3)
    drawn_by_a_person = region_xml(square(5, 5, 9), NegativeROA=1, InputRegionId=0)
    document = parse_document(file_xml({"Tumor (predicted)": [written, drawn_by_a_person], "Tumor": [written]}))
    assert leaving_regions(document, Edits("w")).targets == {(0, 0): None}


@pytest.mark.parametrize("name", ["L1R9", "L9R0", "L1R0 ", "x", "", "L-1R0"])
def test_unknown_object_is_refused(document, name: str) -> None:
    with pytest.raises(ImageScopeFormatError, match="there is no object"):
        leaving_regions(document, Edits("w", frozenset({name})))


@pytest.mark.parametrize("edits", [Edits("w", frozenset({"L0R0"})), Edits("w", promote={"L0R0": ("Stroma", RED)})])
def test_objects_of_people_are_refused(document, edits: Edits) -> None:
    with pytest.raises(ImageScopeFormatError, match="layer 'Tumor', which is not ours"):
        leaving_regions(document, edits)


def test_class_lies_in_the_first_user_layer_of_its_name(file_xml) -> None:
    data = file_xml({"Proposed": [], " Tumor ": [], "Tumor": []})
    assert user_layer(parse_document(data), "Tumor").name == " Tumor "
    assert user_layer(parse_document(data), "Proposed") is None
    results = data.replace(b'Type="4"', b'Type="3"')
    assert user_layer(parse_document(results), "Tumor") is None


def test_marker_layer_is_ours_until_a_person_draws_in_it(file_xml, region_xml, square) -> None:
    def layer(marker: bytes, *regions: str):
        data = file_xml({"SlideBridge": regions}).replace(b"<Plots/>", marker)
        return parse_document(data).layers[0]

    marker = b'<Attributes><Attribute Name="slidebridge.write" Value="w"/></Attributes>'
    assert is_ours(layer(marker))
    assert not is_ours(layer(b""))
    assert not is_ours(layer(marker, region_xml(square(0, 0, 9))))
