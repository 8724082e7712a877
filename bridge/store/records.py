"""What the store hands out: plain frozen values, never rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # NumPy and shapely come with them
    from bridge.annotations.roles import Fate
    from bridge.annotations.source import MachineRole


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """One slide of the project.

    Parameters
    ----------
    viewed_at
        When a person last had it on the screen, as far as known.
    predicted_with
        Id of the checkpoint whose predictions were last made for it.
    suspicious_revision
        The save that isn't believed; None when the last one read was.
    """

    key: str
    name: str
    viewed_at: datetime | None = None
    predicted_with: str | None = None
    suspicious_revision: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One revision of a slide's annotation file as it was read and believed.

    Parameters
    ----------
    revision
        SHA-256 of the bytes.
    first_read_at, read_at
        First and last reading in a row.
    human_count
        Objects that a person drew or made theirs.
    labelled_area_um2
        Labelled area in µm²; None where it wasn't computed.
    saved_at
        When the file was saved, by its own time; None where that can't be believed: ``first_read_at`` then stands for
        it.
    """

    slide_key: str
    revision: str
    first_read_at: datetime
    read_at: datetime
    human_count: int
    labelled_area_um2: float | None = None
    saved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SaveRecord:
    """One save of a person's, and what it brought.

    Parameters
    ----------
    at
        When it was saved; when it was first read, where the file's own time isn't believed.
    fates
        (iteration whose predictions or boxes they were, fate) → objects of ours that have it since this save. An object
        counts once, with its latest fate.
    added
        Iteration whose predictions the person saw → objects drawn by hand.
    """

    slide_key: str
    revision: str
    at: datetime
    fates: Mapping[tuple[int, Fate], int] = field(default_factory=dict)
    added: Mapping[int, int] = field(default_factory=dict)


class WriteState(Enum):
    """How far a write came."""

    BEGUN = "begun"  # journalled; the file may be the old or the new one
    FINISHED = "finished"  # the new file was put in place whole
    ABANDONED = "abandoned"  # nothing of it counts


class WriteKind(Enum):
    """What a write puts in place."""

    EDITS = "edits"  # the file as it was, with our edits
    RESTORE = "restore"  # an earlier version, byte for byte, at a person's word
    DELIVERY = "delivery"  # no file: edits for an open viewer, which count from the save on that carries their marker


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write of ours to a file of people's: the journal.

    Parameters
    ----------
    marker
        Names the write, here and in the file.
    base_revision
        SHA-256 of the file as it was read; None when there was none.
    new_revision
        SHA-256 of what we write.
    target
        The annotation file.
    temp_name
        Name, in the target's folder, of the new file before the exchange and of the displaced one after it.
    iteration
        The training whose predictions are written.
    displaced_since
        When the file called ``temp_name`` was last at the target's name; None when there is no such file (any more).
    why
        What ended the write otherwise than planned.
    kind
        A delivery has neither file nor temporary file: it is begun when a viewer is offered it, and finished when a
        save shows it.
    """

    marker: str
    slide_key: str
    base_revision: str | None
    new_revision: str
    target: Path
    temp_name: str
    iteration: int
    begun_at: datetime
    state: WriteState = WriteState.BEGUN
    displaced_since: datetime | None = None
    why: str | None = None
    kind: WriteKind = WriteKind.EDITS

    @property
    def temp(self) -> Path:
        """The file called ``temp_name``."""
        return self.target.with_name(self.temp_name)


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version of a slide's annotation file that the backups keep.

    Parameters
    ----------
    revision
        SHA-256 of its bytes.
    kept_at, seen_at
        When it was first kept, and when it was last the slide's file.
    size
        Bytes.
    human_keys
        Of the objects in it that a person drew or made theirs (``bridge.annotations.fingerprints``); None where nobody
        has looked into it.
    is_ours
        A write of ours made it; a person's save otherwise.
    """

    slide_key: str
    revision: str
    kept_at: datetime
    seen_at: datetime
    size: int
    human_keys: bytes | None = None
    is_ours: bool = False


class RunState(Enum):
    """How far a training came."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One training.

    Parameters
    ----------
    iteration
        From 1; a failed run gives its number back to the next one.
    kind
        What set it off: incremental, nightly …
    parent
        Checkpoint it began from; None for none.
    data_hash
        Of the label plans it learned from.
    reason
        Why its candidate was promoted or not, or why it failed.
    """

    iteration: int
    kind: str
    parent: str | None
    data_hash: str
    started_at: datetime
    state: RunState = RunState.RUNNING
    ended_at: datetime | None = None
    checkpoint_id: str | None = None
    promoted: bool = False
    reason: str | None = None
    metrics: Mapping[str, object] = field(default_factory=dict)


class JobKind(Enum):
    """What the daemon does, one step of the loop each."""

    READ = "read"  # a slide's settled file: what became of ours, and its label plan
    TRAIN = "train"  # on what is newly labelled, from the champion on
    NIGHTLY = "nightly"  # on everything, from the transfer weights on
    PREDICT = "predict"  # a slide with the champion; kept beside the store
    WRITE = "write"  # predictions and proposals into a slide's file


class JobState(Enum):
    """How far a job came."""

    WAITING = "waiting"  # to be done, now or from its ``not_before`` on; after a failure too
    RUNNING = "running"
    DONE = "done"
    SUPERSEDED = "superseded"  # a newer input took its place


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job of the daemon's.

    Parameters
    ----------
    slide_key
        Of the slide that it is about; None for a training.
    input_hash
        Names everything that it works on: the same job of the same input is never done twice.
    attempts
        How often it was begun.
    not_before
        When it may be begun (again).
    note
        What came of it, one line for people.
    error
        Why the last attempt failed; None after one that didn't.
    """

    id: int
    kind: JobKind
    slide_key: str | None
    input_hash: str
    state: JobState
    attempts: int
    created_at: datetime
    not_before: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    note: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LookRecord:
    """How unlike its training slides a model found a slide.

    Parameters
    ----------
    checkpoint_id
        The model.
    distance
        In standard deviations of its training tiles.
    is_far
        Predictions there deserve a warning.
    """

    slide_key: str
    checkpoint_id: str
    distance: float
    is_far: bool
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class CostRecord:
    """What the last prediction of a slide by one model cost.

    Parameters
    ----------
    wall_seconds
        From beginning to end.
    read_seconds, network_seconds, stitch_seconds, vectorize_seconds
        How long each stage was at work; they overlap. Reading is that of all its threads together, and all stages are
        those of all workers together where several share a slide.
    waited_seconds
        How long the network stood idle for want of pixels.
    tissue_um2
        µm² of the cells in which there is tissue.
    runs_on
        What ran the network: ``"onnxruntime on cpu"``.
    """

    slide_key: str
    checkpoint_id: str
    predicted_at: datetime
    wall_seconds: float
    read_seconds: float
    network_seconds: float
    stitch_seconds: float
    vectorize_seconds: float
    waited_seconds: float
    tiles: int
    tissue_um2: float
    runs_on: str


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """What the last reading of a slide found.

    Parameters
    ----------
    basis
        A digest of all else that the facts depend on: settings, the slide's place in its project.
    file_size, file_modified
        Of the annotation file: bytes, and seconds since the epoch as the file says; None for no file.
    revision
        SHA-256 of what was read; None for no file.
    slide_path, slide_size, slide_modified
        The slide that was opened, and the same of it.
    facts
        JSON.
    """

    slide_key: str
    basis: str
    file_size: int | None
    file_modified: float | None
    revision: str | None
    slide_path: str
    slide_size: int
    slide_modified: float
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ObjectOrigin:
    """Who made an object of ours, and when.

    Parameters
    ----------
    checkpoint_id
        The model; None before the first, or where a SlideBridge wrote it that kept no such record.
    iteration
        The training of the model; 0 before the first.
    write_marker, written_at
        The write that put it into the file.
    """

    object_id: str
    slide_key: str
    role: MachineRole
    path_class: str
    fate: Fate
    checkpoint_id: str | None
    iteration: int
    write_marker: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class PrequentialRecord:
    """How well a training's predictions had foreseen what a person then labelled in one area.

    Parameters
    ----------
    area_key
        Of the ROI, as in the label plan; each is scored once, when it is first seen.
    iteration
        The training whose predictions the person had before them.
    classes
        Class names, background first, in the order of the matrix.
    confusion
        Pixels: rows are what was labelled, columns what had been predicted.
    """

    slide_key: str
    area_key: str
    iteration: int
    scored_at: datetime
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
