from __future__ import annotations

import pytest

from bridge.imagescope.document import parse_document
from bridge.imagescope.splice import Splice, apply_splices, chunk, cut_layer, cut_line, insert_regions, unselect


def test_splices_replace_insert_and_cut_in_the_order_of_their_places() -> None:
    splices = [Splice(4, 6, b"X"), Splice(2, 2, b"1"), Splice(2, 3), Splice(2, 2, b"2"), Splice(6, 6, b"end")]
    assert apply_splices(b"abcdef", splices) == b"ab12dXend"
    assert apply_splices(b"abcdef", [Splice(3, 4, b"-")], 2, 5) == b"c-e"


@pytest.mark.parametrize(
    "around",
    [
        b"<Annotations>%s</Annotations>",
        b"<Annotations>\n%s</Annotations>",
        b"<Annotations>\r\n\t<Annotation/>\r\n\t%s</Annotations>\r\n",
        b"<Annotations>\r\n  <Annotation/>%s</Annotations>",
        b"<Annotations>\n  %s</Annotations>\n",
    ],
)
def test_chunk_goes_in_and_out_without_a_trace(around: bytes) -> None:
    document = parse_document(around % b"")
    place = document.root.close
    text = b'<Annotation Name="ours">\n\t</Annotation>'
    changed = apply_splices(document.body, [Splice(place, place, chunk(document, text))])
    again = parse_document(changed)
    assert apply_splices(again.body, [cut_layer(again, again.layers[-1])]) == document.body


def test_layer_indented_by_another_program_leaves_no_blank_line() -> None:
    document = parse_document(b"<Annotations>\r\n  <Annotation>\r\n  </Annotation>\r\n</Annotations>")
    assert apply_splices(document.body, [cut_layer(document, document.layers[0])]) == (
        b"<Annotations>\r\n</Annotations>"
    )


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (b"\n  <Region/>\n", b"\n"),
        (b"\n  <Region><Vertices/></Region>\n  <Other/>", b"\n  <Other/>"),
        (b"<Other/><Region/><Other/>", b"<Other/><Other/>"),
        (b"\n\t<Other/> <Region/>\n", b"\n\t<Other/> \n"),
    ],
)
def test_region_goes_with_its_line_where_it_has_one(inner: bytes, expected: bytes) -> None:
    document = parse_document(b"<Annotations><Annotation><Regions>%s</Regions></Annotation></Annotations>" % inner)
    (region,) = document.layers[0].regions
    assert apply_splices(document.body, [cut_line(document, region.element)]) == (
        b"<Annotations><Annotation><Regions>%s</Regions></Annotation></Annotations>" % expected
    )


@pytest.mark.parametrize(
    "layer",
    [
        b"<Annotation/>",
        b"<Annotation></Annotation>",
        b"<Annotation>\n\t\t<Plots/>\n\t</Annotation>",
        b"<Annotation><Regions/><Plots/></Annotation>",
        b"<Annotation>\n\t\t<Regions />\n\t</Annotation>",
        b"<Annotation><Regions></Regions></Annotation>",
        b"<Annotation>\n\t\t<Regions>\n\t\t\t<Region Id='1'/>\n\t\t</Regions>\n\t</Annotation>",
        b"<Annotation><Regions><Region Id='1'/></Regions></Annotation>",
    ],
)
def test_regions_are_added_last_whatever_the_layer_lacks(layer: bytes) -> None:
    document = parse_document(b"<Annotations>\n\t" + layer + b"\n</Annotations>")
    splice = insert_regions(document, document.layers[0], b"\t\t\t<Region Id='9'/>\n")
    again = parse_document(apply_splices(document.body, [splice]))
    before = [region.id for region in document.layers[0].regions]
    assert [region.id for region in again.layers[0].regions] == [*before, "9"]
    assert again.layers[0].container is not None
    assert b"<Plots/>" in again.body or b"<Plots/>" not in document.body


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b'<Annotation Selected="1" Id="1"/>', b'<Annotation Selected="0" Id="1"/>'),
        (b"<Annotation Id='1'\tSelected = '1'/>", b"<Annotation Id='1'\tSelected = '0'/>"),
        (b'<Annotation Selected="0"/>', b'<Annotation Selected="0"/>'),
        (b'<Annotation NotSelected="1"/>', b'<Annotation NotSelected="1"/>'),
    ],
)
def test_layer_is_unselected_in_place(tag: bytes, expected: bytes) -> None:
    document = parse_document(b"<Annotations>" + tag + b"</Annotations>")
    splices = unselect(document, document.layers[0])
    assert apply_splices(document.body, splices) == b"<Annotations>" + expected + b"</Annotations>"
