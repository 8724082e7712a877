"""Streams and texts made to waste time or memory: each is refused or read, soon and in a few times its own size."""

from __future__ import annotations

import gzip
import io
import json
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from struct import pack

import pytest

from bridge.annotations import Edits
from bridge.errors import AnnotationFileError, GeoJSONFormatError, QuPathFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.edit import apply_edits
from bridge.qupath.geojson import read_geojson
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_stream import MAGIC
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_writer import write_stream
from bridge.qupath.read import read_qpdata

MEGABYTE = 1_000_000
SMALL = 60_000
SOON = 2.0  # seconds of the processor; some tenths on an idle machine
LARGEST_SHARE = 64  # bytes of memory per byte of input

_OBJECTS = b"\x75\x72\x00\x13[Ljava.lang.Object;" + bytes(8) + b"\x02\x00\x00\x78\x70"  # class of an Object[]
_AGAIN = b"\x75\x71\x00\x7e\x00\x00"
_EMPTY_CLASS = b"\x73\x72\x00\x01A" + bytes(8) + b"\x02\x00\x00\x78\x70"  # an object without fields, and its class
_EXTERNAL = b"\x73\x72\x00\x01A" + bytes(8) + b"\x0c\x00\x00\x78\x70"
_FAR_CLASS = b"\x72\x00\x01A" + bytes(8) + b"\x02"


def _refused_or_read(read: Callable[[bytes], object], data: bytes) -> None:
    try:
        read(data)
    except AnnotationFileError as error:
        assert "\n" not in str(error) and len(str(error)) < 500


def _seconds(read: Callable[[bytes], object], data: bytes) -> float:
    """Return the processor time, which other programs don't lengthen."""
    start = time.process_time()
    with collector_paused():
        _refused_or_read(read, data)
    return time.process_time() - start


def _peak(read: Callable[[bytes], object], data: bytes) -> int:
    """Return the peak of memory in bytes; tracing it makes all far slower."""
    tracemalloc.start()
    try:
        _refused_or_read(read, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: MAGIC + _OBJECTS + b"\x7f\xff\xff\xff" + b"\x70" * n, id="a count that nothing follows"),
        pytest.param(lambda n: MAGIC + _OBJECTS + pack(">I", n) + b"\x70" * n, id="a million nulls"),
        pytest.param(lambda n: MAGIC + b"\x70" * n, id="a million nulls at the top"),
        pytest.param(lambda n: MAGIC + b"\x77\x00" * (n // 2), id="empty blocks"),
        pytest.param(lambda n: MAGIC + b"\x74\x00\x00" * (n // 3), id="empty texts"),
        pytest.param(lambda n: MAGIC + b"\x74\x00\x00" + b"\x71\x00\x7e\x00\x00" * (n // 5), id="references"),
        pytest.param(lambda n: MAGIC + _EMPTY_CLASS + b"\x73\x71\x00\x7e\x00\x00" * (n // 6), id="empty objects"),
        pytest.param(lambda n: MAGIC + _EXTERNAL + b"\x73\x71\x00\x7e\x00\x00" * (n // 6), id="open objects"),
        pytest.param(
            lambda n: MAGIC + _EXTERNAL + b"\x78" + b"\x73\x71\x00\x7e\x00\x00\x78" * (n // 7), id="empty lists"
        ),
        pytest.param(lambda n: MAGIC + _OBJECTS + bytes(4) + (_AGAIN + bytes(4)) * (n // 10), id="empty arrays"),
        pytest.param(lambda n: MAGIC + _OBJECTS + (b"\x00\x00\x00\x01" + _AGAIN) * (n // 10), id="arrays in arrays"),
        pytest.param(lambda n: MAGIC + (b"\x73" + _FAR_CLASS + b"\x00\x00\x78\x70") * (n // 20), id="classes"),
        pytest.param(lambda n: MAGIC + b"\x73" + _FAR_CLASS + b"\xff\xff" + b"I\x00\x01a" * (n // 4), id="fields"),
        pytest.param(lambda n: MAGIC + b"\x79" * n, id="resets"),
        pytest.param(lambda n: MAGIC + b"\x7e" * n, id="enums without class"),
        pytest.param(lambda n: MAGIC + b"\x76" * n, id="classes of nothing"),
        pytest.param(lambda n: MAGIC + b"\x7c" + pack(">Q", 2**62) + bytes(n), id="a text of exabytes"),
        pytest.param(lambda n: MAGIC + b"\x7a" + pack(">I", 2**31 - 1) + bytes(n), id="a block of gigabytes"),
        pytest.param(lambda n: MAGIC + b"\x7c" + pack(">Q", n) + b"\xc0\x80" * (n // 2), id="NULs"),
    ],
)
def test_streams_cost_a_few_times_their_size(make: Callable[[int], bytes]) -> None:
    assert _seconds(read_stream, make(MEGABYTE)) < SOON
    small = make(SMALL)
    assert _peak(read_stream, small) < LARGEST_SHARE * len(small)
    _refused_or_read(read_qpdata, small)


def test_nesting_at_the_limit_is_read_written_and_forgotten() -> None:
    data = MAGIC + _OBJECTS + (b"\x00\x00\x00\x01" + _AGAIN) * 99_990 + bytes(4)
    assert write_stream(read_stream(data).items) == data
    with pytest.raises(QuPathFormatError, match="inside one another"):
        read_stream(MAGIC + _OBJECTS + (b"\x00\x00\x00\x01" + _AGAIN) * 100_010 + bytes(4))


def _huge_ellipses(lab):
    return [lab.path_object("PathAnnotation", lab.box_roi("Ellipse", 0, 0, 2e6, 2e6 + i)) for i in range(2_000)]


def _nested_rings(lab):
    rings = [[(i, i), (9e5 - i, i), (9e5 - i, 9e5 - i)] for i in range(8_000)]
    return [lab.path_object("PathAnnotation", lab.area_roi(rings))]


def _zigzag_rings(lab):
    zigzag = [(i * 7919 % 1000, i * 104729 % 1000) for i in range(60_000)]
    return [lab.path_object("PathAnnotation", lab.area_roi([zigzag, zigzag[::-1]]))]


def _zigzag_polygon(lab):
    zigzag = [(i * 7919 % 1000, i * 104729 % 1000) for i in range(100_000)]
    return [lab.path_object("PathAnnotation", lab.vertices_roi("Polygon", zigzag))]


def _ring_counts(lab):
    wkb = b"\x00" + pack(">II", 3, 2**32 - 1) + bytes(MEGABYTE)
    return [lab.path_object("PathAnnotation", lab.geometry(wkb))]


def _members_without_end(lab):
    wkb = (b"\x00" + pack(">II", 7, 2**31)) * (MEGABYTE // 9)
    return [lab.path_object("PathAnnotation", lab.geometry(wkb))]


def _empty_members(lab):
    wkb = b"\x00" + pack(">II", 6, MEGABYTE // 9) + (b"\x00" + pack(">II", 3, 0)) * (MEGABYTE // 9)
    return [lab.path_object("PathAnnotation", lab.geometry(wkb))]


@pytest.mark.parametrize(
    "make",
    [
        _huge_ellipses, _nested_rings, _zigzag_rings, _zigzag_polygon, _ring_counts, _members_without_end,
        _empty_members,
    ],
)  # fmt: skip
def test_objects_cost_a_few_times_their_size(lab, make: Callable[..., list[object]]) -> None:
    data = lab.file(make(lab))
    assert _seconds(read_qpdata, data) < SOON
    assert _peak(read_qpdata, data) < 4 * LARGEST_SHARE * len(data)


def test_a_text_of_a_type_longer_than_a_short_is_written_as_it_was() -> None:
    """Java takes a long text for the type of a field; after an edit such a text may come first there."""
    long = b"\x7c" + pack(">Q", 70_000) + b"L" * 70_000
    data = MAGIC + b"\x73\x72\x00\x01A" + bytes(8) + b"\x02\x00\x01L\x00\x01f" + long + b"\x78\x70\x70"
    assert write_stream(read_stream(data).items) == data


def test_names_of_every_length_around_the_short_form(lab) -> None:
    names = ["a" * n for n in (65_534, 65_535, 65_536, 200_000)] + [
        "\0" * 40_000,
        "\U0001f600" * 20_000,
        "\ud83d" * 30_000,
    ]
    data = lab.file([lab.box(name=name, metadata={name: name}) for name in names])
    found = read_qpdata(apply_edits(data, Edits("m"))).annotations
    assert [a.name for a in found] == names and [a.metadata for a in found] == [{name: name} for name in names]


@pytest.mark.parametrize(
    "raw", [b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\xbd", b"\xc0\x80", b"\xe0\x80\x80", b"\xff", b"\xc3"]
)
def test_bytes_of_a_text_survive_whatever_they_say(lab, raw: bytes) -> None:
    node = lab.box()
    node.written()[0] = JavaString(raw)
    data = lab.file([node])
    try:
        read_qpdata(data)
    except QuPathFormatError as error:
        assert "Java's UTF-8" in str(error)
    assert write_stream(read_stream(data).items) == data


# --- GeoJSON


def _features(count: int, last: object) -> bytes:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [8, 0], [9, 8], [0, 8], [0, 0]]]}
    good = {"type": "Feature", "geometry": square}
    return json.dumps([good] * count + [{"type": "Feature", "geometry": last}]).encode()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda n: b"[" * n, id="brackets"),
        pytest.param(lambda n: b'{"a":' * (n // 5), id="objects"),
        pytest.param(lambda n: b"[NaN," + b"[" * n, id="brackets, leniently"),
        pytest.param(lambda n: b'["' + b"\\" * n + b'"]', id="backslashes"),
        pytest.param(lambda n: b"[" + b"{}," * (n // 3) + b"{}]", id="empty objects"),
        pytest.param(lambda n: b'[{"type":"Point","coordinates":[' + b"[]," * (n // 3) + b"1]}]", id="empty points"),
        pytest.param(
            lambda n: b'[{"type":"Point","coordinates":[1' + b"0" * n + b",1]}]", id="a number of a million digits"
        ),
        pytest.param(
            lambda n: _features(n // 120, {"type": "Polygon", "coordinates": [[[1]]]}), id="a fault at the end"
        ),
        pytest.param(
            lambda n: _features(n // 120, {"type": "Polygon", "coordinates": [[["a", 1]] * 4]}), id="text as a number"
        ),
        pytest.param(
            lambda n: b'{"type":"FeatureCollection","features":[' + b'{"geometry":null},' * (n // 18) + b"{}]}",
            id="nothing drawn",
        ),
        pytest.param(
            lambda n: json.dumps([{"type": "Feature", "id": "x", "geometry": None}] * (n // 50)).encode(),
            id="one id for all",
        ),
    ],
)
def test_geojson_costs_a_few_times_its_size(make: Callable[[int], bytes]) -> None:
    assert _seconds(read_geojson, make(MEGABYTE)) < SOON
    small = make(SMALL)
    assert _peak(read_geojson, small) < 4 * LARGEST_SHARE * len(small)


def _zipped(data: bytes, name: str = "a.geojson") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("pack_it", [gzip.compress, _zipped])
def test_a_bomb_is_refused_before_it_unfolds(pack_it: Callable[[bytes], bytes]) -> None:
    bomb = pack_it(b" " * 60_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(GeoJSONFormatError, match="times its size"):
            read_geojson(bomb)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_names_no_path_that_matters() -> None:
    assert len(read_geojson(_zipped(b"[]", "../../../etc/a.geojson"))) == 0


@pytest.mark.parametrize("at", range(0, 120, 3))
def test_a_damaged_zip_is_refused_or_read(at: int) -> None:
    data = bytearray(_zipped(b'[{"type":"Point","coordinates":[1,2]}]' * 1))
    for value in (0x00, 0x7F, 0xFF):
        data[at % len(data)] = value
        try:
            read_geojson(bytes(data))
        except GeoJSONFormatError as error:
            assert "\n" not in str(error)
