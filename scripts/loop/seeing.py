"""Looking at a project: files that are as a pass found them are told from the store, all others are read.

For looking only: what has the size and the time that it had is taken for the same. Whatever learns or writes reads and
hashes every file (``scripts.loop.pull``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bridge.annotations import SlideEntry
from bridge.annotations.labels import WHOLE_SLIDE, area_key
from bridge.errors import SlideError
from bridge.ingest import locate_slide
from bridge.store import Backups, SeenRecord, Store
from bridge.store.split_records import Split
from bridge.watch import FileState, observe
from scripts.loop.planning import OtherSlide, is_decided
from scripts.loop.pull import Pulled, SlideProblem, SlideState, pull, saved_at
from scripts.loop.slide_facts import SlideFacts
from scripts.project import Project
from scripts.version import program_version

_SECTIONS = ("source", "labels", "classes", "slides", "holdout", "model")  # what is said of a file depends on them


@dataclass(frozen=True, slots=True)
class Seen:
    """A project as it is now.

    Parameters
    ----------
    slides
        Key → what is told of it, in the order of the project.
    read
        What was read for it: of the other slides the store knew.
    """

    slides: Mapping[str, SlideFacts]
    read: Pulled

    @property
    def problems(self) -> tuple[SlideProblem, ...]:
        """Slides that couldn't be read."""
        return self.read.problems


def see(project: Project, store: Store, now: datetime, *, is_read: bool = False) -> Seen:
    """Look at every slide; nothing is recorded.

    Parameters
    ----------
    is_read
        Read every file.

    Raises
    ------
    BridgeError
        The project's source can't be read.
    """
    entries = project.source.slides()
    kept = {} if is_read else _kept(project, store, entries)
    read = partial(pull, project, store, Backups(project.data_folder / "backups"), now, is_dry_run=True)
    others = {e.key: OtherSlide(e, kept[e.key].is_labelled) for e in entries if e.key in kept}
    pulled = read(unread=others)
    labelled = [state.reading.entry for state in pulled.slides if not state.plan.is_empty]
    if kept and not is_decided(store, project.settings.holdout, list(others.values()), labelled):
        kept, pulled = {}, read()
    model, kind = project.settings.model, project.settings.source.kind
    found = kept | {state.key: SlideFacts.of(state, model, kind) for state in pulled.slides}
    return Seen({entry.key: found[entry.key] for entry in entries if entry.key in found}, pulled)


def remember(project: Project, store: Store, pulled: Pulled, now: datetime) -> None:
    """Keep what a pass found of slides, for the next look at them; to be called when it has recorded all else.

    Slides of which something was recorded since, or which hold objects of ours, are read again: what was recorded may
    show in them. Nothing is kept of slides that can't be read or believed.
    """
    entries, split = project.source.slides(), store.split()
    kept = _kept(project, store, entries)
    left_out = {problem.entry.key for problem in pulled.problems} | {s.key for s in pulled.slides if s.is_suspicious}
    ours = store.newest_markers().keys() | {record.slide_key for record in store.open_deliveries()}
    plain = {state.key: state for state in pulled.slides if state.key not in ours and state.key not in kept}
    found = _records(project, {e.key: e for e in entries}, plain.values(), split)
    done = kept.keys() | {record.slide_key for record in found} | left_out
    others = {e.key: OtherSlide(e, e.key in kept and kept[e.key].is_labelled) for e in entries if e.key in done}
    if len(others) < len(entries):
        again = pull(project, store, Backups(project.data_folder / "backups"), now, is_dry_run=True, unread=others)
        found += _records(project, {e.key: e for e in entries}, again.slides, split)
    store.record_seen(found)
    store.keep_seen([entry.key for entry in entries])


def _kept(project: Project, store: Store, entries: Sequence[SlideEntry]) -> dict[str, SlideFacts]:
    """Return what is known of the slides of which nothing differs."""
    seen, said = store.seen(), _said(project)
    offered = {record.slide_key for record in store.open_deliveries()}
    known = ((entry, seen[entry.key]) for entry in entries if entry.key in seen and entry.key not in offered)
    same = (pair for pair in known if _is_as_seen(project, said, *pair))
    return {entry.key: SlideFacts.from_json(record.facts) for entry, record in same}


def _is_as_seen(project: Project, said: str, entry: SlideEntry, record: SeenRecord) -> bool:
    try:
        return (
            record.basis == _basis(said, entry)
            and observe(entry.annotation_path) == _file_of(record)
            and project.source.blocker(entry) is None
            and str(path := locate_slide(entry, project.settings.slides)) == record.slide_path
            and observe(path) == FileState(record.slide_size, record.slide_modified)
        )
    except (OSError, SlideError):  # whoever reads the slide says so
        return False


def _records(
    project: Project, entries: Mapping[str, SlideEntry], states: Iterable[SlideState], split: Split
) -> list[SeenRecord]:
    """Return what to keep of slides that were read."""
    said, model, kind = _said(project), project.settings.model, project.settings.source.kind
    found = []
    for state in states:
        if state.is_suspicious or state.reading.is_held or not _is_decided(state, split):
            continue
        files = _files(state)
        if files is not None and state.key in entries:
            basis, facts = _basis(said, entries[state.key]), SlideFacts.of(state, model, kind).as_json()
            found.append(_record(state, basis, *files, facts))
    return found


def _record(
    state: SlideState, basis: str, file: FileState | None, slide: FileState, facts: Mapping[str, object]
) -> SeenRecord:
    size, modified = (None, None) if file is None else (file.size, file.modified)
    path, revision = str(state.reading.slide_path), state.reading.revision
    return SeenRecord(state.key, basis, size, modified, revision, path, slide.size, slide.modified, facts)


def _is_decided(state: SlideState, split: Split) -> bool:
    """Say whether each area of a slide trains or judges for good."""
    parts = split.parts_of(state.key)
    return state.plan.is_empty or WHOLE_SLIDE in parts or all(area_key(area) in parts for area in state.plan.complete)


def _files(state: SlideState) -> tuple[FileState | None, FileState] | None:
    """Return how annotation file and slide look; None where they may not be what was read any more."""
    reading = state.reading
    try:
        file, slide = observe(reading.entry.annotation_path), observe(reading.slide_path)
    except OSError:
        return None
    size = None if reading.data is None else len(reading.data)
    if slide is None or (None if file is None else file.size) != size:
        return None
    is_same = file is None or saved_at(file.modified) == reading.saved_at
    return (file, slide) if is_same else None


def _file_of(record: SeenRecord) -> FileState | None:
    if record.file_size is None or record.file_modified is None:
        return None
    return FileState(record.file_size, record.file_modified)


def _said(project: Project) -> str:
    """Return all of the settings that what is told of a file depends on, and which SlideBridge read it."""
    said = [f"{name}={value!r}" for name, value, _ in project.loaded.rows() if name.partition(".")[0] in _SECTIONS]
    return "\n".join([program_version(), *said])


def _basis(said: str, entry: SlideEntry) -> str:
    return hashlib.sha256(f"{said}\n{entry!r}".encode()).hexdigest()
