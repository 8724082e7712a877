"""From a settled file to a reconciled slide: the reading half of the loop.

Composes the adapters: finds the slide, waits until a save is over, parses, decides the resolution, and gives every
object its role. Reads only; nothing here writes to a file or to the store.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TypeVar

import shapely
from shapely import affinity

from bridge.annotations import Annotation, AnnotationSet, ClassScheme, LabelOptions, MachineObject, SlideEntry, Source
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Reconciliation, Role, reconcile
from bridge.coords import Pyramid, Region
from bridge.errors import AnnotationFileError, SlideNotFoundError, UnknownPathClassError
from bridge.slides import choose_mpp, open_slide
from bridge.watch import FileState, SettleOptions, is_settled, observe

logger = logging.getLogger(__name__)
_LOOKS = 30  # looks at a file that never comes to rest before we say so


@dataclass(frozen=True, slots=True)
class SlideOptions:
    """Where slides are and what they lack (``[slides]``)."""

    mpp: float | None = None  # µm per level-0 pixel for slides that don't say; None: such a slide is an error
    mpp_of: Mapping[str, float] = field(default_factory=dict)  # slide name → mpp, over everything else
    search: tuple[
        Path, ...
    ] = ()  # folders to look in, by file name, for slides that moved; relative to the settings file
    relocate: Mapping[str, str] = field(default_factory=dict)  # old prefix → new prefix of slide addresses


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a slide's file, handed in by the caller."""

    written: tuple[WrittenObject, ...] = ()
    newest_marker: str | None = None
    adopted: tuple[WrittenObject, ...] = ()
    former: tuple[WrittenObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SlideReading:
    """One slide and its annotations, as read at one moment.

    Parameters
    ----------
    slide_path
        Where the slide was found.
    pyramid
        Of the slide; ``mpp`` is the one decided on (never None).
    data, revision
        Bytes of the annotation file and their SHA-256; None when there is no file yet.
    found
        Objects in level-0 pixels of the slide.
    warnings
        One line each, for people.
    """

    entry: SlideEntry
    slide_path: Path
    pyramid: Pyramid
    data: bytes | None
    revision: str | None
    found: AnnotationSet
    reconciled: Reconciliation
    warnings: tuple[str, ...] = ()

    @property
    def mpp(self) -> tuple[float, float]:
        """(x, y) µm per level-0 pixel."""
        assert self.pyramid.mpp is not None, "read_slide decides the mpp"
        return self.pyramid.mpp

    @property
    def human_count(self) -> int:
        """Objects that a person drew or made theirs."""
        return sum(o.role not in (Role.PREDICTION, Role.PROPOSAL) for o in self.reconciled.objects)


def revision_of(data: bytes) -> str:
    """Return the name of a revision: the SHA-256 of the bytes."""
    return hashlib.sha256(data).hexdigest()


def read_settled(
    source: Source,
    entry: SlideEntry,
    options: SettleOptions,
    *,
    known_revision: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bytes | None:
    """Read an annotation file once no save is in progress.

    A file whose bytes are those of ``known_revision`` was believed before and isn't waited for.

    Returns
    -------
    bytes or None
        None when there is no file yet.

    Raises
    ------
    AnnotationFileError
        The file doesn't come to rest, or a save in it was cut.
    """
    path = entry.annotation_path
    before, since = observe(path), clock()
    for _ in range(_LOOKS):
        if before is None:
            return None
        blocker = source.blocker(entry)
        data = None if blocker else _read_whole(path, before)
        if data is not None and known_revision is not None and revision_of(data) == known_revision:
            return data
        now = observe(path)
        if data is not None and is_settled(
            before, now, quiet_seconds=clock() - since, settle_seconds=options.settle_seconds
        ):
            return data
        if now != before:
            before, since = now, clock()
        sleep(max(options.settle_seconds / 4, 0.01))
    raise AnnotationFileError(blocker or "is still being written; run again when it was saved", path=path)


def _read_whole(path: Path, expected: FileState) -> bytes | None:
    """Return the bytes, or None when the file changed while it was read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return data if observe(path) == expected and len(data) == expected.size else None


def locate_slide(entry: SlideEntry, options: SlideOptions) -> Path:
    """Find the slide where the project says, by relocation rules, or by name in the search folders.

    Raises
    ------
    SlideNotFoundError
        It is in none of them.
    """
    said = entry.slide_path
    if said.is_file():
        return said
    text = said.as_posix()
    for old, new in options.relocate.items():
        prefix = PurePath(old).as_posix().rstrip("/") + "/"
        moved = Path(new) / text.removeprefix(prefix)
        if text.startswith(prefix) and moved.is_file():
            return moved
    for base in options.search:
        found = next(
            (p for p in (base / said.name, *sorted(base.glob(f"*/{_glob_safe(said.name)}"))) if p.is_file()), None
        )
        if found is not None:
            return found
    raise SlideNotFoundError(
        f"slide {entry.name} is not at {said}; add its folder to [slides] search, or a prefix to [slides.relocate]"
    )


def _glob_safe(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def read_slide(
    source: Source,
    entry: SlideEntry,
    known: Known,
    scheme: ClassScheme,
    labels: LabelOptions,
    slides: SlideOptions,
    data: bytes | None,
) -> SlideReading:
    """Parse an annotation file and reconcile it with what we wrote.

    Parameters
    ----------
    data
        From ``read_settled``; None when there is no file yet.

    Raises
    ------
    AnnotationFileError, SlideError
        The file or the slide can't be read, or nobody knows the slide's mpp.
    UnknownPathClassError
        ``labels.strict`` and an object of a class that the scheme doesn't know.
    """
    slide_path = locate_slide(entry, slides)
    try:
        found = source.parse(data, entry) if data is not None else AnnotationSet()
    except AnnotationFileError as error:
        raise (error if error.path else error.at(entry.annotation_path)) from error
    with open_slide(slide_path) as slide:
        pyramid = slide.pyramid
    mpp, warnings = choose_mpp(
        slide_path.name,
        per_slide=slides.mpp_of.get(entry.name) or slides.mpp_of.get(slide_path.name),
        tool=entry.mpp,
        slide=pyramid.mpp,
        annotation_file=found.mpp,
        default=slides.mpp,
    )
    found = replace(found, annotations=shifted(found.annotations, entry.origin))
    found, off_slide = _counted(found, pyramid.bounds)
    if off_slide:
        warnings = (*warnings, f"{entry.name}: {off_slide} objects lie off the slide and teach nothing")
    reconciled = reconcile(
        found, known.written, known.newest_marker, scheme, labels, adopted=known.adopted, former=known.former
    )
    if labels.strict and reconciled.unknown:
        raise UnknownPathClassError(next(iter(reconciled.unknown)), scheme.names)
    return SlideReading(
        entry,
        slide_path,
        replace(pyramid, mpp=mpp),
        data,
        revision_of(data) if data is not None else None,
        found,
        reconciled,
        (*warnings, *_unknown_lines(entry, reconciled)),
    )


def _unknown_lines(entry: SlideEntry, reconciled: Reconciliation) -> list[str]:
    return [
        f"{entry.name}: {count} objects of class {name!r} kept as other; add it to [classes.colors] or [classes.map]"
        for name, count in sorted(reconciled.unknown.items())
    ]


T = TypeVar("T", Annotation, WrittenObject, MachineObject)


def shifted(objects: Sequence[T], offset: tuple[int, int]) -> tuple[T, ...]:
    """Return the objects moved by (x, y) level-0 pixels: between a tool's frame and the slide's."""
    if offset == (0, 0):
        return tuple(objects)
    return tuple(replace(o, geometry=affinity.translate(o.geometry, *offset)) for o in objects)


def _counted(found: AnnotationSet, extent: Region) -> tuple[AnnotationSet, int]:
    shapes = [a.geometry for a in found.annotations if not a.geometry.is_empty]
    off = int((~shapely.intersects(shapely.envelope(shapes), extent.to_polygon())).sum()) if shapes else 0
    return replace(found, counts=replace(found.counts, off_slide=off)), off


def known_classes(sets: Sequence[AnnotationSet]) -> Mapping[str, Annotation]:
    """Return the class names in some files, each with a first object of it: what ``new`` makes a scheme from."""
    classes: dict[str, Annotation] = {}
    for found in sets:
        for annotation in found.annotations:
            if annotation.path_class is not None:
                classes.setdefault(annotation.path_class, annotation)
    return classes
