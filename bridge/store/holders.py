"""Who is at work on a project: a process, named so that another one with its number isn't taken for it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from datetime import datetime

import psutil

_SAME_MOMENT_SECONDS = 1.0  # systems give whole seconds, or guess
_SAME_AFTER_BOOT_SECONDS = 0.05
_HIGHEST = 2**31
_LONGEST = 200  # characters of a text in the file


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a project's lease.

    Parameters
    ----------
    host
        Name of its machine. Two containers that bear the same name pass for one machine: give them different ones.
    started_at, started_after_boot
        When the process began, seconds since the epoch and since its machine started. One of the two moves when the
        clock is set, which one depends on the system; so one that agrees is enough.
    purpose
        The command: "watch", "sync", "nightly".
    token
        Random: this one holding, and no other.
    beat
        Counts up as long as the holder is alive.
    """

    host: str
    pid: int
    started_at: float
    started_after_boot: float
    purpose: str
    version: str
    since: datetime
    token: str
    beat: int = 0

    def line(self) -> str:
        """Say who it is."""
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        return f"slidebridge {self.purpose} (process {self.pid} on {self.host}, since {since})"

    def to_bytes(self) -> bytes:
        """Return what its file holds."""
        return json.dumps(asdict(self) | {"since": self.since.isoformat()}, indent=1).encode()


def holder_from(data: bytes) -> Holder | None:
    """Return whom a file names; None for a file that is damaged, or of another program."""
    try:
        found = json.loads(data)
        values = {field.name: found[field.name] for field in fields(Holder)}
        holder = Holder(**values | {"since": datetime.fromisoformat(values["since"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return holder if _is_sound(holder) else None


def _is_sound(holder: Holder) -> bool:
    texts = (holder.host, holder.purpose, holder.version, holder.token)
    moments = (holder.started_at, holder.started_after_boot)
    return (
        all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST for text in texts)
        and all(isinstance(number, int) and 0 <= number < _HIGHEST for number in (holder.pid, holder.beat))
        and all(isinstance(moment, float) for moment in moments)
        and holder.since.tzinfo is not None
    )


def this_host() -> str:
    """Return this machine's name, the same at every start."""
    return socket.gethostname().casefold().removesuffix(".local")  # macOS adds that on some networks, not on others


def this_process(*, host: str, purpose: str, version: str, since: datetime, token: str) -> Holder:
    """Return this process as a holder."""
    process = psutil.Process()
    return Holder(host, os.getpid(), *_started(process), purpose, version, since, token)


def lives(holder: Holder) -> bool:
    """Say whether a process of this machine is still there; another one with its number is not it."""
    try:
        process = psutil.Process(holder.pid)
        if process.status() == psutil.STATUS_ZOMBIE:  # ended, and its parent hasn't asked how
            return False
        at, after_boot = _started(process)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # somebody else's: it may be the one
    return (
        abs(at - holder.started_at) < _SAME_MOMENT_SECONDS
        or abs(after_boot - holder.started_after_boot) < _SAME_AFTER_BOOT_SECONDS
    )


def _started(process: psutil.Process) -> tuple[float, float]:
    created = process.create_time()
    return created, created - psutil.boot_time()
