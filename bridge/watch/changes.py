"""From a path that an event named to the slides whose annotations may have changed."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from bridge.annotations.source import SlideEntry
from bridge.slide_files import SLIDE_SUFFIXES

OUR_FOLDER = ".slidebridge"
_BESIDE_A_SAVE = ".bkp"  # QuPath moves the old file there while it saves
_AFTER_A_SAVE = "summary.json"  # QuPath writes it last
_LISTED_SUFFIXES = frozenset({*SLIDE_SUFFIXES, ".xml", ".geojson", ".gz", ""})  # "" is a folder


@dataclass(frozen=True, slots=True)
class Hinted:
    """What one path, or many, may mean.

    Parameters
    ----------
    keys
        Of slides whose annotations may have changed.
    is_list_changed
        There may be other slides than before: list them again.
    """

    keys: frozenset[str] = frozenset()
    is_list_changed: bool = False


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder to watch, with or without what lies deeper."""

    path: Path
    is_recursive: bool


@dataclass(frozen=True, slots=True)
class FileIndex:
    """The files of one source's slides, to tell which slide an event is about; made by ``index_files``.

    Attributes
    ----------
    watched
        What to watch: the source's folder by itself, and whole those of its folders that annotations lie in, and
        slides where no project file lists them. So ``.slidebridge/``, where we write a lot, is not watched, nor the
        thousands of tiles that may lie beside a slide.
    """

    root: str
    project_file: str | None
    own_prefix: str
    files: Mapping[str, frozenset[str]]
    folders: Mapping[str, frozenset[str]]
    slides: frozenset[str]
    watched: tuple[WatchedFolder, ...]

    def keys_of(self, path: Path) -> Hinted:
        """Say which slides an event's path may concern.

        The annotation file, what a tool keeps beside it while it saves, what it writes last, or a folder that any of
        these lies in: a folder stands for all in it, as ``Observers.drain`` has it. What we put there ourselves
        concerns none: ``.slidebridge/`` and our temporary files.
        """
        place = _normal(path)
        if _is_within(self.root, place):
            return Hinted(self.folders[self.root], is_list_changed=True)
        if self._is_ours(place):
            return Hinted()
        if place in self.files:
            return Hinted(self.files[place])
        if place in self.folders:
            return Hinted(self.folders[place], is_list_changed=self.project_file is None)
        return Hinted(is_list_changed=self._may_change_list(place))

    def hinted(self, paths: Iterable[Path]) -> Hinted:
        """Say which slides many paths may concern together."""
        found = [self.keys_of(path) for path in paths]
        keys = frozenset[str]().union(*(hint.keys for hint in found))
        return Hinted(keys, any(hint.is_list_changed for hint in found))

    def holds(self, path: Path) -> bool:
        """Say whether a path lies in this source's folder, or is it."""
        return _is_within(_normal(path), self.root)

    def _is_ours(self, place: str) -> bool:
        if not _is_within(place, self.root):
            return True
        parts = PurePath(place[len(self.root) :]).parts
        return OUR_FOLDER in parts or PurePath(place).name.startswith(self.own_prefix)

    def _may_change_list(self, place: str) -> bool:
        if self.project_file is not None:
            return place == self.project_file
        if place in self.slides or os.path.dirname(place) not in self.folders:  # noqa: PTH120
            return False
        name = PurePath(place)
        return not name.name.startswith((".", "~")) and name.suffix.lower() in _LISTED_SUFFIXES


def index_files(
    root: Path, entries: Iterable[SlideEntry], *, own_prefix: str, project_file: Path | None = None
) -> FileIndex:
    """Index the files of a source's slides.

    Parameters
    ----------
    root
        The source's folder.
    entries
        Its slides; their annotation files lie in the folder, however deep.
    own_prefix
        What the names of our own temporary files begin with.
    project_file
        The file that lists the slides (``project.qpproj``); None where the folder itself does.
    """
    home, listed = _normal(root), tuple(entries)
    files: dict[str, set[str]] = {}
    folders: dict[str, set[str]] = {home: set()}
    slides = set()
    for entry in listed:
        place, slide = _normal(entry.annotation_path), _normal(entry.slide_path)
        slides.add(slide)
        # Without a project file a slide's own folder says, too, what belongs to it: an annotation file may come there.
        around = () if project_file is not None else _folders_around(slide, home)
        for name in _names_of_a_save(place, has_summary=project_file is not None):
            files.setdefault(name, set()).add(entry.key)
        for folder in (*_folders_around(place, home), *around):
            folders.setdefault(folder, set()).add(entry.key)
    return FileIndex(
        root=home,
        project_file=None if project_file is None else _normal(project_file),
        own_prefix=own_prefix,
        files={name: frozenset(keys) for name, keys in files.items()},
        folders={name: frozenset(keys) for name, keys in folders.items()},
        slides=frozenset(slides),
        watched=_watched(root, _places(listed, has_project_file=project_file is not None)),
    )


def _places(entries: Iterable[SlideEntry], *, has_project_file: bool) -> Iterator[Path]:
    for entry in entries:
        yield entry.annotation_path
        if not has_project_file:
            yield entry.slide_path


def _names_of_a_save(place: str, *, has_summary: bool) -> Iterator[str]:
    yield place
    yield place + _BESIDE_A_SAVE
    if has_summary:
        yield os.path.join(os.path.dirname(place), _AFTER_A_SAVE)  # noqa: PTH118, PTH120 - there are thousands


def _folders_around(place: str, home: str) -> Iterator[str]:
    """Yield the folders that a file lies in, up to the source's."""
    folder, below = os.path.dirname(place), place  # noqa: PTH120
    while folder != below and _is_within(folder, home):
        yield folder
        folder, below = os.path.dirname(folder), folder  # noqa: PTH120


def _watched(root: Path, files: Iterable[Path]) -> tuple[WatchedFolder, ...]:
    home = Path(os.path.abspath(root))  # noqa: PTH100 - what links lead to is the system's affair
    start = os.path.join(home, "")  # noqa: PTH118
    places = (os.path.abspath(file) for file in files)  # noqa: PTH100
    inner = (place.removeprefix(start).partition(os.sep) for place in places if place.startswith(start))
    deep = sorted({name for name, sep, _ in inner if sep})
    return (WatchedFolder(home, is_recursive=False), *(WatchedFolder(home / name, is_recursive=True) for name in deep))


def _normal(path: Path) -> str:
    """Return a path as it is compared: absolute, case as the system has it, accents in one way (macOS has two)."""
    return unicodedata.normalize("NFC", os.path.normcase(os.path.abspath(path)))  # noqa: PTH100


def _is_within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip(os.sep) + os.sep)
