"""What slides are called where others may read it: by their names, or by short hashes of them."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import StoreError
from bridge.files import write_new
from scripts.daemon.hiding import Replacements, is_telling, spellings
from scripts.project import Project, find_entry

KEY_FILE = "names.key"
_KEY_BYTES = 32
_HASH_DIGITS = 8  # 1,000 slides: two of the same hash once in 10,000 projects
_TOKEN = re.compile(rf"slide-[0-9a-f]{{{_HASH_DIGITS}}}")
_POSITION = re.compile(r"\bslide([= ])('[^']*'|\"[^\"]*\"|[^\s,;]*[^\s,;:])")
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
    """

    def __init__(self, entries: Iterable[SlideEntry], key: bytes | None = None) -> None:
        self._entries = tuple(entries)
        self._names = {entry.key: entry.name for entry in self._entries}
        self._key = key
        forms = {form: said for entry in self._entries for form, said in self._forms(entry)} if key else {}
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
        before them: anywhere else they are mostly something else.
        """
        if self._key is None:
            return text
        return _POSITION.sub(self._at_position, self._replacements.replace(text))

    def hide_note(self, note: str) -> str:
        """Return a note as of `hide`; one that is nothing but a slide's name, however short, is hidden too."""
        if self._key is None:
            return note
        key = next((key for key, name in self._names.items() if name == note), None)
        return self.of(key) if key is not None else self.hide(note)

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


def hide_name(name: str, hide: Callable[[str], str]) -> str:
    """Return a text that is a slide's name, hidden even where it is so short that ``hide`` can't tell it from words."""
    quoted = f"slide='{name}'"
    hidden = hide(quoted)
    return name if hidden == quoted else hidden.removeprefix("slide=").strip("'")


class HiddenNames:
    """The slides' names of all projects that one process works on; threads may share it."""

    def __init__(self) -> None:
        self._projects: dict[Path, SlideNames] = {}
        self._lock = threading.Lock()

    def know(self, project: Path, names: SlideNames) -> None:
        """Hide a project's names from now on, in place of those known before."""
        with self._lock:
            self._projects[project] = names

    def hide(self, text: str) -> str:
        """Return the text without the names of those projects that want them hidden."""
        with self._lock:
            projects = tuple(self._projects.values())
        for names in projects:
            text = names.hide(text)
        return text


def name_key(folder: Path) -> bytes:
    """Return the secret that a project's names are hashed with, made at the first call.

    Parameters
    ----------
    folder
        The project's ``.slidebridge``.

    Raises
    ------
    StoreError
        It can't be read or written, or is cut.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; it must be readable for [privacy] hash_names") from error
    if len(key) != _KEY_BYTES:
        raise StoreError(f"{path}: {len(key)} bytes are no key; remove it, slides then get new hashes")
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_new(path, secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        return  # another process was first: its key counts
    path.chmod(0o600)


def _stem(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or not 1 <= len(suffix) <= _LONGEST_SUFFIX or " " in suffix:
        return name
    return stem.removesuffix(".ome")


def find_called(project: Project, called: str) -> SlideEntry:
    """Return the slide that a person means: by key, by name, or by the hash that logs and status show.

    Raises
    ------
    ConfigError
        There is none, or the name is that of several.
    """
    return find_entry(project, project_names(project, project.source.slides()).key_of(called) or called)


def project_names(project: Project, entries: Iterable[SlideEntry]) -> SlideNames:
    """Return what a project's slides are called, by its ``[privacy] hash_names``.

    Raises
    ------
    StoreError
        Names are to be hidden, and the project's secret can't be read.
    """
    return SlideNames(entries, name_key(project.data_folder) if project.settings.privacy.hash_names else None)
