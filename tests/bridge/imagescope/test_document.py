from __future__ import annotations

import numpy as np
import pytest

from bridge.errors import ImageScopeFormatError
from bridge.imagescope import document as parser
from bridge.imagescope.document import parse_document

DIALECT_OLD = b"""<Annotations MicronsPerPixel="0.252000">
  <Annotation Id="1" Name="Tumor" Type="4" LineColor="65280">
    <Attributes><Attribute Name="Description" Id="0" Value="first"/></Attributes>
    <Regions>
      <RegionAttributeHeaders><AttributeHeader Id="9999" Name="Region" ColumnWidth="-1"/></RegionAttributeHeaders>
      <Region Id="1" Type="0">
        <Attributes><Attribute Id="7" Value="grade 2"/></Attributes>
        <Vertices><Vertex X="46146.24" Y="31229"/><Vertex X="46187" Y="31240.5"/><Vertex X="9,5" Y="-1e2"/></Vertices>
      </Region>
    </Regions>
    <Plots/>
  </Annotation>
</Annotations>
"""
DIALECT_NEW = DIALECT_OLD.replace(b"  ", b"\t").replace(b'"/><Vertex', b'" Z="0"/>\r\n<Vertex').replace(b"\n", b"\r\n")


@pytest.mark.parametrize("data", [DIALECT_OLD, DIALECT_NEW])
def test_both_dialects_say_the_same(data: bytes) -> None:
    document = parse_document(data)
    (layer,) = document.layers
    (region,) = layer.regions
    assert document.mpp == 0.252
    assert (layer.name, layer.attributes["LineColor"]) == ("Tumor", "65280")
    assert layer.property_value("Description") == "first"
    assert [(found.name, found.value) for found in region.properties] == [("7", "grade 2")]
    np.testing.assert_array_equal(region.vertices, [(46146.24, 31229), (46187, 31240.5), (9.5, -100)])


@pytest.mark.parametrize("data", [DIALECT_OLD, DIALECT_NEW, DIALECT_OLD.decode().encode("utf-16")])
def test_offsets_name_the_bytes_of_elements(data: bytes) -> None:
    document = parse_document(data)
    (layer,) = document.layers
    (region,) = layer.regions
    assert document.text(region.element).startswith(b'<Region Id="1"')
    assert document.text(region.element).endswith(b"</Region>")
    assert document.text(layer.element).startswith(b"<Annotation Id")
    assert document.text(layer.element).endswith(b"</Annotation>")
    assert layer.container is not None
    assert document.body[layer.container.close :].startswith(b"</Regions>")
    assert document.body[document.root.close :].startswith(b"</Annotations>")


def test_self_closed_elements_are_told_from_empty_ones() -> None:
    document = parse_document(b"""<Annotations><Annotation Name='a>b/>'><Regions /></Annotation>
        <Annotation/><Annotation><Regions></Regions></Annotation></Annotations >""")
    first, second, third = document.layers
    assert first.container is not None and first.container.is_self_closed
    assert document.text(first.container) == b"<Regions />"
    assert first.name == "a>b/>"
    assert not first.element.is_self_closed and second.element.is_self_closed
    assert third.container is not None and not third.container.is_self_closed
    assert document.text(document.root).endswith(b"</Annotations >")


def test_layers_are_found_by_name_whatever_else_they_hold() -> None:
    document = parse_document(b"""<?xml version="1.0"?><!-- <Annotation/> -->
        <Annotations modtime="x"><Group><Annotation Name="no"/></Group>
        <Annotation LayerName="Structure0"><InputAnnotationId>3</InputAnnotationId><Plots><Vertex X="no"/></Plots>
        <Regions><RegionAttributeHeaders><AttributeHeaders ColumunWidth="1"/></RegionAttributeHeaders>
        <!-- a comment --><Region Id="0"><Vertices Xmin="1"/></Region><Region Id="1"/></Regions>
        </Annotation></Annotations><!-- end -->""")
    (layer,) = document.layers
    assert layer.name == "Structure0"
    assert [region.id for region in layer.regions] == ["0", "1"]
    assert all(region.vertices.shape == (0, 2) for region in layer.regions)


@pytest.mark.parametrize(
    ("mpp", "expected"),
    [("0.25", 0.25), ("0,25", 0.25), ("1", 1.0), ("0", None), ("", None), ("-1", None), ("nan", None), ("x", None)],
)
def test_resolution_is_positive_or_absent(mpp: str, expected: float | None) -> None:
    assert parse_document(f'<Annotations MicronsPerPixel="{mpp}"/>'.encode()).mpp == expected


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "1,2,3", "", "12px", "0x10"])
def test_number_that_is_none_is_refused_with_its_line(text: str) -> None:
    data = DIALECT_OLD.replace(b'X="46187"', f'\nX="{text}"'.encode())
    with pytest.raises(ImageScopeFormatError, match=r"^line 8: X=.* is not a coordinate"):
        parse_document(data)


def test_vertex_without_a_coordinate_is_refused_with_its_line() -> None:
    with pytest.raises(ImageScopeFormatError, match=r"^line 8: a vertex has no Y"):
        parse_document(DIALECT_OLD.replace(b'Y="31240.5"', b""))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: the file is empty"),
        (b" \r\n", "line 1: the file is empty"),
        (b"PK\x03\x04 a zip", "line 1: not XML at all"),
        (b'{"type": "FeatureCollection"}', "line 1: not XML at all"),
        (DIALECT_OLD[: DIALECT_OLD.index(b"<Region ") + 9], "line 6: the file is cut off here"),
        (DIALECT_OLD.replace(b"</Regions>", b""), "line 12: not well-formed XML .mismatched tag."),
        (b"<ASAP_Annotations><Annotations/></ASAP_Annotations>", "line 1: .*this is ASAP's XML"),
        (b"<annotations/>", "line 1: .*NDP.view or CVAT's XML"),
        (b"\n<svg/>", "line 2: the root is <svg>, .*another tool's XML"),
        (b'<a:Annotations xmlns:a="x"/>', "line 1: .*another tool's XML"),
    ],
)
def test_what_is_not_imagescopes_is_named_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ImageScopeFormatError, match=f"^{message}") as caught:
        parse_document(data)
    assert "\n" not in str(caught.value)


BILLION_LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<Annotations><Annotation Name="&c;"/></Annotations>"""
EXTERNAL = b"""<!DOCTYPE Annotations [<!ENTITY file SYSTEM "file:///etc/passwd">]>
<Annotations><Annotation Name="a">&file;</Annotation></Annotations>"""


@pytest.mark.parametrize("data", [BILLION_LAUGHS, EXTERNAL, b'<!DOCTYPE a SYSTEM "http://x/y.dtd"><Annotations/>'])
def test_document_types_and_their_entities_are_refused(data: bytes) -> None:
    with pytest.raises(ImageScopeFormatError, match=r"^line \d: a document type is not allowed"):
        parse_document(data)


def test_undefined_entities_are_refused() -> None:
    with pytest.raises(ImageScopeFormatError, match="undefined entity"):
        parse_document(b"<Annotations>&boom;</Annotations>")


@pytest.mark.parametrize("inner", [b"<a>", b"<Annotation>", b'<Vertex X="0" Y="0">'])
def test_deep_nesting_is_refused(inner: bytes) -> None:
    data = b"<Annotations><Annotation><Regions><Region>" + inner * 1_000_000
    with pytest.raises(ImageScopeFormatError, match="deep"):
        parse_document(data)


def test_huge_attribute_is_refused() -> None:
    name = b"x" * (parser.MAX_ATTRIBUTE + 1)
    with pytest.raises(ImageScopeFormatError, match=r"^line 2: an attribute of Annotation is longer"):
        parse_document(b'<Annotations>\n<Annotation Name="' + name + b'"/></Annotations>')


def test_huge_file_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_BYTES", 1 << 20)
    with pytest.raises(ImageScopeFormatError, match="2 MiB is more than the 1 MiB"):
        parse_document(b"\0" * (2 << 20))


def test_real_files_are_reproduced_by_their_document(real_file) -> None:
    data = real_file.read_bytes()
    document = parse_document(data)
    assert document.encoding.pack(document.body) == data
    regions = [region for layer in document.layers for region in layer.regions]
    assert len(regions) == data.count(b"<Region ")
    assert sum(len(region.vertices) for region in regions) == data.count(b"<Vertex ")
