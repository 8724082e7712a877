from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.qupath.slide_uri import path_of_uri, relocate


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:/data/a.svs", "/data/a.svs"),
        ("file:///data/a%20b%23%25.svs", "/data/a b#%.svs"),
        ("file://localhost/data/a.svs", "/data/a.svs"),
        ("file:///data/%C3%BC%E5%8C%BA.svs", "/data/ü区.svs"),
        ("file:/C:/slides/a.svs", "C:/slides/a.svs"),
        ("file:///Z:/slides/a%20b.svs", "Z:/slides/a b.svs"),
        ("file://nas/share/a.svs", "//nas/share/a.svs"),
        ("file:////nas/share/a.svs", "//nas/share/a.svs"),
        ("file://///nas/share/a.svs", "//nas/share/a.svs"),
        ("file://my%20nas/share/a.svs", "//my nas/share/a.svs"),
        ("smb://nas/share/a%20b.svs", "//nas/share/a b.svs"),
        ("file://Z:/slides/a.svs", "Z:/slides/a.svs"),
        ("FILE:/Z:/slides/a.svs", "Z:/slides/a.svs"),
        ("file:/data/%00.svs", "/data/\0.svs"),
        ("https://omero/webclient?id=1", "https://omero/webclient?id=1"),
        ("C:\\slides\\a.svs", "C:\\slides\\a.svs"),
        ("http://[", "http://["),
        ("", ""),
    ],
)
def test_known_addresses(uri: str, path: str) -> None:
    assert path_of_uri(uri) == path


_names = st.text(st.characters(blacklist_characters="/\\:\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(st.lists(_names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4))
def test_every_path_comes_back(parts: list[str]) -> None:
    posix, windows = PurePosixPath("/", *parts), PureWindowsPath("C:/", *parts)
    assert path_of_uri(posix.as_uri()) == str(posix)
    assert PureWindowsPath(path_of_uri(windows.as_uri())) == windows


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no names that are no text")
def test_a_name_that_is_no_text_comes_back() -> None:
    path = Path(os.fsdecode(b"/data/\xff.svs"))
    assert path_of_uri(path.as_uri()) == str(path)


@pytest.mark.parametrize(
    ("slide", "old_project"),
    [
        ("/old/images/a b.svs", "/old/project/project.qpproj"),
        ("C:/old/images/a b.svs", "C:/old/project/project.qpproj"),
        ("C:\\old\\images\\a b.svs", "C:\\old\\project\\project.qpproj"),
        ("//nas/share/images/a b.svs", "//nas/share/project/project.qpproj"),
    ],
)
def test_a_slide_that_moved_with_its_project(tmp_path: Path, slide: str, old_project: str) -> None:
    root, wanted = tmp_path / "project", tmp_path / "images" / "a b.svs"
    assert relocate(slide, old_project, root) is None
    wanted.parent.mkdir()
    wanted.write_bytes(b"")
    assert relocate(slide, old_project, root) == wanted


@pytest.mark.parametrize(
    ("slide", "old_project"),
    [("D:/images/a.svs", "C:/project/p.qpproj"), ("https://host/a", "/p/p.qpproj"), ("/a\0b", "/p/p.qpproj"), ("", "")],
)
def test_odd_addresses_are_nowhere(tmp_path: Path, slide: str, old_project: str) -> None:
    assert relocate(slide, old_project, tmp_path / "none") is None
