"""Moved slides: addresses of every system, on Linux."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import SlideNotFoundError
from bridge.slides import SearchRules, find_slide, locate
from bridge.slides.locate import split_address

posix = pytest.mark.skipif(sys.platform == "win32", reason="addresses of Windows are its own there")


def _touch(*paths: Path) -> Path:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths[0]


def test_a_slide_that_is_where_it_was(tmp_path: Path) -> None:
    here = _touch(tmp_path / "a.svs", tmp_path / "other" / "a.svs")
    rules = SearchRules((tmp_path / "other",), relocate={str(tmp_path): str(tmp_path / "other")})
    assert find_slide(str(here), rules) == here


@posix
@pytest.mark.parametrize(
    ("said", "old"),
    [
        ("/mnt/old/x/a b.svs", "/mnt/old"),
        ("/mnt/old/x/a b.svs", "/mnt/old/"),
        ("Z:/slides/x/a b.svs", "Z:/slides"),
        ("Z:\\slides\\x\\a b.svs", "z:\\SLIDES\\"),
        ("z:/x/a b.svs", "Z:"),
        ("Z:/x/a b.svs", "Z:\\"),
        ("//nas/slides/x/a b.svs", "//NAS/Slides"),
        ("\\\\nas\\slides\\x\\a b.svs", "//nas/slides"),
        ("//nas/slides/x/a b.svs", "\\\\nas\\slides"),
        ("\\\\?\\UNC\\nas\\slides\\x\\a b.svs", "\\\\nas\\slides"),
        ("\\\\?\\Z:\\x\\a b.svs", "Z:"),
    ],
)
def test_a_prefix_rule(tmp_path: Path, said: str, old: str) -> None:
    wanted = _touch(tmp_path / "new" / "x" / "a b.svs")
    assert find_slide(said, SearchRules(relocate={old: str(tmp_path / "new")})) == wanted


@posix
@pytest.mark.parametrize(
    ("said", "old"),
    [
        ("/mnt/older/a.svs", "/mnt/old"),  # no part of a name
        ("/MNT/old/a.svs", "/mnt/old"),  # cases differ on Linux
        ("/mnt/old/../a.svs", "/mnt/old"),  # a rule promises what lies below
        ("Z:/slides/a.svs", "Y:/slides"),
        ("/mnt/old/a.svs", ""),
    ],
)
def test_a_rule_for_something_else(tmp_path: Path, said: str, old: str) -> None:
    _touch(tmp_path / "new" / "a.svs", tmp_path / "a.svs", tmp_path / "new" / "er" / "a.svs")
    assert find_slide(said, SearchRules(relocate={old: str(tmp_path / "new")})) is None


@posix
def test_the_longest_rule_counts_then_the_next(tmp_path: Path) -> None:
    one, two = _touch(tmp_path / "1" / "b" / "a.svs"), _touch(tmp_path / "2" / "a.svs")
    rules = SearchRules(relocate={"Z:": str(tmp_path / "1"), "Z:/b": str(tmp_path / "2")})
    assert find_slide("Z:/b/a.svs", rules) == two
    two.unlink()
    assert find_slide("Z:/b/a.svs", rules) == one


def test_a_rule_for_one_file(tmp_path: Path) -> None:
    wanted = _touch(tmp_path / "renamed.svs")
    assert find_slide("/old/a.svs", SearchRules(relocate={"/old/a.svs": str(wanted)})) == wanted


@pytest.mark.parametrize("place", ["a.svs", "x/a.svs", "x/y/z/a.svs"])
def test_a_search_folder_is_searched_below(tmp_path: Path, place: str) -> None:
    wanted = _touch(tmp_path / place)
    assert find_slide("/old/a.svs", SearchRules((tmp_path / "none", tmp_path))) == wanted


def test_a_search_goes_no_deeper_than_told(tmp_path: Path) -> None:
    wanted = _touch(tmp_path / "x" / "y" / "a.svs")
    assert find_slide("/old/a.svs", SearchRules((tmp_path,), depth=1)) is None
    assert find_slide("/old/a.svs", SearchRules((tmp_path,), depth=2)) == wanted


def test_of_two_with_one_name_the_one_in_the_folder_of_old(tmp_path: Path) -> None:
    wanted = _touch(tmp_path / "deep" / "case 7" / "a.svs", tmp_path / "deep" / "case 8" / "a.svs")
    assert find_slide("C:\\scans\\Case 7\\a.svs", SearchRules((tmp_path,))) == wanted


def test_two_with_one_name_and_nothing_to_tell_them_apart(tmp_path: Path) -> None:
    _touch(tmp_path / "1" / "a.svs", tmp_path / "2" / "a.svs")
    with pytest.raises(SlideNotFoundError, match=r"2 files .* could be slide a\.svs") as caught:
        find_slide("/old/a.svs", SearchRules((tmp_path,)))
    assert str(tmp_path / "1" / "a.svs") in str(caught.value)
    assert "[slides.relocate]" in str(caught.value)


def test_a_name_in_other_letters_is_found_where_no_exact_one_is(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFC", "Müller.svs")
    other = _touch(tmp_path / unicodedata.normalize("NFD", "MÜLLER.SVS"))
    assert find_slide(f"Z:/{name}", SearchRules((tmp_path,))) == other
    exact = _touch(tmp_path / "x" / name)
    assert find_slide(f"Z:/{name}", SearchRules((tmp_path,))) == exact


@posix
def test_links_and_hidden_folders_are_not_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "search" / ".trash" / "a.svs")
    (tmp_path / "search" / "loop").symlink_to(tmp_path / "search")
    _touch(tmp_path / "elsewhere" / "a.svs")
    (tmp_path / "search" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "search" / "a.svs").symlink_to(tmp_path / "gone.svs")
    assert find_slide("/old/a.svs", SearchRules((tmp_path / "search",), depth=9)) is None


def test_a_search_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(locate, "MAX_ENTRIES", 3)
    _touch(*(tmp_path / "x" / f"{i}.svs" for i in range(9)))
    assert find_slide("/old/8.svs", SearchRules((tmp_path,), depth=0)) is None
    assert find_slide("/old/8.SVS", SearchRules((tmp_path,))) is None
    assert "search stopped" in caplog.text


@posix
def test_a_windows_address_is_no_path_below_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _touch(tmp_path / "Z:" / "a.svs")
    assert find_slide("Z:/a.svs", SearchRules()) is None
    assert find_slide("/old/a.svs", SearchRules(relocate={"/old": "Z:"})) is None


@pytest.mark.parametrize("said", ["https://omero.lab/webclient/?show=image-7", "omero:/7", "http:/omero/a.svs"])
def test_an_image_server_is_named_politely(said: str) -> None:
    with pytest.raises(SlideNotFoundError, match=r"image server.*export"):
        find_slide(said, SearchRules())


@pytest.mark.parametrize(
    "said", ["", ".", "/", "a\0b.svs", "/x/" + "n" * 5000, "//", "\\\\", "Z:", "/../../a", "\udcff"]
)
def test_odd_addresses_are_nowhere(tmp_path: Path, said: str) -> None:
    assert find_slide(said, SearchRules((tmp_path,), relocate={"/x": str(tmp_path), "Z:": str(tmp_path)})) is None


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="aZ:/\\.?%é \0", max_size=20))
def test_any_address_is_split_and_searched_without_error(said: str) -> None:
    assert all(part not in ("", ".") for part in split_address(said))
    try:
        assert find_slide(f"/no such folder/{said}", SearchRules(relocate={said: "/none"})) is None
    except SlideNotFoundError as error:
        pytest.fail(str(error))


@posix
def test_a_folder_that_cannot_be_listed_is_passed_by(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = _touch(tmp_path / "b" / "a.svs")
    assert find_slide("/old/a.svs", SearchRules((Path(os.devnull), tmp_path / "b"))) == wanted
    assert "can't be listed" in caplog.text
