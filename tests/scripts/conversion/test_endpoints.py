"""What SRC and DST may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import AnnotationFileError
from scripts.conversion.endpoints import EndpointKind, parse_endpoint


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
        (b"", "an empty file"),
        (b"\x01\x02", "no annotation file that we know"),
    ],
)
def test_a_file_that_is_there_is_called_by_its_name(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "what.dat").write_bytes(content)
    with pytest.raises(AnnotationFileError, match=expected):
        parse_endpoint(str(tmp_path / "what.dat"))
