from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.annotations import Edits, SlideEntry, Source
from bridge.errors import AnnotationFileError, ImageScopeFormatError
from bridge.imagescope import ImageScopeFolder, create_imagescope


@pytest.fixture
def folder(tmp_path: Path) -> Source:
    return ImageScopeFolder(tmp_path)


@pytest.fixture
def entry(tmp_path: Path) -> SlideEntry:
    return SlideEntry("a.svs", "a", tmp_path / "a.svs", tmp_path / "a.xml")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_slides_are_listed_with_their_xml(tmp_path: Path, folder: Source) -> None:
    touch(tmp_path, "b.SVS", "a.tif", "c.x.png", "a.XML", "notes.txt", "lonely.xml")
    (tmp_path / "folder.svs").mkdir()
    assert folder.slides() == (
        SlideEntry("a.tif", "a", tmp_path / "a.tif", tmp_path / "a.XML"),
        SlideEntry("b.SVS", "b", tmp_path / "b.SVS", tmp_path / "b.xml"),
        SlideEntry("c.x.png", "c.x", tmp_path / "c.x.png", tmp_path / "c.x.xml"),
    )


def test_hidden_and_side_pictures_are_no_slides(tmp_path: Path, folder: Source) -> None:
    touch(tmp_path, ".a.svs", "~a.tif", "a.svs.tmp", "a_label.jpg", "a-macro.PNG", "a.thumbnail.jpeg", "label.svs")
    assert [entry.key for entry in folder.slides()] == ["label.svs"]


def test_tiles_of_a_vms_slide_are_no_slides(tmp_path: Path, folder: Source) -> None:
    touch(tmp_path, "x.vms", "x.jpg", "x(1,0).jpg", "x(0,0,1).jpg", "x_map2.jpg", "x_macro.jpg", "xy.jpg")
    assert [entry.key for entry in folder.slides()] == ["x.vms", "xy.jpg"]


@pytest.mark.parametrize("names", [("a.svs", "a.tif"), ("A.svs", "a.png")])
def test_slides_that_would_share_an_xml_are_named(tmp_path: Path, folder: Source, names: tuple[str, str]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(AnnotationFileError, match=r"'[aA]\.svs' and 'a\.(tif|png)' would share"):
        folder.slides()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match=r"nowhere: there is no such folder"):
        ImageScopeFolder(tmp_path / "nowhere").slides()


def test_first_file_is_written_and_read(folder: Source, entry: SlideEntry) -> None:
    first = folder.create(entry)
    written = folder.apply(first, Edits("w1"), entry)
    assert folder.parse(first, entry).write_marker is None
    assert folder.parse(written, entry).write_marker == "w1"
    assert folder.companions(written, entry) == {}


def test_errors_name_the_file(folder: Source, entry: SlideEntry) -> None:
    with pytest.raises(ImageScopeFormatError, match=r"a\.xml: line 1: ") as caught:
        folder.parse(b"<ASAP_Annotations/>", entry)
    assert caught.value.path == entry.annotation_path
    with pytest.raises(ImageScopeFormatError, match=r"a\.xml: there is no object"):
        folder.apply(create_imagescope(None), Edits("w", frozenset({"L0R0"})), entry)


@pytest.mark.parametrize(
    "data",
    [
        b"<Annotations></Annotations>",
        b"<Annotations>\r\n</Annotations >\r\n\r\n",
        b'<Annotations MicronsPerPixel="0.25"/>',
        b"<Annotations/><!-- exported -->\n<?x y?>",
        b"\xef\xbb\xbf<?xml version='1.0'?><!-- <x> --><Annotations></Annotations>",
        "<Annotations></Annotations>\r\n".encode("utf-16"),
        b"<Annotations>" + b"\n" * 100_000 + b"</Annotations>",
        b"<ASAP_Annotations>\n</ASAP_Annotations>",  # for the reader to name
        b"not XML at all",
    ],
)
def test_complete_file_is_not_blocked(folder: Source, entry: SlideEntry, data: bytes) -> None:
    entry.annotation_path.write_bytes(data)
    assert folder.blocker(entry) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 5000,
        b"<Annotations>",
        b"<Annotations><Annotation/>",
        b"<Annotations><Annotation></Annotation>",
        b"<Annotations></Annotations",
        b"<Annotations>" + b"\0" * 4096,
        "<Annotations><Annotation/>".encode("utf-16"),
        b"<Annotations><!-- </Annotations> -->",
    ],
)
def test_file_that_is_being_written_is_blocked(folder: Source, entry: SlideEntry, data: bytes) -> None:
    entry.annotation_path.write_bytes(data)
    assert folder.blocker(entry) == "it is not completely written yet"


def test_file_that_does_not_exist_is_not_blocked(folder: Source, entry: SlideEntry) -> None:
    assert folder.blocker(entry) is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs file permissions that bind")
def test_file_that_can_not_be_opened_is_blocked(folder: Source, entry: SlideEntry) -> None:
    entry.annotation_path.write_bytes(b"<Annotations/>")
    entry.annotation_path.chmod(0)
    assert "can't be opened now" in (folder.blocker(entry) or "")
