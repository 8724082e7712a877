"""From a settled file to a reconciled slide: the reading half of the loop.

Composes the adapters: finds the slide, parses, decides the resolution, and gives every object its role. Reads only;
nothing here writes to a file or to the store.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

import shapely
from shapely import affinity

from bridge.annotations import (
    Annotation,
    AnnotationSet,
    ClassScheme,
    FileUse,
    LabelOptions,
    MachineObject,
    SlideEntry,
    Source,
)
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Reconciliation, Role, reconcile
from bridge.annotations.unread import unread_lines
from bridge.coords import Pyramid, Region
from bridge.errors import AnnotationFileError, SlideError, SlideNotFoundError, UnknownPathClassError
from bridge.qupath.slide_uri import path_of_uri
from bridge.slides import SearchRules, Slide, choose_mpp, find_slide, open_slide, stated_bounds, tool_corner

logger = logging.getLogger(__name__)
_WITH_BOUNDS = frozenset({".mrxs", ".scn", ".czi", ".bif"})  # formats for which OpenSlide states a scanned part


@dataclass(frozen=True, slots=True)
class SlideOptions:
    """Where slides are and what they lack (``[slides]``)."""

    mpp: float | None = None  # µm per level-0 pixel for slides that don't say; None: such a slide is an error
    mpp_of: Mapping[str, float] = field(default_factory=dict)  # slide name → mpp, over everything else
    search: tuple[
        Path, ...
    ] = ()  # folders to look in, by file name, for slides that moved; relative to the settings file
    search_depth: int = 3  # how many folders deep to look below each of them
    relocate: Mapping[str, str] = field(default_factory=dict)  # old prefix → new prefix of slide addresses
    # slide name → where its annotations' (0, 0) lies on it, level-0 (x, y), or at its scanned part's corner
    offset_of: Mapping[str, tuple[int, int] | Literal["bounds"]] = field(default_factory=dict)


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
    is_held
        A save failed and ``data`` is what could be read all the same: nothing may be written until it is saved again.
    saved_at
        When the file says that it was saved; None where it doesn't.
    """

    entry: SlideEntry
    slide_path: Path
    pyramid: Pyramid
    data: bytes | None
    revision: str | None
    found: AnnotationSet
    reconciled: Reconciliation
    warnings: tuple[str, ...] = ()
    is_held: bool = False
    saved_at: datetime | None = None

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


def locate_slide(entry: SlideEntry, options: SlideOptions) -> Path:
    """Find the slide where the project says, by relocation rules, or by name in the search folders.

    Raises
    ------
    SlideNotFoundError
        It is in none of them, on an image server, or several files could be it.
    """
    relocate = {path_of_uri(old): path_of_uri(new) for old, new in options.relocate.items()}
    try:
        found = find_slide(str(entry.slide_path), SearchRules(options.search, options.search_depth, relocate))
    except SlideNotFoundError as error:
        raise SlideNotFoundError(f"slide {entry.name}: {error}") from error
    if found is not None:
        return found
    raise SlideNotFoundError(
        f"slide {entry.name} is not at {entry.slide_path}; add its folder to [slides] search, or a prefix to"
        " [slides.relocate]"
    )


def place_entry(entry: SlideEntry, slide: Slide, options: SlideOptions) -> tuple[SlideEntry, tuple[str, ...]]:
    """Return the entry with its whole ``origin``, and what is to be said of it: whoever opens a slide calls this.

    To the crop that the project states come the offset in ``[slides] offset_of``, or else the scanned part's corner
    where QuPath begins there. An entry that was placed comes back as it is.

    Raises
    ------
    SlideError
        QuPath's size of the image fits neither the slide nor its scanned part.
    """
    if entry.is_placed:
        return entry, ()
    given = options.offset_of.get(entry.name, options.offset_of.get(slide.path.name))
    part = stated_bounds(slide.properties)
    warnings: tuple[str, ...] = ()
    if given is not None:
        x, y = given if given != "bounds" else (part.x, part.y) if part is not None else (0, 0)
        if (x, y) != (0, 0):
            warnings = (f"{entry.name}: annotations are moved by ({x}, {y}) pixels, as [slides] offset_of says",)
    else:
        x, y = tool_corner(slide, crops_to_bounds=entry.crops_to_bounds, tool_size=entry.tool_size)
        if part is not None and (part.x, part.y) != (0, 0) and entry.tool_size is None and not entry.crops_to_bounds:
            warnings = (
                f"{entry.name}: the scanned part begins at ({part.x}, {part.y}), where QuPath counts from; the"
                " annotation file doesn't say where it does, (0, 0) is taken: set [slides] offset_of to [0, 0] or"
                ' to "bounds"',
            )
    origin = (entry.origin[0] + x, entry.origin[1] + y)
    return replace(entry, origin=origin, is_placed=True), warnings


def place_if_found(entry: SlideEntry, options: SlideOptions) -> tuple[SlideEntry, tuple[str, ...]]:
    """Return the entry placed on its slide (``place_entry``), for work that needs no pixels of it.

    Where the slide can't be found or opened, the entry comes back as it is, with a line if its format is one that
    states a scanned part: QuPath's (0, 0) may lie inside the slide then.

    Raises
    ------
    SlideError
        The slide is there, and QuPath's size of the image fits neither it nor its scanned part.
    """
    try:
        path = locate_slide(entry, options)
        slide = open_slide(path)
    except SlideError as error:
        logger.info("not placed slide=%s error=%s", entry.name, error)
        may_begin_inside = entry.crops_to_bounds and entry.slide_path.suffix.lower() in _WITH_BOUNDS
        line = f"{entry.name}: QuPath may count from inside the slide, which can't be told without it ({error})"
        return entry, (line,) if may_begin_inside else ()
    with slide:
        return place_entry(entry, slide, options)


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
        From ``bridge.watch.read_settled``; None when there is no file yet.

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
        entry, placing = place_entry(entry, slide, slides)
    mpp, warnings = choose_mpp(
        slide_path.name,
        per_slide=slides.mpp_of.get(entry.name) or slides.mpp_of.get(slide_path.name),
        tool=entry.mpp,
        slide=pyramid.mpp,
        annotation_file=found.mpp,
        default=slides.mpp,
    )
    warnings = (*placing, *warnings)
    found = replace(found, annotations=shifted(found.annotations, entry.origin))
    found, off_slide = _counted(found, pyramid.bounds)
    if off_slide:
        lie = "object lies off the slide and teaches" if off_slide == 1 else "objects lie off the slide and teach"
        warnings = (*warnings, f"{entry.name}: {off_slide} {lie} nothing")
    reconciled = reconcile(
        found,
        known.written,
        known.newest_marker,
        scheme,
        labels,
        adopted=known.adopted,
        former=known.former,
        is_taken_over=entry.use is FileUse.GIVEN,
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
        (*warnings, *(f"{entry.name}: {line}" for line in unread_lines(reconciled, scheme, labels))),
    )


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
