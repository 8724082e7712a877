"""What the store hands out: plain frozen values, never rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """One slide of the project.

    Parameters
    ----------
    viewed_at
        When a person last had it on the screen, as far as known.
    predicted_with
        Id of the checkpoint whose predictions were last made for it.
    """

    key: str
    name: str
    viewed_at: datetime | None = None
    predicted_with: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One revision of a slide's annotation file as it was read and believed.

    Parameters
    ----------
    revision
        SHA-256 of the bytes.
    first_read_at, read_at
        First and last reading in a row; the first stands for the time of the save.
    human_count
        Objects that a person drew or made theirs.
    labelled_area_um2
        Labelled area in µm²; None where it wasn't computed.
    """

    slide_key: str
    revision: str
    first_read_at: datetime
    read_at: datetime
    human_count: int
    labelled_area_um2: float | None = None


class WriteState(Enum):
    """How far a write came."""

    BEGUN = "begun"  # journalled; the file may be the old or the new one
    FINISHED = "finished"  # the new file was put in place whole
    ABANDONED = "abandoned"  # nothing of it counts


class WriteKind(Enum):
    """What a write puts in place."""

    EDITS = "edits"  # the file as it was, with our edits
    RESTORE = "restore"  # an earlier version, byte for byte, at a person's word


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
