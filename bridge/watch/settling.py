"""The settle test: a file counts as saved when its size and times have been still for a while."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """When a save is believed to be over (``[watch]``)."""

    settle_seconds: float = 2.0  # size and modification time must have been still for this long
    stale_save_seconds: float = 600.0  # a save that stopped half way has failed when nothing moved for this long


class Observing(Enum):
    """How changes are noticed between two rescans."""

    AUTO = "auto"  # the system's events; polling on network drives and where events turn out not to arrive
    EVENTS = "events"
    POLLING = "polling"


@dataclass(frozen=True, slots=True)
class WatchOptions(SettleOptions):
    """How the daemon watches (``[watch]``)."""

    observing: Observing = Observing.AUTO
    poll_seconds: float = 5.0  # between two looks where polling
    rescan_seconds: float = 300.0  # between two looks at every file, whatever the events said


@dataclass(frozen=True, slots=True)
class FileState:
    """What the file system says of a file.

    Parameters
    ----------
    size
        Bytes.
    modified
        Modification time, seconds since the epoch by the clock of the machine that holds the file.
    """

    size: int
    modified: float


def observe(path: Path) -> FileState | None:
    """Return the file's state, or None when it isn't there."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return FileState(status.st_size, status.st_mtime)


def is_settled(
    before: FileState | None, after: FileState | None, *, quiet_seconds: float, settle_seconds: float
) -> bool:
    """Say whether a file has been still long enough.

    Parameters
    ----------
    before, after
        Two looks at the file.
    quiet_seconds
        Time between the looks, by the watching machine's own clock: a share's clock is never compared with ours.

    Examples
    --------
    >>> is_settled(FileState(9, 1.0), FileState(9, 1.0), quiet_seconds=3, settle_seconds=2)
    True
    >>> is_settled(FileState(9, 1.0), FileState(10, 1.5), quiet_seconds=3, settle_seconds=2)
    False
    """
    return after is not None and before == after and quiet_seconds >= settle_seconds
