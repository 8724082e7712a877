"""Which program wrote a file, by its first bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.formats.recognize import HEAD_BYTES, AnnotationFormat, recognize

HALO = (
    b'<Annotations>\n<Annotation LineColor="65535" Name="Layer 1" Visible="True">\n<Regions>\n<Region Type="Polygon" '
    b'HasEndcaps="0" NegativeROA="0"><Vertices><V X="1" Y="2" /></Vertices></Region></Regions></Annotation>'
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("aperio_xml/*/*.xml", AnnotationFormat.IMAGESCOPE),
        ("qupath/wsidicom/asap/*.xml", AnnotationFormat.ASAP),
        ("qupath/wsidicom/sectra/*.json", AnnotationFormat.SECTRA),
        ("qupath/wsidicom/cytomine/*.txt", AnnotationFormat.CYTOMINE),
        ("qupath/wsidicom/qupath_geojson*/*.json", AnnotationFormat.GEOJSON),
        ("qupath/qupath_to_lmd/tests_data/*.geojson", AnnotationFormat.GEOJSON),
        ("qupath/qupath_to_lmd/*.geojson", AnnotationFormat.GEOJSON),
        ("qupath/qupath_core/*.geojson", AnnotationFormat.GEOJSON),
        ("qupath/wsi_handling/*.json", AnnotationFormat.GEOJSON),
        ("qupath_projects/expected/*.geojson", AnnotationFormat.GEOJSON),
        ("qupath_projects/expected/*.geojson.gz", AnnotationFormat.GEOJSON),
        ("qupath_projects/expected/*.zip", AnnotationFormat.ZIP),
        ("qupath_projects/*/data/*/data.qpdata", AnnotationFormat.QUPATH_DATA),
        ("qupath_projects/*/project.qpproj", AnnotationFormat.QUPATH_PROJECT),
        ("qupath_projects/*/classifiers/classes.json", AnnotationFormat.QUPATH_CLASSES),
        ("qupath/qupath_to_lmd/demo_Qupath_project/output/*.xml", AnnotationFormat.LEICA_LMD),
        ("qupath/qupath_to_lmd/demo_Qupath_project/output/*.png", AnnotationFormat.PNG),
        ("qupath_projects/images/*.tif", AnnotationFormat.TIFF),
    ],
)
def test_real_files_are_known(shared_data: Path, pattern: str, expected: AnnotationFormat) -> None:
    paths = sorted(shared_data.glob(pattern))
    assert paths
    assert {path.name: recognize(path, path.read_bytes()[:HEAD_BYTES]) for path in paths} == {
        path.name: expected for path in paths
    }


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HALO, AnnotationFormat.HALO),
        (HALO.decode().encode("utf-16"), AnnotationFormat.HALO),
        (b'<?xml version="1.0"?><ndpviewstate id="1">', AnnotationFormat.NDPA),
        (b"<html><body>", AnnotationFormat.XML),
        (b'\xef\xbb\xbf  {"version":"2.0","schema_ref":"https://x/darwin_json/2.0"', AnnotationFormat.DARWIN),
        (b'{"info":{},"categories":[{"id":1', AnnotationFormat.COCO),
        (b'{"version":"5","flags":{},"shapes":[],"imagePath":"a.png"', AnnotationFormat.LABELME),
        (b"[]", AnnotationFormat.GEOJSON),
        (b"{", AnnotationFormat.JSON),
        (b"", AnnotationFormat.EMPTY),
        (b" \n", AnnotationFormat.EMPTY),
        (b"\xac\xed\x00\x05sr", AnnotationFormat.JAVA_STREAM),
        (b"hello", AnnotationFormat.UNKNOWN),
        (b"\x1f\x8bhello", AnnotationFormat.UNKNOWN),
    ],
)
def test_small_heads_are_known(head: bytes, expected: AnnotationFormat) -> None:
    assert recognize(Path("file.bin"), head) is expected


def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"[" + b" " * 50_000_000)
    assert recognize(Path("a.geojson.gz"), bomb) is AnnotationFormat.GEOJSON


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"<", b"{", b"\x1f\x8b", b"\xff\xfe<", b'[{"slideId":', b"\xac\xed\x00\x05"]),
)
def test_any_bytes_have_an_answer(data: bytes, start: bytes) -> None:
    assert isinstance(recognize(Path("x"), start + data), AnnotationFormat)
