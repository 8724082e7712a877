"""From paths to slides: pure but for ``abspath``; the folders need not exist."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import SlideEntry
from bridge.watch import FileIndex, Hinted, WatchedFolder, index_files

ROOT = Path("/lab/project").absolute()
OURS = "ours-"


def qupath() -> FileIndex:
    files = {i: ROOT / "data" / i / "data.qpdata" for i in ("1", "2")}
    entries = [SlideEntry(i, f"slide {i}", ROOT.parent / f"{i}.svs", file) for i, file in files.items()]
    return index_files(ROOT, entries, own_prefix=OURS, project_file=ROOT / "project.qpproj")


def folder(*stems: str) -> FileIndex:
    entries = [SlideEntry(f"{s}.svs", s, ROOT / f"{s}.svs", ROOT / f"{s}.xml") for s in stems or ("a", "b")]
    return index_files(ROOT, entries, own_prefix=OURS)


def hinted(*keys: str, is_list_changed: bool = False) -> Hinted:
    return Hinted(frozenset(keys), is_list_changed)


def hail() -> FileIndex:
    """An H-AI-L project: the annotation file need not lie beside its slide."""
    places = {
        "a.svs": ("TRAINING_data/0", "TRAINING_data/0/a.xml"),
        "b.svs": ("TRAINING_data/1", "Predicted_XMLs/b.xml"),
    }
    entries = [SlideEntry(k, k, ROOT / folder / k, ROOT / file) for k, (folder, file) in places.items()]
    return index_files(ROOT, entries, own_prefix=OURS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("TRAINING_data/0/a.xml", hinted("a.svs")),
        ("Predicted_XMLs/b.xml", hinted("b.svs")),
        ("Predicted_XMLs/ours-1.tmp", hinted()),
        ("TRAINING_data/1/b.xml", hinted(is_list_changed=True)),
        ("TRAINING_data/1/c.svs", hinted(is_list_changed=True)),
        ("TRAINING_data/1/b.svs", hinted()),
        ("TRAINING_data/2", hinted(is_list_changed=True)),
        ("TRAINING_data/1/tiles/1.png", hinted()),
        ("HOLDOUT_data", hinted(is_list_changed=True)),
    ],
)
def test_what_a_path_of_an_hail_project_is_about(path: str, expected: Hinted) -> None:
    assert hail().keys_of(ROOT / path) == expected


def test_slides_of_a_folder_are_watched_where_their_drawings_may_come_to_lie() -> None:
    watched = {(folder.path.name, folder.is_recursive) for folder in hail().watched}

    assert watched == {(ROOT.name, False), ("TRAINING_data", True), ("Predicted_XMLs", True)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/1/data.qpdata", hinted("1")),
        ("data/1/data.qpdata.bkp", hinted("1")),
        ("data/2/summary.json", hinted("2")),
        ("data/1", hinted("1")),
        ("data", hinted("1", "2")),
        ("", hinted("1", "2", is_list_changed=True)),
        ("..", hinted("1", "2", is_list_changed=True)),
        ("project.qpproj", hinted(is_list_changed=True)),
        ("project.qpproj.backup", hinted()),
        ("data/1/thumbnail.jpg", hinted()),
        ("data/1/server.json", hinted()),
        ("data/17", hinted()),
        ("data/17/data.qpdata", hinted()),
        ("data/1/ours-7f3a.tmp", hinted()),
        (".slidebridge", hinted()),
        (".slidebridge/backups/data/1/data.qpdata", hinted()),
        ("../other/data/1/data.qpdata", hinted()),
        ("../project2/data/1/data.qpdata", hinted()),
    ],
)
def test_what_a_path_of_a_qupath_project_is_about(path: str, expected: Hinted) -> None:
    assert qupath().keys_of(ROOT / path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.xml", hinted("a.svs")),
        ("b.xml", hinted("b.svs")),
        ("a.svs", hinted()),  # being copied, it would have us list the folder again all the time
        ("c.svs", hinted(is_list_changed=True)),
        ("c.xml", hinted(is_list_changed=True)),
        ("A.XML.tmp", hinted()),
        ("summary.json", hinted()),
        ("notes.txt", hinted()),
        ("~a.xml", hinted()),
        ("._c.svs", hinted()),
        ("ours-1.xml", hinted()),
        ("c/Slidedat.svs", hinted()),
        ("", hinted("a.svs", "b.svs", is_list_changed=True)),
    ],
)
def test_what_a_path_of_a_folder_is_about(path: str, expected: Hinted) -> None:
    assert folder().keys_of(ROOT / path) == expected


def test_new_folder_of_an_iteration_may_bring_slides() -> None:
    entries = [SlideEntry("a", "a", ROOT / "t/0/a.svs", ROOT / "t/0/a.xml")]
    index = index_files(ROOT, entries, own_prefix=OURS)
    assert index.keys_of(ROOT / "t" / "1") == hinted(is_list_changed=True)
    assert index.keys_of(ROOT / "t") == hinted("a", is_list_changed=True)


def test_many_paths_say_what_they_say_together() -> None:
    found = qupath().hinted([ROOT / "data/1/data.qpdata", ROOT / "project.qpproj", ROOT / "x"])
    assert found == hinted("1", is_list_changed=True)
    assert qupath().hinted([]) == hinted()


def test_no_slides_is_no_error() -> None:
    index = index_files(ROOT, [], own_prefix=OURS, project_file=ROOT / "project.qpproj")
    assert index.keys_of(ROOT) == hinted(is_list_changed=True)
    assert index.watched == (WatchedFolder(ROOT, is_recursive=False),)


def test_our_own_folder_is_not_among_the_watched() -> None:
    assert qupath().watched == (
        WatchedFolder(ROOT, is_recursive=False),
        WatchedFolder(ROOT / "data", is_recursive=True),
    )
    assert folder().watched == (WatchedFolder(ROOT, is_recursive=False),)


def test_accents_are_the_same_however_they_are_written() -> None:
    composed, apart = "M\u00fcller", "Mu\u0308ller"
    assert folder(composed).keys_of(ROOT / f"{apart}.xml") == hinted(f"{composed}.svs")


def test_relative_root_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    entries = [SlideEntry("a", "a", Path("lab/a.svs"), Path("lab/a.xml"))]
    index = index_files(Path("lab"), entries, own_prefix=OURS)
    assert index.keys_of(tmp_path / "lab" / "a.xml") == hinted("a")
    assert index.watched == (WatchedFolder(tmp_path / "lab", is_recursive=False),)


@pytest.mark.skipif(os.name != "nt", reason="case matters here")
def test_case_does_not_matter_where_the_system_says_so() -> None:
    assert folder().keys_of(ROOT / "A.XML") == hinted("a.svs")


names = st.text("ab.~1", min_size=1, max_size=6).filter(lambda name: set(name) != {"."})


@settings(max_examples=200, deadline=None)
@given(st.lists(names, min_size=1, max_size=4))
def test_folder_stands_for_all_that_lies_in_it(parts: list[str]) -> None:
    """What a path says, its folder says as well: events may be reduced to folders when there are too many."""
    index = folder("a", "b", "1")
    path = ROOT.joinpath(*parts)
    inner = index.keys_of(path)
    if index.keys_of(path.parent) == hinted():
        assert inner == hinted()
    else:
        assert inner.keys <= index.keys_of(path.parent).keys
