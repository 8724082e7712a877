"""Names of files made from names of slides: what a slide is called may be anything, a file's name may not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from bridge.slide_files import SLIDE_SUFFIXES

_LONGEST, _LONGEST_BYTES = 80, 160  # characters, and bytes as UTF-8: others are added, and all systems have an end
_NOT_PLAIN = re.compile(r"[^\w.-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])(\..*)?", re.IGNORECASE)  # devices, on Windows


def file_names(slides: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Return a file name without suffix for every slide, all different, also where upper and lower case are the same.

    Parameters
    ----------
    slides
        (key, what the slide is called). The same slides get the same names in whatever order they come.

    Returns
    -------
    mapping
        Key → letters, digits, ``_``, ``-`` and ``.``; no folder, nothing that a system takes for something else.

    Examples
    --------
    >>> file_names([("a", "Case 12.svs"), ("b", "../case_12.SVS"), ("c", "con")])
    {'a': 'Case_12', 'b': 'case_12-2', 'c': '_con'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key, name in sorted(slides):
        plain = _plain(name)
        candidate, number = plain, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{plain}-{number}"
        taken.add(candidate.casefold())
        found[key] = candidate
    return found


def _plain(name: str) -> str:
    normal = unicodedata.normalize("NFC", name)
    stem, dot, suffix = normal.rpartition(".")
    if stem and f"{dot}{suffix.lower()}" in SLIDE_SUFFIXES:
        normal = stem
    plain = _NOT_PLAIN.sub("_", normal).strip("._-")[:_LONGEST]
    plain = plain.encode("utf-8")[:_LONGEST_BYTES].decode("utf-8", "ignore").rstrip("._-")
    if not plain:
        return "slide"
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain
