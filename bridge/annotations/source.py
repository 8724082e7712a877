"""The contract between the loop and a place where annotations live.

A *source* turns bytes into annotations and back; it never writes to disk itself. ``bridge.export`` does the writing, in
one way for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from shapely.geometry.base import BaseGeometry

from bridge.annotations.objects import AnnotationSet, Rgb


class FileUse(Enum):
    """Whose an annotation file is."""

    SHARED = "shared"  # a person's and ours: what people draw in it teaches, and we write our objects into it
    GIVEN = "given"  # a person's alone: it teaches, and nothing is ever written to it
    OFFERED = "offered"  # ours, for a person to correct: it teaches nothing as long as it lies where we write it


@dataclass(frozen=True, slots=True)
class SlideEntry:
    """One slide of a source.

    Parameters
    ----------
    key
        Names the slide within its project, stable over time: QuPath's entry id, else the slide's file name.
    name
        What a person calls it.
    slide_path
        Where the slide should be; it may not be there (``bridge.ingest`` relocates).
    annotation_path
        The file that the tool saves; it may not exist yet.
    mpp
        (x, y) µm per level-0 pixel that the tool was given (QuPath's calibration); None if it has none.
    origin
        Level-0 offset of the tool's (0, 0) on the slide as OpenSlide opens it; not (0, 0) where QuPath shows a part.
    crops_to_bounds
        The tool shows the slide from its ``openslide.bounds-x`` and ``-y`` on, where it has them: to be added to
        ``origin`` by whoever opens the slide.
    tool_size
        (width, height) of level 0 as the tool has it, before any crop that ``origin`` states; None if it doesn't say.
    is_placed
        Somebody opened the slide: ``origin`` is whole, nothing is to be added to it (``bridge.ingest.place_entry``).
    metadata
        Free key–value pairs of the entry (group, grade, patient …).
    use
        Whose the annotation file is.
    part
        ``"train"`` or ``"hold-out"`` where the source itself says which of them the slide is for; None where it
        doesn't, and a slide's part is decided by its hash.
    """

    key: str
    name: str
    slide_path: Path
    annotation_path: Path
    mpp: tuple[float, float] | None = None
    origin: tuple[int, int] = (0, 0)
    crops_to_bounds: bool = False
    tool_size: tuple[int, int] | None = None
    is_placed: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    use: FileUse = FileUse.SHARED
    part: str | None = None

    @property
    def written_path(self) -> Path | None:
        """The file that our objects go into; None where nothing may be written for the slide."""
        return None if self.use is FileUse.GIVEN else self.annotation_path


CHECKPOINT_KEY = "slidebridge.checkpoint"
"""Beside each object of ours in a file, whatever its format: the id of the model that made it."""


class MachineRole(Enum):
    """What the machine writes."""

    PREDICTION = "prediction"
    PROPOSAL = "proposal"


@dataclass(frozen=True, slots=True)
class MachineObject:
    """One object that the machine writes.

    Parameters
    ----------
    object_id
        A UUID, made by the caller.
    role
        Prediction or proposal.
    path_class
        ``"Tumor: Predicted"`` or ``"Proposed"``.
    geometry
        Level-0 pixels, valid; a rectangle for proposals.
    color
        Of the class; every format gets one.
    name
        QuPath's name, ImageScope's Text: for a proposal rank and reason.
    is_editable
        False: a QuPath detection instead of an annotation (ImageScope: written just the same).
    probability
        Mean probability of the class over the object, where known.
    checkpoint
        Id of the model that made it, kept with the object in the file; None before the first model.
    """

    object_id: str
    role: MachineRole
    path_class: str
    geometry: BaseGeometry
    color: Rgb
    name: str | None = None
    is_editable: bool = True
    probability: float | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Edits:
    """What one write changes in a file; everything else goes out as it came in.

    Parameters
    ----------
    write_marker
        Names this write; left in the file so that the next save tells whether its author had seen it.
    delete
        ``object_id`` of our own unchanged objects.
    promote
        ``object_id`` → plain class (and its colour) of predictions that a person accepted or corrected: the class
        changes, our marker goes, the identity stays.
    add
        New objects, after everything else.
    """

    write_marker: str
    delete: frozenset[str] = frozenset()
    promote: Mapping[str, tuple[str, Rgb]] = field(default_factory=dict)
    add: tuple[MachineObject, ...] = ()


class Source(Protocol):
    """A place where slides and their annotations live. Implementations are frozen and hold paths only."""

    @property
    def root(self) -> Path:
        """The folder that ``.slidebridge/`` lies in."""
        ...

    def slides(self) -> tuple[SlideEntry, ...]:
        """List the slides.

        Raises
        ------
        AnnotationFileError
            The project file is not one.
        """
        ...

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        """Read the bytes of an annotation file, level-0 pixels of the slide as the tool shows it.

        Raises
        ------
        AnnotationFileError
            Cut, of an unknown version, or not of this tool.
        """
        ...

    def create(self, entry: SlideEntry) -> bytes:
        """Return the bytes of a first annotation file for a slide that has none: valid, without objects."""
        ...

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        """Return the file with the edits made and nothing else changed.

        Raises
        ------
        AnnotationFileError
            The input is not reproduced byte for byte, or names no such object.
        """
        ...

    def blocker(self, entry: SlideEntry) -> str | None:
        """Say why the file must not be read as truth or written now (a save in progress), or None.

        Looks at the file's ends and at what lies beside it; never parses it whole. The text is a clause about "it",
        without the file's name: who reports it says which file. None as well where there is no file yet.
        """
        ...

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return a whole earlier version that a failed save left beside a cut file (QuPath's ``.bkp``), or None."""
        ...

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return files to be replaced after the annotation file was (QuPath's ``summary.json``); often none."""
        ...
