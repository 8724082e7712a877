"""What this process says, without the names of slides whose projects hide them: one filter for all the ways out.

``main`` lays it over a whole command: over what it prints, its progress, its log lines and the line it ends with. Who
opens a project with ``[privacy] hash_names`` makes its names known here. Import it freely: it loads nothing.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

_FIELD = re.compile(r"[a-z][a-z0-9_]*")  # what our own keys in JSON look like
_TOKEN = re.compile(r"slide-[0-9a-f]+")
_NAMED = frozenset({"slide", "name", "key"})  # fields that hold nothing but a name, however short


class Hider(Protocol):
    """Knows the names of one project's slides."""

    @property
    def is_hidden(self) -> bool:
        """Whether it hides any."""
        ...

    def hide(self, text: str) -> str:
        """Return a text without the names."""
        ...

    def hide_note(self, note: str) -> str:
        """Return a text that may be nothing but a name, hidden even where that is short."""
        ...


class Everything:
    """Hides all of a text: while nobody knows yet which names a project has."""

    is_hidden = True

    def hide(self, text: str) -> str:
        """Say that there was a text."""
        return "(left out: it may name a slide)"

    hide_note = hide


class HiddenNames:
    """The slides' names of all projects that one process works on; threads may share it."""

    def __init__(self) -> None:
        self._projects: Mapping[Path, Hider] = {}
        self._lock = threading.Lock()

    @property
    def is_any(self) -> bool:
        """Whether a project wants its names hidden."""
        return any(names.is_hidden for names in self._known())

    def know(self, project: Path, names: Hider) -> None:
        """Hide a project's names from now on, in place of those known before."""
        with self._lock:
            self._projects = {**self._projects, project: names}

    def hide(self, text: str) -> str:
        """Return the text without the names of those projects that want them hidden."""
        for names in self._known():
            text = names.hide(text)
        return text

    def hide_note(self, note: str) -> str:
        """Return a note; one that is nothing but a slide's name is hidden however short it is."""
        for names in self._known():
            note = names.hide_note(note)
        return note

    def hide_json(self, value: object, field: str = "") -> object:
        """Return what is to be printed as JSON, its texts hidden; the names of fields stay."""
        if not self.is_any or value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self._key(str(key)): self.hide_json(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_json(item, field) for item in value]
        text = str(value)
        return self.hide_note(text) if field in _NAMED else self.hide(text)

    def _key(self, key: str) -> str:
        """Return a key of an object: one that looks like a field of ours only gives way where it is a whole name."""
        note = self.hide_note(key)
        is_field = _FIELD.fullmatch(key) is not None and _TOKEN.fullmatch(note) is None
        return key if is_field else note

    def _known(self) -> tuple[Hider, ...]:
        return tuple(self._projects.values())  # never changed: a signal's handler may log while a line is being hidden


_current: ContextVar[HiddenNames | None] = ContextVar("hidden_names", default=None)


def hidden_names() -> HiddenNames:
    """Return what hides the names in what this command says; outside of a command, one that nobody else knows."""
    return _current.get() or HiddenNames()


@contextmanager
def hiding(hidden: HiddenNames | None = None) -> Iterator[HiddenNames]:
    """Have all that is said within the block, from this thread, go through one filter; a new one if none is given.

    With an empty one given, names are told: where telling them is what was asked for.
    """
    hidden = hidden or HiddenNames()
    token = _current.set(hidden)
    try:
        yield hidden
    finally:
        _current.reset(token)
