from __future__ import annotations

import json

import pytest

from bridge.errors import QuPathFormatError
from bridge.qupath.java_writer import write_stream
from bridge.qupath.qpdata import END_BYTES, calibration, open_qpdata


def test_records_are_found_by_type(lab) -> None:
    records = lab.records([])
    shuffled = [records[0], *reversed(records[1:-1]), records[-1]]
    for items in (records, shuffled):
        qpdata = open_qpdata(write_stream(items))
        assert (qpdata.version, qpdata.image_type, qpdata.mpp) == (3, "BRIGHTFIELD_H_E", (0.5, 0.5))
        assert qpdata.write_marker is None
    assert write_stream(records).endswith(END_BYTES)


def test_the_write_marker_is_an_image_property(lab) -> None:
    records = lab.records([])
    records[-2] = lab.hash_map({"a": "b", "slidebridge.write": "run 7"})
    assert open_qpdata(write_stream(records)).write_marker == "run 7"


@pytest.mark.parametrize("version", ["1", "4", "33", "", "3 ", "9" * 5000, "³"])
def test_unknown_versions_are_refused_in_one_line(lab, version: str) -> None:
    with pytest.raises(QuPathFormatError, match=r"^data version .* is unknown.*paquo") as caught:
        open_qpdata(lab.file([], version))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("drop", "words"),
    [(0, "begin with a version"), (-1, "EOF mark is missing"), (3, "0 hierarchies")],
)
def test_missing_records(lab, drop: int, words: str) -> None:
    records = lab.records([])
    del records[drop]
    with pytest.raises(QuPathFormatError, match=words):
        open_qpdata(write_stream(records))


def test_two_hierarchies_are_refused(lab) -> None:
    records = lab.records([])
    with pytest.raises(QuPathFormatError, match="2 hierarchies"):
        open_qpdata(write_stream([*records[:4], *lab.records([])[3:]]))


def test_something_after_the_end_mark_is_refused(lab) -> None:
    with pytest.raises(QuPathFormatError, match="EOF"):
        open_qpdata(lab.file([]) + b"\x70")


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "null", '{"server": 1}', "[" * 100_000, '{"server":{"metadata":{}}}']
)
def test_a_header_of_any_form_only_costs_the_mpp(lab, header: str) -> None:
    records = lab.records([])
    records[1] = lab.text(header)
    assert open_qpdata(write_stream(records)).mpp is None


@pytest.mark.parametrize(
    ("width", "height", "mpp"),
    [
        ({"value": 0.5, "unit": "µm"}, {"value": 0.25, "unit": "µm"}, (0.5, 0.25)),
        ({"value": 0.5, "unit": "μm"}, {"value": 0.5, "unit": "um"}, (0.5, 0.5)),
        ({"value": 1.0, "unit": "px"}, {"value": 1.0, "unit": "px"}, None),
        ({"value": 0.5, "unit": "µm"}, {"value": 1.0, "unit": "px"}, None),
        ({"value": float("nan"), "unit": "µm"}, {"value": 0.5, "unit": "µm"}, None),
        ({"value": 0.0, "unit": "µm"}, {"value": 0.5, "unit": "µm"}, None),
    ],
)
def test_calibration(width, height, mpp) -> None:
    metadata = json.loads(json.dumps({"pixelCalibration": {"pixelWidth": width, "pixelHeight": height}}))
    assert calibration(metadata) == mpp
