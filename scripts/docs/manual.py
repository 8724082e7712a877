"""What ``scripts/defaults.toml`` says of each setting: the file is the manual, its comments are read as such."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources

_SECTION = re.compile(r"\[(?P<name>\w+)\]\s*(?:#\s*(?P<words>.*))?")
_KEY = re.compile(r"(?:# )?(?P<name>[a-z]\w*) = (?P<rest>.*)")
_MORE = re.compile(r"\s+#\s*(?P<words>.*)")


@dataclass(slots=True)
class _Entry:
    words: list[str] = field(default_factory=list)

    def text(self) -> str:
        return " ".join(self.words).strip()


def meanings(text: str | None = None) -> Mapping[str, str]:
    """Return ``section`` and ``section.key`` → what the comments say of it.

    Parameters
    ----------
    text
        A file of defaults; the shipped one if None.

    Examples
    --------
    >>> meanings('''[slides]
    ... # mpp = 0.5         # for slides
    ...                     # that don't say
    ... names = ["#1"]      # some
    ... ''')
    {'slides': '', 'slides.mpp': "for slides that don't say", 'slides.names': 'some'}
    """
    shipped = resources.files("scripts").joinpath("defaults.toml").read_text("utf-8") if text is None else text
    entries: dict[str, _Entry] = {}
    for name, words in _said(shipped):
        entries.setdefault(name, _Entry()).words.append(words)
    return {name: entry.text() for name, entry in entries.items()}


def _said(text: str) -> Iterator[tuple[str, str]]:
    section, name = "", ""
    for line in text.splitlines():
        if (opening := _SECTION.fullmatch(line)) is not None:
            section = name = opening["name"]
            yield name, opening["words"] or ""
        elif section and (key := _KEY.fullmatch(line)) is not None:
            name = f"{section}.{key['name']}"
            yield name, _comment(key["rest"])
        elif name and (more := _MORE.fullmatch(line)) is not None:
            yield name, more["words"]


def _comment(rest: str) -> str:
    """Return what stands behind the first ``#`` that is in no quotes."""
    quote = ""
    for place, sign in enumerate(rest):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            return rest[place + 1 :].strip()
    return ""
