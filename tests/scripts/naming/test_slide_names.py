"""Names that must not be read by others: in any text, in any spelling, whoever says it."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from time import perf_counter
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import SlideEntry
from bridge.errors import StoreError
from scripts.naming.hidden import HiddenNames
from scripts.naming.project_names import KEY_FILE, name_key
from scripts.naming.replacements import fold, is_telling
from scripts.naming.slide_names import SlideNames, hide_name

_KEY = bytes(range(32))
_FOLDER = PurePosixPath("/mnt/share/Meyer, Anna/scans")


def _entry(name: str, key: str | None = None, folder: PurePosixPath = _FOLDER) -> SlideEntry:
    path = Path(folder / name)
    return SlideEntry(key or name, name, path, path.with_suffix(".xml"))


def _names(*names: str, key: bytes | None = _KEY) -> SlideNames:
    return SlideNames([_entry(name) for name in names], key)


_LETTERS = st.characters(whitelist_categories=("Ll", "Lu", "Lo", "Nd", "Zs"), whitelist_characters="-_.,()'&%# ")
_NAME = st.text(_LETTERS, min_size=1, max_size=12).filter(lambda n: n.strip(" .") == n and n not in ("", "None", "-"))
_WORDS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
_SUFFIX = st.sampled_from(["", ".svs", ".ndpi", ".ome.tif"])
_SPELLING = st.sampled_from(
    [
        str,
        repr,
        json.dumps,
        str.upper,
        str.lower,
        lambda n: unicodedata.normalize("NFD", n),
        lambda n: quote(n),
        lambda n: f"'/somewhere/else/{n}'",
        lambda n: f"slide={n}",
    ]
)


def _is_free(text: str, name: str) -> bool:
    """Say whether a text is free of a name, tokens and the words around them aside."""
    return fold(unicodedata.normalize("NFC", name)) not in fold(unicodedata.normalize("NFC", text))


def _words_left(hidden: str, names: SlideNames) -> str:
    for called, _ in names.table():
        hidden = hidden.replace(called, "\n")
    return hidden.replace("slide=", "\n")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_NAME, _SUFFIX, _SPELLING), min_size=1, max_size=5), st.lists(_WORDS, min_size=6, max_size=6))
def test_no_name_of_three_letters_is_left_in_any_text(
    drawn: Sequence[tuple[str, str, object]], words: Sequence[str]
) -> None:
    names = _names(*dict.fromkeys(stem + suffix for stem, suffix, _ in drawn))
    text = words[0]
    for (stem, suffix, spell), word in zip(drawn, words[1:], strict=False):
        text += spell(stem + suffix) + word  # type: ignore[operator]
    left = _words_left(names.hide(text), names)
    for stem, suffix, _ in drawn:
        for name in {stem, stem + suffix}:
            if is_telling(name) and sum(c.isalpha() for c in name) >= 3:
                assert _is_free(left, name), (text, left)


@settings(max_examples=100, deadline=None)
@given(st.lists(_NAME, min_size=1, max_size=5, unique=True), _WORDS)
def test_hiding_twice_is_hiding_once(drawn: Sequence[str], words: str) -> None:
    names = _names(*drawn)
    once = names.hide(f"{words} {drawn[0]} slide={drawn[-1]} {words}")
    assert names.hide(once) == once


@settings(max_examples=100, deadline=None)
@given(st.lists(_NAME, min_size=1, max_size=5, unique=True), _WORDS)
def test_without_a_key_nothing_is_changed(drawn: Sequence[str], words: str) -> None:
    names = _names(*drawn, key=None)
    text = f"{words} {drawn[0]} slide={drawn[-1]}"
    assert names.hide(text) == text and names.of(drawn[0]) == drawn[0] and hide_name(drawn[0], names.hide) == drawn[0]


@pytest.mark.parametrize("spell", [str, repr, json.dumps, quote, lambda n: unicodedata.normalize("NFD", n), escape])
def test_however_a_message_spells_a_name_nothing_of_it_is_left(spell: Callable[[str], str]) -> None:
    name = "Jöran & 'Bo'\\Ek.svs"
    said = spell(name)
    hidden = SlideNames([SlideEntry("9", name, Path("/x/9.svs"), Path("/x/9.xml"))], _KEY).hide(f"read {said} today")
    for part in ("ran", "Bo", "Ek", "amp"):
        assert part not in hidden, hidden


@pytest.mark.parametrize("name", ["slide", "slide-", "lide.svs", "slides.svs"])
def test_slide_that_is_called_like_our_own_words_is_hidden_once(name: str) -> None:
    names = _names(name, "other.svs")
    once = names.hide(f"{name} and other.svs slide=other.svs")
    assert once == names.hide(once)
    assert once.endswith(f" slide={names.of('other.svs')}")


def test_hash_stays_over_restarts_and_renamings_and_differs_between_projects(tmp_path: Path) -> None:
    first, again, other = name_key(tmp_path / "a"), name_key(tmp_path / "a"), name_key(tmp_path / "b")
    assert first == again != other
    called = SlideNames([_entry("case.svs", "7")], first).of("7")
    assert called == SlideNames([_entry("renamed.svs", "7"), _entry("two.svs", "8")], again).of("7")
    assert called != SlideNames([_entry("case.svs", "7")], other).of("7")


def test_text_that_was_not_about_a_slide_reads_as_before() -> None:
    text = "training ended iteration=12 score=0.812 file=/data/study/.slidebridge/log/watch.log attempts=1"
    names = SlideNames([_entry("1.svs", "1"), _entry("12.svs", "12"), _entry("ab.svs", "ab")], _KEY)
    assert names.hide(text) == text


def test_small_numbers_are_names_only_where_slide_stands_before_them() -> None:
    names = SlideNames([_entry("1.svs", "1"), _entry("Image", "12")], _KEY)
    assert names.hide("slide=1 attempts=1 12 objects") == f"slide={names.of('1')} attempts=1 12 objects"
    assert names.hide("slide='12': 1 of 12") == f"slide={names.of('12')}: 1 of 12"
    assert names.hide("slide='Image' x") == f"slide={names.of('12')} x"
    assert names.hide("slide 12 is open") == f"slide {names.of('12')} is open"
    assert hide_name("1", names.hide) == names.of("1")


def test_slide_that_came_after_the_table_is_hidden_where_slide_stands_before_it() -> None:
    names = _names("case.svs")
    hidden = names.hide("slide=new.svs error=cut; slide='Meyer 2.svs' slide=None")
    assert "new" not in hidden and "Meyer" not in hidden and hidden.endswith("slide=None")
    assert hidden.count("slide=slide-") == 2 and " error=cut;" in hidden


@pytest.mark.parametrize(
    "said",
    [
        "{path}",
        "can't open '{path}': gone",
        "file://{quoted}",
        "{windows}",
        "{windows!r}",
        "/new/place/Meyer/{name}",
        r"\\nas\scans\Meyer\{name} is away",
        "Z:/Meyer/{name}",
    ],
)
def test_folders_before_a_slide_s_name_are_hidden_with_it(said: str) -> None:
    entry = _entry("case 7.svs")
    windows = PureWindowsPath(r"D:\Meyer, Anna\scans") / "case 8.svs"
    entries = [entry, SlideEntry("8", "case 8.svs", Path(str(windows)), Path(str(windows.with_suffix(".xml"))))]
    names = SlideNames(entries, _KEY)
    path = str(entry.slide_path)
    text = said.format(path=path, quoted=quote(path), windows=str(windows), name=entry.name)
    hidden = names.hide(text)
    assert "Meyer" not in hidden and "case" not in hidden and "slide-" in hidden, hidden


def test_path_of_an_annotation_file_leaves_its_suffix() -> None:
    names = _names("case.svs")
    assert names.hide(f"{_FOLDER}/case.xml: cut") == f"{names.of('case.svs')}.xml: cut"


def test_longest_name_wins_and_overlaps_leave_nothing() -> None:
    names = _names("case_1.svs", "case_12.svs", "12.svs_old.svs")
    assert names.hide("case_12.svs") == names.of("case_12.svs")
    hidden = names.hide("case_12.svs_old.svs")
    assert "case_1" not in hidden


def test_upper_case_and_length_changing_letters_keep_places() -> None:
    names = _names("İstanbul-7.svs")
    assert names.hide("İİİ a İSTANBUL-7.SVS b") == f"İİİ a {names.of('İstanbul-7.svs')} b"


def test_a_thousand_slides_are_hidden_in_a_line_at_once() -> None:
    names = _names(*(f"TCGA-{n:04d}-01Z-00-DX1.svs" for n in range(1000)))
    text = " ".join(f"slide={_FOLDER}/TCGA-{n:04d}-01Z-00-DX1.svs was read" for n in range(0, 1000, 10))
    began = perf_counter()
    assert "TCGA" not in names.hide(text)
    assert perf_counter() - began < 1.0


def test_one_process_hides_the_names_of_all_its_projects() -> None:
    hidden = HiddenNames()
    hidden.know(Path("/a"), _names("first.svs"))
    hidden.know(Path("/b"), _names("second.svs", key=bytes(32)))
    hidden.know(Path("/c"), _names("third.svs", key=None))
    text = hidden.hide("first.svs second.svs third.svs")
    assert "first" not in text and "second" not in text and "third.svs" in text
    hidden.know(Path("/a"), _names("fourth.svs"))
    assert "fourth" not in hidden.hide("fourth.svs")


def test_key_is_secret_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    name_key(tmp_path)
    path = tmp_path / KEY_FILE
    assert sys.platform == "win32" or path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"short")
    with pytest.raises(StoreError, match="remove it"):
        name_key(tmp_path)


def test_technician_finds_the_slide_behind_a_hash() -> None:
    names = _names("case.svs", "two.svs")
    assert dict(names.table()) == {names.of("case.svs"): "case.svs", names.of("two.svs"): "two.svs"}
    assert names.key_of(names.of("two.svs")) == "two.svs" and names.key_of("two.svs") is None


@pytest.mark.parametrize(
    "text", ["{n}" * 2000, "{n}/" * 1500, "/a" * 15_000 + "'{n}", "/" * 30_000 + "'{n}", "{n}" + "/" * 30_000]
)
def test_text_that_is_made_to_be_slow_is_hidden_soon(text: str) -> None:
    began = perf_counter()
    assert "TCGA" not in _names("TCGA-1.svs").hide(text.format(n="TCGA-1.svs"))
    assert perf_counter() - began < 5.0
