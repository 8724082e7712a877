from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from scripts.exporting.naming import file_names

NAMES = st.text(max_size=120) | st.sampled_from(
    [
        "../../etc/passwd",
        "CON",
        "nul.svs",
        "a/b",
        "a\\b",
        "C:x",
        " .",
        "x\u202egnp",
        "A.svs",
        "a.SVS",
        "..",
        "com1.tif",
        "COM¹",
        "腎" * 90,
    ]
)
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in "0123456789¹²³")}
NAME_MAX = 255  # bytes, on Linux; a tile's place on the slide, and its suffix, come behind the name


@given(st.lists(NAMES, max_size=12))
def test_every_name_is_one_file_on_every_system_and_no_two_are_the_same(names: list[str]) -> None:
    found = file_names([(str(i), name) for i, name in enumerate(names)])

    assert len({name.casefold() for name in found.values()}) == len(names)
    for name in found.values():
        assert name and len(name) < 100 and len(f"{name}_x123456_y123456_0000.png".encode()) < NAME_MAX
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f\s]', name)
        assert not name.startswith(".") and not name.endswith((".", " ")) and ".." not in (name, name[:2])
        assert name.partition(".")[0].casefold() not in DEVICES


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.randoms())
def test_a_slide_has_the_same_name_whatever_order_the_source_lists_them_in(names: list[str], random: object) -> None:
    slides = [(f"key {name}", name) for name in names]
    shuffled = slides[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert file_names(slides) == file_names(shuffled)


def test_letters_of_any_language_stay() -> None:
    assert file_names([("k", "Präparat 7 腎臓.mrxs")]) == {"k": "Präparat_7_腎臓"}


def test_only_a_slide_files_suffix_is_no_part_of_a_name() -> None:
    slides = [("a", "S21.001"), ("b", "S21.002"), ("c", "S21.003.NDPI"), ("d", ".svs")]
    assert file_names(slides) == {"a": "S21.001", "b": "S21.002", "c": "S21.003", "d": "svs"}
