"""One slide per DICOM series, from the first elements of each file."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Source
from bridge.errors import AnnotationFileError
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import GeoJSONFolder
from bridge.slide_files import DicomHead, misnamed, one_file_per_slide, read_dicom_head

SLIDE, NOTES = "1.2.840.10008.5.1.4.1.1.77.1.6", "1.2.840.10008.5.1.4.1.1.91.1"
EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


def _explicit(group: int, element: int, form: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    head = pack("<HH2s", group, element, form)
    is_long = form in (b"SQ", b"UN", b"OB")
    return head + (pack("<HI", 0, size) if is_long else pack("<H", size)) + value


def _implicit(group: int, element: int, form: bytes, value: bytes, length: int | None = None) -> bytes:
    return pack("<HHI", group, element, len(value) if length is None else length) + value


def _text(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def dicom(series: str, kind: str = SLIDE, syntax: str = EXPLICIT, nested: int = 2) -> bytes:
    """Return the first elements of a file, with a sequence of undefined length before the series."""
    write = _implicit if syntax == IMPLICIT else _explicit
    sequence = b""
    for _ in range(nested):
        inner = write(0x0008, 0x0104, b"LO", b"text") + sequence
        item = pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + pack("<HHI", 0xFFFE, 0xE00D, 0)
        item += pack("<HHI", 0xFFFE, 0xE000, 4) + b"data"
        sequence = write(0x0008, 0x2228, b"SQ", item + pack("<HHI", 0xFFFE, 0xE0DD, 0), 0xFFFFFFFF)
    meta = _explicit(0x0002, 0x0001, b"OB", b"\0\1") + _explicit(0x0002, 0x0010, b"UI", _text(syntax))
    body = write(0x0008, 0x0016, b"UI", _text(kind)) + sequence + write(0x0010, 0x0010, b"PN", b"A^B ")
    end = write(0x0020, 0x000E, b"UI", _text(series)) + write(0x0028, 0x0010, b"US", b"\1\0")
    return bytes(128) + b"DICM" + meta + body + end


def _write(folder: Path, **files: bytes) -> list[Path]:
    for name, data in files.items():
        (folder / f"{name}.dcm").write_bytes(data)
    return sorted(folder.glob("*.dcm"))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.4.50"])
@pytest.mark.parametrize("nested", [0, 3, 16])
def test_a_file_says_its_series(tmp_path: Path, syntax: str, nested: int) -> None:
    (path,) = _write(tmp_path, a=dicom("1.2.3", syntax=syntax, nested=nested))
    assert read_dicom_head(path) == DicomHead("1.2.3", is_slide=True)


@pytest.mark.parametrize(
    "data", [b"", b"DICM", bytes(132), dicom("1.2")[:200], dicom("1.2", syntax=DEFLATED), dicom("1.2", nested=40)]
)
def test_other_files_say_nothing(tmp_path: Path, data: bytes) -> None:
    (path,) = _write(tmp_path, a=data)
    assert read_dicom_head(path) is None
    assert read_dicom_head(tmp_path) is None, "a folder"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_broken_files_are_no_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(dicom("1.2.3"))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("dicom") / "a.dcm"
    path.write_bytes(whole[: data.draw(st.integers(132, len(whole)))])
    head = read_dicom_head(path)
    assert head is None or head.series


def _no_annotations(path: Path) -> None:
    return None


def test_a_series_is_one_slide(tmp_path: Path) -> None:
    files = _write(tmp_path, b=dicom("1.1"), a=dicom("1.1"), c=dicom("1.2"), d=b"no DICOM", e=dicom("1.1", NOTES))
    files = [tmp_path / "x.svs", *files]
    assert [path.name for path in one_file_per_slide(files, _no_annotations)] == ["x.svs", "a.dcm", "c.dcm", "d.dcm"]
    drawn = {"b.dcm": tmp_path / "b.xml"}
    named = [path.name for path in one_file_per_slide(files, lambda path: drawn.get(path.name))]
    assert named == ["x.svs", "b.dcm", "c.dcm", "d.dcm"], "the file that has annotations beside it names the series"


def test_the_name_of_a_series_depends_on_no_order(tmp_path: Path) -> None:
    files = _write(tmp_path, b=dicom("1.1"), a=dicom("1.1"), c=dicom("1.1"))
    assert one_file_per_slide(files, _no_annotations) == one_file_per_slide(files[::-1], _no_annotations)


@pytest.mark.parametrize(("source", "suffix"), [(ImageScopeFolder, ".xml"), (GeoJSONFolder, ".geojson")])
class TestFolders:
    def test_a_series_has_one_entry(self, tmp_path: Path, source: type[Source], suffix: str) -> None:
        _write(tmp_path, a=dicom("1.1"), b=dicom("1.1"), c=dicom("1.2"))
        assert [e.key for e in source(tmp_path).slides()] == ["a.dcm", "c.dcm"]
        (tmp_path / f"b{suffix}").touch()
        first, _ = source(tmp_path).slides()
        assert (first.key, first.annotation_path.name) == ("b.dcm", f"b{suffix}")

    def test_two_annotation_files_of_one_slide_are_named(self, tmp_path: Path, source, suffix: str) -> None:
        _write(tmp_path, a=dicom("1.1"), b=dicom("1.1"))
        for name in "ab":
            (tmp_path / f"{name}{suffix}").touch()
        with pytest.raises(AnnotationFileError, match=f"a{suffix} and b{suffix} belong to one DICOM slide"):
            source(tmp_path).slides()

    def test_real_dicom_slides(self, shared_data: Path, tmp_path: Path, source: type[Source], suffix: str) -> None:
        for path in (shared_data / "wsi").glob("*/*.dcm"):
            shutil.copy(path, tmp_path)
        assert [e.key for e in source(tmp_path).slides()] == ["boxes_0.dcm", "sm_image.dcm"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are text there")
@pytest.mark.parametrize("source", [ImageScopeFolder, GeoJSONFolder])
def test_slide_whose_name_is_no_text_is_left_out_and_told(tmp_path: Path, source: type) -> None:
    for name in ("whole.svs", os.fsdecode(b"M\xfcller.svs"), os.fsdecode(b"M\xfcller.xml")):
        (tmp_path / name).touch()
    assert [entry.name for entry in source(tmp_path).slides()] == ["whole"]
    assert source(tmp_path).left_out() == ("M\\xfcller.svs is left out: its name is not written in UTF-8",)
    assert misnamed(tmp_path) == source(tmp_path).left_out()
