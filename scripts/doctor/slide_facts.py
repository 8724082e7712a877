"""What the doctor finds out about one slide: the slide opened, its annotation file read, nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import AnnotationSet, Edits, FileUse, SlideEntry
from bridge.annotations.roles import Reconciliation, Role, reconcile
from bridge.annotations.unread import only_points
from bridge.coords import Pyramid
from bridge.errors import BridgeError, SlideNotFoundError
from bridge.files import no_file
from bridge.ingest import SlideReading, locate_slide, place_entry, revision_of, shifted
from bridge.slides import Slide, choose_mpp, open_slide
from bridge.store import Store
from scripts.config import Settings
from scripts.loop.pull import known_of
from scripts.project import Project

_MARKER = "doctor"  # of edits that are made and thrown away


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """What was found of one slide; a problem is one line, None where there is none.

    Parameters
    ----------
    has_file
        There is an annotation file.
    objects
        In it.
    slide_problem, damage, mpp_problem, blocker, file_problem, write_problem
        Why it isn't found or doesn't open; can't be read everywhere; has no mpp; mustn't be read now; isn't read;
        couldn't be written.
    no_file
        What lies where the annotation file should be; None where it is one, or nothing.
    is_lost
        The slide problem is that it isn't found.
    mpp_warnings
        One line each.
    unknown, used
        Classes that the scheme doesn't know, and those that it does, with objects of each.
    only_points
        Of the unknown ones those that only points and lines have.
    saved_at
        File → when it was saved, by its own time: of the slide and of its annotation file.
    """

    entry: SlideEntry
    slide_problem: str | None = None
    is_lost: bool = False
    damage: str | None = None
    mpp_problem: str | None = None
    mpp_warnings: tuple[str, ...] = ()
    has_file: bool = False
    blocker: str | None = None
    file_problem: str | None = None
    write_problem: str | None = None
    no_file: str | None = None
    objects: int = 0
    unknown: tuple[tuple[str, int], ...] = ()
    used: tuple[tuple[str, int], ...] = ()
    only_points: frozenset[str] = frozenset()
    saved_at: Mapping[Path, datetime] | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """An annotation file as it was read, or why it wasn't."""

    data: bytes | None = None
    found: AnnotationSet = field(default_factory=AnnotationSet)
    problem: str | None = None
    blocker: str | None = None
    no_file: str | None = None

    @property
    def is_read(self) -> bool:
        return self.problem is None and self.blocker is None and self.no_file is None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A slide as it was found."""

    path: Path
    entry: SlideEntry
    pyramid: Pyramid
    damage: str | None
    mpp_warnings: tuple[str, ...] = ()
    mpp_problem: str | None = None


def look_at_slide(project: Project, store: Store, entry: SlideEntry) -> tuple[SlideFacts, SlideReading | None]:
    """Return what is found of a slide, and the slide as it is read; None where it can't be."""
    file = _read(project, entry)
    facts = SlideFacts(
        entry,
        has_file=entry.annotation_path.is_file(),
        blocker=file.blocker,
        file_problem=file.problem,
        no_file=file.no_file,
        write_problem=_write_problem(project, entry, file),
        objects=len(file.found),
    )
    try:
        opened = _open(project.settings, entry, file.found)
    except BridgeError as error:
        facts = replace(facts, slide_problem=str(error), is_lost=isinstance(error, SlideNotFoundError))
        return _with_classes(facts, _reconciled(project, store, entry, file.found)), None
    found = replace(file.found, annotations=shifted(file.found.annotations, opened.entry.origin))
    reconciled = _reconciled(project, store, entry, found)
    facts = replace(
        facts,
        damage=opened.damage,
        mpp_problem=opened.mpp_problem,
        mpp_warnings=opened.mpp_warnings,
        saved_at=_saved_at(opened.path, entry.annotation_path),
    )
    return _with_classes(facts, reconciled), _reading(opened, file, found, reconciled)


def _reading(opened: _Opened, file: _File, found: AnnotationSet, reconciled: Reconciliation) -> SlideReading | None:
    if opened.mpp_problem is not None or not file.is_read:
        return None
    revision = None if file.data is None else revision_of(file.data)
    saved_at = _saved_at(opened.entry.annotation_path).get(opened.entry.annotation_path)
    return SlideReading(
        opened.entry, opened.path, opened.pyramid, file.data, revision, found, reconciled, saved_at=saved_at
    )


def _read(project: Project, entry: SlideEntry) -> _File:
    kind = _kind(entry.annotation_path)
    if kind is not None:
        return _File(no_file=f"{entry.annotation_path} is {kind}, not a file")
    blocker = project.source.blocker(entry)
    if blocker is not None or not entry.annotation_path.is_file():
        return _File(blocker=None if blocker is None else f"{entry.annotation_path}: {blocker}")
    try:
        data = entry.annotation_path.read_bytes()
        return _File(data, project.source.parse(data, entry))
    except (BridgeError, OSError) as error:
        return _File(problem=str(error))


def _kind(path: Path) -> str | None:
    try:
        return no_file(path)
    except OSError:  # told by who opens it
        return None


def _write_problem(project: Project, entry: SlideEntry, file: _File) -> str | None:
    """Make edits that change nothing of people's: a file that isn't reproduced byte for byte is refused there."""
    if file.data is None or entry.written_path is None:  # nothing is ever written to what is people's alone
        return None
    try:
        project.source.apply(file.data, Edits(file.found.write_marker or _MARKER), entry)
    except (BridgeError, OSError) as error:
        return str(error)
    return None


def _open(settings: Settings, entry: SlideEntry, found: AnnotationSet) -> _Opened:
    options = settings.slides
    path = locate_slide(entry, options)
    with open_slide(path) as slide:
        damage = damage_of(slide)
        placed, _ = place_entry(entry, slide, options)
        pyramid = slide.pyramid
    try:
        mpp, warnings = choose_mpp(
            path.name,
            per_slide=options.mpp_of.get(entry.name) or options.mpp_of.get(path.name),
            tool=entry.mpp,
            slide=pyramid.mpp,
            annotation_file=found.mpp,
            default=options.mpp,
        )
    except BridgeError as error:
        return _Opened(path, placed, pyramid, damage, mpp_problem=str(error))
    return _Opened(path, placed, replace(pyramid, mpp=mpp), damage, warnings)


def damage_of(slide: Slide) -> str | None:
    """Return why some part of a slide can't be read, by a look at the last pixel of each level: copies end early."""
    for level, (width, height) in enumerate(slide.pyramid.dimensions):
        try:
            slide.read_level(level, width - 1, height - 1, 1, 1)
        except BridgeError as error:
            return str(error)
    return None


def _reconciled(project: Project, store: Store, entry: SlideEntry, found: AnnotationSet) -> Reconciliation:
    known = known_of(store, entry)
    return reconcile(
        found,
        known.written,
        known.newest_marker,
        project.scheme,
        project.settings.labels,
        adopted=known.adopted,
        former=known.former,
        is_taken_over=entry.use is FileUse.GIVEN,
    )


def _with_classes(facts: SlideFacts, reconciled: Reconciliation) -> SlideFacts:
    drawn = (*reconciled.of(Role.ANNOTATION), *reconciled.of(Role.PATCH_LABEL))
    used = Counter(item.path_class for item in drawn if item.path_class is not None)
    unknown, points = tuple(reconciled.unknown.items()), only_points(reconciled)
    return replace(facts, unknown=unknown, used=tuple(used.items()), only_points=points)


def _saved_at(*paths: Path) -> Mapping[Path, datetime]:
    found = {}
    for path in paths:
        try:
            found[path] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, OverflowError, ValueError):  # not there; a time beyond any calendar
            continue
    return found
