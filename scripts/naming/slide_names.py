"""What slides are called where others may read it: by their names, or by short hashes of them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator

from bridge.annotations import SlideEntry
from scripts.naming.replacements import Replacements, is_telling, spellings

_HASH_DIGITS = 8  # 1,000 slides: two of the same hash once in 10,000 projects
_TOKEN = re.compile(rf"slide-[0-9a-f]{{{_HASH_DIGITS}}}")
_POSITION = re.compile(r"\bslide([= ])('[^']*'|\"[^\"]*\"|[^\s,;]*[^\s,;:])")
_FIRST = re.compile(r"^(\s*(?:failed: )?)([^\s:]{1,12}): ", re.MULTILINE)
_NO_SLIDE = ("None", "-")
_LONGEST_SUFFIX = 8


class SlideNames:
    """The names of a project's slides; with a key they are hidden. Frozen: make a new one when slides come or go.

    A hash is made from the slide's key in its source with the project's secret key: it stays the same over restarts
    and renamings, differs between projects, and can't be found by trying out names.

    Parameters
    ----------
    entries
        The slides.
    key
        The project's secret; None hides nothing.
    others
        Further names to hide, of what is no slide of the project: it was one, is left out, or lies beside them.
    """

    def __init__(self, entries: Iterable[SlideEntry], key: bytes | None = None, others: Iterable[str] = ()) -> None:
        self._entries = tuple(entries)
        self._names = {entry.key: entry.name for entry in self._entries}
        self._key = key
        forms: dict[str, str] = {}
        if key is not None:
            known = {name for entry in self._entries for name in (entry.name, entry.key, entry.slide_path.name)}
            new = (other for other in others if other not in known and _stem(other) not in known)
            forms |= {form: said for other in new for form, said in self._other_forms(other)}
            forms |= {form: said for entry in self._entries for form, said in self._forms(entry)}
        self._short = {form: said for form, said in forms.items() if not is_telling(form)}
        tokens = (self.of(entry.key) for entry in self._entries)
        self._replacements = Replacements(forms, kept=("slide=", *tokens) if key else ())

    @property
    def is_hidden(self) -> bool:
        """Whether names are hashed."""
        return self._key is not None

    def of(self, slide_key: str) -> str:
        """Return what the slide with this key is called; one that isn't known any more, by its key."""
        if self._key is None:
            return self._names.get(slide_key, slide_key)
        digest = hmac.new(self._key, slide_key.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"slide-{digest[:_HASH_DIGITS]}"

    def key_of(self, called: str) -> str | None:
        """Return the key of the slide that is called so, where names are hidden; None for none."""
        return next((key for key in self._names if self.of(key) == called), None) if self.is_hidden else None

    def table(self) -> tuple[tuple[str, str], ...]:
        """Return (what it is called, name) for every slide, in the order of the source."""
        return tuple((self.of(entry.key), entry.name) for entry in self._entries)

    def hide(self, text: str) -> str:
        """Return the text without any slide's name, stem or path; a path leaves its file's suffix.

        Names of less than three characters, and numbers of less than five digits, are hidden where ``slide=`` stands
        before them, or where a line begins with them and a colon: anywhere else they are mostly something else.
        """
        if self._key is None:
            return text
        text = _FIRST.sub(self._at_beginning, self._replacements.replace(text))
        return _POSITION.sub(self._at_position, text)

    def hide_note(self, note: str) -> str:
        """Return a note as of `hide`; one that is nothing but a slide's name, however short, is hidden too."""
        if self._key is None:
            return note
        key = next((key for key, name in self._names.items() if name == note), None)
        return self.of(key) if key is not None else self.hide(note)

    def _at_beginning(self, match: re.Match[str]) -> str:
        said = self._short.get(match[2])
        return match[0] if said is None else f"{match[1]}{said}: "

    def _at_position(self, match: re.Match[str]) -> str:
        sign, value = match[1], match[2].strip("'\"")
        if value in self._short:
            return f"slide{sign}{self._short[value]}"
        if _TOKEN.fullmatch(value):
            return f"slide{sign}{value}"  # which needs no quotes, whatever the name did
        if sign == " " or value in _NO_SLIDE or _TOKEN.match(value):
            return match[0]
        return f"slide={self.of(value)}"  # a slide that came after this table was made

    def _forms(self, entry: SlideEntry) -> Iterator[tuple[str, str]]:
        said = self.of(entry.key)
        file = entry.slide_path.name
        names = {entry.name, entry.key, file}
        for name in sorted(names | {_stem(n) for n in names}):
            yield from ((form, said) for form in spellings(name))
        for path in (entry.slide_path, entry.annotation_path):
            yield from ((form, said + path.suffix) for form in spellings(str(path)))

    def _other_forms(self, name: str) -> Iterator[tuple[str, str]]:
        for text in (_stem(name), name):
            yield from ((form, self.of(name)) for form in spellings(text))


def hide_name(name: str, hide: Callable[[str], str]) -> str:
    """Return a text that is a slide's name, hidden even where it is so short that ``hide`` can't tell it from words."""
    quoted = f"slide='{name}'"
    hidden = hide(quoted)
    return name if hidden == quoted else hidden.removeprefix("slide=").strip("'")


def _stem(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or not 1 <= len(suffix) <= _LONGEST_SUFFIX or " " in suffix:
        return name
    return stem.removesuffix(".ome")
