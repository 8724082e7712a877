"""What SRC and DST may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import AnnotationFileError
from scripts.conversion.endpoints import Endpoint, EndpointKind, parse_endpoint, parse_source


@pytest.mark.parametrize(
    ("text", "kind", "path", "image"),
    [
        ("a/b.xml", EndpointKind.IMAGESCOPE, "a/b.xml", None),
        ("B.XML", EndpointKind.IMAGESCOPE, "B.XML", None),
        ("slide #3.geojson", EndpointKind.GEOJSON, "slide #3.geojson", None),
        ("c.geojson.gz", EndpointKind.GEOJSON, "c.geojson.gz", None),
        ("m.png", EndpointKind.MASK, "m.png", None),
        ("m.TIFF", EndpointKind.MASK, "m.TIFF", None),
        ("p/project.qpproj#12", EndpointKind.QUPATH, "p/project.qpproj", "12"),
        ("p/project.qpproj#a #1.svs", EndpointKind.QUPATH, "p/project.qpproj", "a #1.svs"),
    ],
)
def test_the_suffix_says_the_format(text: str, kind: EndpointKind, path: str, image: str | None) -> None:
    found = parse_endpoint(text)
    assert (found.kind, found.path, found.image) == (kind, Path(path), image)
    assert str(found) == text


@pytest.mark.parametrize(
    "text", ["a.csv", "a", "a.json", "a.gz", "a.svs", "a.xml.gz", "project.qpproj", "project.qpproj#"]
)
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(AnnotationFileError, match=r"convert takes|which image"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"shapes": [], "imagePath": "a.png"}', "labelme"),
        (b"\xac\xed\x00\x05w\x15\x00\x13Data file version 3", "project.qpproj#ID"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"", "an empty file, which"),
        (b"{}", "is JSON of an unknown program, which"),
        (b"\x01\x02", "no annotation file that we know"),
    ],
)
def test_a_file_that_is_there_is_called_by_its_name(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "what.dat").write_bytes(content)
    with pytest.raises(AnnotationFileError, match=expected):
        parse_endpoint(str(tmp_path / "what.dat"))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.xml", b"<ASAP_Annotations/>", EndpointKind.ASAP),
        ("a.xml", b"<Annotations/>", EndpointKind.IMAGESCOPE),
        ("a.annotations", b"<Annotations/>", EndpointKind.IMAGESCOPE),
        ("a.json", b'{"type": "FeatureCollection", "features": []}', EndpointKind.GEOJSON),
        ("a.geojson.zip", b"PK\x03\x04", EndpointKind.GEOJSON),
        ("a.png", b"\x89PNG\r\n\x1a\n", EndpointKind.MASK),
        ("a.geojson", b"", EndpointKind.GEOJSON),
    ],
)
def test_the_content_of_a_source_counts_before_its_name(
    tmp_path: Path, name: str, content: bytes, kind: EndpointKind
) -> None:
    (tmp_path / name).write_bytes(content)
    assert parse_source(str(tmp_path / name)) == Endpoint(tmp_path / name, kind)


@pytest.mark.parametrize(
    ("name", "content", "tool"),
    [
        ("a.xml", b'<Annotations><Annotation><Regions><Region Type="Polygon" HasEndcaps="0">', "a HALO XML"),
        ("a.annotations", b'<Annotations><Region Type="Ellipse"/>', "a HALO XML"),
        ("a.json", b'{"version":"2.0","schema_ref":"https://darwin-public/darwin_json/2.0"', "a Darwin"),
        ("a.json", b'[{"id": "1", "slideId": "2", "content": []}]', "a Sectra JSON"),
        ("a.txt", b'{"annotation":{"class":"be.cytomine.ontology.UserAnnotation"}}', "a Cytomine JSON"),
        ("a.json", b'{"info":{},"categories":[{"id":1', "a COCO JSON"),
        ("a.json", b'{"shapes":[],"imagePath":"a.png"', "a labelme JSON"),
        ("a.ndpa", b'<?xml version="1.0"?><ndpviewstate id="1">', "a NDP.view XML"),
        ("a.mld", b"\x01\x02\x03", "a Visiopharm MLD"),
    ],
)
def test_other_tools_files_are_refused_by_name_with_a_way_out(
    tmp_path: Path, name: str, content: bytes, tool: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnnotationFileError, match=rf"is {tool}.* file, which is not converted: .*(export|convert)"):
        parse_source(str(tmp_path / name))
