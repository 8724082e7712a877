"""Unpacking and parsing within limits."""

from __future__ import annotations

import gc
import gzip
import io
import zipfile

import pytest

from bridge.errors import GeoJSONFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.geojson_text import compress, parse, unpack


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, compress, lambda text: zipped(a_geojson=text)])
def test_each_packing_gives_back_the_text(pack: object) -> None:
    assert callable(pack)
    assert unpack(pack(b"[1, 2]")) == b"[1, 2]"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: zipped(a_json=text)])
def test_what_unpacks_to_too_much_is_refused(pack: object) -> None:
    assert callable(pack)
    assert len(unpack(pack(b" " * 1000), max_bytes=1000)) == 1000
    with pytest.raises(GeoJSONFormatError, match="more than 1,000 bytes"):
        unpack(pack(b" " * 1001), max_bytes=1000)


def test_a_zip_holds_one_file() -> None:
    assert unpack(zipped(a_geojson=b"[]", readme_txt=b"x")) == b"[]"
    for data in (zipped(a_geojson=b"[]", b_json=b"[]"), zipped(readme_txt=b"x")):
        with pytest.raises(GeoJSONFormatError, match="GeoJSON files instead of one"):
            unpack(data)


@pytest.mark.parametrize("data", [gzip.compress(b"[]" * 500), zipped(a_json=b"[]" * 500)], ids=["gzip", "zip"])
def test_damaged_archives_are_refused(data: bytes) -> None:
    for end in range(4, len(data), 7):
        with pytest.raises(GeoJSONFormatError):
            unpack(data[:end])


def test_compression_is_the_same_each_time() -> None:
    assert compress(b"[1]") == compress(b"[1]")
    assert gzip.decompress(compress(b"[1]")) == b"[1]"


def test_numbers_outside_the_standard_become_their_words() -> None:
    assert parse(b'[NaN, -Infinity, 123456789012345678901234567890, "\\ud83d"]') == [
        "NaN",
        "-Infinity",
        123456789012345678901234567890.0,
        "?",
    ]


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"NaN NaN", b'{"a":NaN', b"\xff\xfe[", b'"\xff NaN"'])
def test_what_is_no_json_is_refused_in_one_line(text: bytes) -> None:
    with pytest.raises(GeoJSONFormatError, match=r"not JSON|is empty") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_the_collector_runs_again_afterwards() -> None:
    assert gc.isenabled()
    with pytest.raises(RuntimeError), collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
        raise RuntimeError
    assert gc.isenabled()
