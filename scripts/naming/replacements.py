"""Texts put in place of others, in one pass, longest first: how a slide's name is kept out of whatever is said."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import quote
from xml.sax.saxutils import escape

_HEAD = 3  # characters; shorter forms are met in any word, so they aren't looked for
_TELLING_DIGITS = 5  # a number of fewer is more often a count than somebody's slide
_NUMBER = re.compile(r"[\d\s.,_+-]*")
# Folders before a file's name, as far as they can be told from the words before them: up to a space or a quote.
_LONGEST_PATH = 4096
_FOLDERS = re.compile(r"(?:file:)?(?:[A-Za-z]:)?[\\/](?:[^\s\"'<>|:*?]*[\\/])?$")
_MORE_FOLDERS = re.compile(r"[^\s\"'<>|:*?]{0,255}[\\/]")


class Replacements:
    """A table of texts and what is said in their place; upper and lower case are the same, as on most disks.

    Parameters
    ----------
    forms
        Text → what is said instead. Forms that ``is_telling`` denies are left out.
    kept
        Texts that stay as they are even where a form lies in them.
    """

    def __init__(self, forms: Mapping[str, str], kept: Iterable[str] = ()) -> None:
        self._said = {fold(form): said for form, said in forms.items() if is_telling(form)}
        self._said |= {fold(text): text for text in kept}
        lengths: dict[str, set[int]] = {}
        for form in self._said:
            lengths.setdefault(form[:_HEAD], set()).add(len(form))
        self._lengths = {head: sorted(found, reverse=True) for head, found in lengths.items()}

    def replace(self, text: str) -> str:
        """Return the text with every form replaced, and with it the folders that stand before a file's name."""
        folded, said, done, at = fold(text), [], 0, 0
        while at < len(text):
            length = self._length_at(folded, at)
            if not length:
                at += 1
                continue
            said += [_without_folders(text, done, at, at + length), self._said[folded[at : at + length]]]
            at = done = at + length
        return "".join([*said, text[done:]])

    def _length_at(self, folded: str, at: int) -> int:
        for length in self._lengths.get(folded[at : at + _HEAD], ()):
            form = folded[at : at + length]
            if form in self._said and not _is_part_of_number(folded, at, form):
                return length
        return 0


def fold(text: str) -> str:
    """Return the text in lower case, each character in its place."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c if len(c.lower()) != 1 else c.lower() for c in text)  # a dotted capital I becomes two


def is_telling(form: str) -> bool:
    """Say whether a form tells a slide wherever it stands: not a word of two letters, nor a small number."""
    if len(form) < _HEAD:
        return False
    return _NUMBER.fullmatch(form) is None or sum(c.isdigit() for c in form) >= _TELLING_DIGITS


def spellings(text: str) -> set[str]:
    """Return a text as it, or a message that quotes it, may spell it."""
    found = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")} | {text}
    quoted = {repr(t)[1:-1] for t in found} | {json.dumps(t)[1:-1] for t in found} | {escape(t) for t in found}
    slashed = {t.replace("\\", "/") for t in found}
    return found | quoted | slashed | {quote(t, errors="replace") for t in found | slashed}


def _is_part_of_number(folded: str, at: int, form: str) -> bool:
    if _NUMBER.fullmatch(form) is None:
        return False
    around = folded[max(at - 1, 0) : at] + folded[at + len(form) : at + len(form) + 1]
    return any(c.isdigit() for c in around)


def _without_folders(text: str, begin: int, end: int, after: int) -> str:
    """Return what stands before a name without the folders of its path; they may be called after a patient."""
    if _MORE_FOLDERS.match(text, after):
        return text[begin:end]  # the name is a folder's itself
    near = max(begin, end - _LONGEST_PATH)
    words = text[near:end].split(" ")  # no path that we can tell has a space in it
    return text[begin:near] + " ".join([*words[:-1], _FOLDERS.sub("", words[-1])])
