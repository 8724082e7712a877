from __future__ import annotations

import json

import pytest

from bridge.qupath.create import create_qpdata
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_writer import write_stream
from bridge.qupath.qpdata import END_BYTES, open_qpdata
from bridge.qupath.read import read_qpdata

_BUILDER = {
    "builderType": "uri",
    "uri": "file:///a%20b.svs",
    "metadata": {"name": "µ 😀", "magnification": float("nan")},
}


def _create(image_type: str = "UNSET") -> bytes:
    paths = {"file_path": "/p/data/7/data.qpdata", "project_path": "/p/project.qpproj"}
    return create_qpdata(_BUILDER, entry_id="7", image_type=image_type, version="0.6.0", **paths)


def test_a_first_file_is_whole_and_without_objects() -> None:
    data = _create()
    assert data.endswith(END_BYTES) and write_stream(read_stream(data).items) == data
    found = read_qpdata(data)
    assert len(found) == 0 and found.write_marker is None
    assert _create() == data, "the same arguments give the same bytes"


def test_the_header_names_the_image() -> None:
    header = json.loads(open_qpdata(_create()).header)
    assert header["server"]["metadata"]["name"] == "µ 😀" and header["dataVersion"] == 3
    assert header["qupathVersion"] == "0.6.0" and header["id"] == "/p/data/7/data.qpdata"


@pytest.mark.parametrize(
    ("image_type", "stain"), [("BRIGHTFIELD_H_E", b'"Eosin"'), ("BRIGHTFIELD_H_DAB", b'"DAB"'), ("FLUORESCENCE", None)]
)
def test_stains_go_with_the_image_type(image_type: str, stain: bytes | None) -> None:
    data = _create(image_type)
    assert open_qpdata(data).image_type == image_type
    assert (stain in data) if stain else (b"ColorDeconvolutionStains" not in data)


def test_records_are_those_of_real_files(real_files: dict[str, bytes]) -> None:
    """Same kinds of records in the same order as QuPath's own files of H&E images."""
    ours = [_kind(item) for item in read_stream(_create("BRIGHTFIELD_H_E")).items]
    theirs = [_kind(item) for item in read_stream(real_files["shapes_051/1"]).items]
    assert ours == theirs


def _kind(item: object) -> str:
    desc = getattr(item, "desc", None)
    return type(item).__name__ if desc is None else desc.name
