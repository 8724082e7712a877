"""A project as the dashboard looks at it: opened to be read, whoever else is at work on it; nothing is written."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.annotations import SlideEntry
from bridge.errors import AnnotationFileError, BridgeError, ConfigError
from bridge.ingest import locate_slide
from bridge.store import Store
from bridge.store.location import STORE_NAME
from bridge.store.migrate import check_current
from scripts.config import FILE_NAME
from scripts.loop.status_daemon import moment
from scripts.naming.project_names import KEY_FILE, new_spare_key, project_names
from scripts.naming.slide_names import SlideNames
from scripts.project import Project, open_project, open_store

_ID_DIGITS = 16
_KEPT_SECONDS = 3.0  # a project's settings and list of slides, between two looks


@dataclass(frozen=True, slots=True)
class Look:
    """A project at one moment, its store open.

    Parameters
    ----------
    names
        What its slides are called here: perhaps hashes.
    entries
        Its slides by their id in addresses, in the order of the source.
    warning
        Why the source can't be listed now: the slides are then those that the store knows. None for nothing.
    """

    project: Project
    store: Store
    names: SlideNames
    entries: Mapping[str, SlideEntry]
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """Settings and slides at one moment; no slides where the source can't be listed."""

    project: Project
    entries: Mapping[str, SlideEntry] | None
    warning: str | None
    at: float


class Nothing:
    """An empty store, for projects that have none yet; made once, removed with `close`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._store: Store | None = None
        self._lock = threading.Lock()

    def store(self) -> Store:
        """Return it."""
        with self._lock:
            if self._store is None:
                folder = self._stack.enter_context(TemporaryDirectory(prefix="slidebridge-"))
                self._store = self._stack.enter_context(Store.open(Path(folder)))
            return self._store

    def close(self) -> None:
        """Remove it."""
        with self._lock:
            self._store = None
            self._stack.close()


@dataclass(slots=True)
class Watched:
    """One project of the dashboard.

    Parameters
    ----------
    path
        Of the project, as the user gave it.
    secret
        Ids in addresses are made with it: neither a slide's name nor a path can be told from a browser's history.
    nothing
        For as long as the project has no store.
    now
        The moment, aware.
    clock
        Monotonic seconds.
    id
        Names the project in addresses.
    title
        What the project is called: its folder. Both are told once: asking a share that is away may take minutes.
    """

    path: Path
    secret: bytes
    nothing: Nothing
    now: Callable[[], datetime]
    clock: Callable[[], float]
    id: str = field(init=False)
    title: str = field(init=False)
    _listed: _Listed | None = None
    _named: tuple[tuple[tuple[SlideEntry, ...], bool, bool], SlideNames] | None = None
    _found: dict[tuple[Path, str], Path] = field(default_factory=dict)
    _is_current: bool = False
    _root: Path | None = None
    _away_since: datetime | None = None
    _own_key: bytes = field(default_factory=new_spare_key)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        path = self.path.resolve()
        self.id = self._id_of("project", str(path))
        self.title = path.name if path.suffix not in (".toml", ".qpproj") else path.parent.name

    def slide_id(self, key: str) -> str:
        """Return what names a slide in addresses."""
        return self._id_of(self.id, key)

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Give the project as it is now.

        Raises
        ------
        BridgeError
            Its settings are wrong, or its store can't be read.
        """
        listed = self._list()
        with self._open_store(listed.project) as store:
            entries = listed.entries if listed.entries is not None else self._by_id(_known_entries(store))
            keys = {entry.key for entry in entries.values()}
            gone = (entry for entry in _known_entries(store) if entry.key not in keys)  # messages may name them still
            names = self._names(listed.project, (*entries.values(), *gone))
            warning = None if listed.warning is None else names.hide(listed.warning)
            yield Look(listed.project, store, names, entries, warning)

    def slide_path(self, slide_id: str) -> Path:
        """Return where a slide lies, fast: a viewer asks for many tiles, and the slide may have to be searched for.

        Raises
        ------
        KeyError
            There is no such slide.
        BridgeError
            It isn't found, or the project, or its list of slides, can't be read.
        """
        listed = self._list()
        if listed.entries is None:
            raise AnnotationFileError(str(listed.warning))
        entry, options = listed.entries[slide_id], listed.project.settings.slides
        known = (entry.slide_path, repr(options))
        found = self._found.get(known)
        if found is None or not found.is_file():
            found = self._found[known] = locate_slide(entry, options)
        return found

    def _list(self) -> _Listed:
        """Return settings and slides, listed anew after a few seconds: a share may be slow."""
        with self._lock:
            listed, now = self._listed, self.clock()
            if listed is None or not listed.at <= now < listed.at + _KEPT_SECONDS:
                listed = self._listed = self._list_now(self._open(), now)
            return listed

    def _open(self) -> Project:
        """Open the project; where it can't be reached, say so, and since when."""
        try:
            project = open_project(self.path)
            if self._root not in (None, project.root):  # one that lies above it, for its own is away
                raise ConfigError(f"{self._root}: no {FILE_NAME}")
        except (ConfigError, OSError) as error:
            if not self._is_away(error):
                raise
            self._away_since = self._away_since or self.now()
            raise ConfigError(
                f"{self.path} can't be reached since {moment(self._away_since)}; it may be on a share that is away, or"
                " was moved: this page goes on by itself when it is back"
            ) from error
        self._root, self._away_since = project.root, None
        return project

    def _is_away(self, error: Exception) -> bool:
        """Say whether a project can't be reached, rather than being wrong: an unmounted share is an empty folder."""
        if isinstance(error, OSError):
            return True
        try:
            is_empty = self._root is not None and not (self._root / FILE_NAME).exists()
            return is_empty or not self.path.exists()
        except OSError:
            return True

    def _list_now(self, project: Project, now: float) -> _Listed:
        try:
            return _Listed(project, self._by_id(project.source.slides()), None, now)
        except (BridgeError, OSError) as error:
            return _Listed(project, None, str(error), now)

    def _by_id(self, entries: Sequence[SlideEntry]) -> Mapping[str, SlideEntry]:
        return {self.slide_id(entry.key): entry for entry in entries}

    @contextmanager
    def _open_store(self, project: Project) -> Iterator[Store]:
        folder = project.find_store()
        if folder is None or not (folder / STORE_NAME).is_file():
            yield self.nothing.store()
            return
        if not self._is_current:
            check_current(folder / STORE_NAME)
            self._is_current = True
        with open_store(project, is_dry_run=True) as store:
            yield store

    def _names(self, project: Project, entries: tuple[SlideEntry, ...]) -> SlideNames:
        """Return what slides are called, as before if nothing changed: 1,000 hidden ones take a tenth of a second."""
        is_hidden = project.settings.privacy.hash_names
        is_ours = is_hidden and not (project.data_folder / KEY_FILE).exists()
        of, known = (entries, is_hidden, is_ours), self._named
        if known is not None and known[0] == of:
            return known[1]
        names = project_names(project, entries, spare_key=self._own_key)
        self._named = (of, names)
        return names

    def _id_of(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()[:_ID_DIGITS]


def _known_entries(store: Store) -> tuple[SlideEntry, ...]:
    return tuple(SlideEntry(s.key, s.name, Path(s.name), Path(s.name)) for s in store.slides())
