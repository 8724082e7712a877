"""What waits and what failed, in the few words that a heartbeat has room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.store import JobKind, JobRecord
from scripts.daemon.heartbeat import Failure, Queued

_MOST_FAILURES = 5
_LONGEST_ERROR = 600  # characters
_ORDER = (JobKind.READ, JobKind.TRAIN, JobKind.NIGHTLY, JobKind.PREDICT, JobKind.WRITE)


@dataclass(frozen=True, slots=True)
class Queue:
    """The jobs that are to be done.

    Parameters
    ----------
    waiting, failed
        How many there are, and how many of them failed before.
    queued
        Those that didn't, by kind.
    failures
        The first few that did.
    """

    waiting: int = 0
    failed: int = 0
    queued: tuple[Queued, ...] = ()
    failures: tuple[Failure, ...] = ()


def queue_of(jobs: Sequence[JobRecord], name: Callable[[str | None], str | None]) -> Queue:
    """Return what to tell of jobs that wait.

    Parameters
    ----------
    jobs
        Oldest first.
    name
        Slide's key → what it is called; None for a slide that isn't there.
    """
    fresh, failed = [j for j in jobs if j.error is None], [j for j in jobs if j.error is not None]
    counts = Counter(job.kind for job in fresh)
    first = {job.kind: name(job.slide_key) for job in reversed(fresh)}
    return Queue(
        len(jobs),
        len(failed),
        tuple(Queued(kind, counts[kind], first[kind]) for kind in _ORDER if counts[kind]),
        tuple(_failure(job, name) for job in failed[:_MOST_FAILURES]),
    )


def _failure(job: JobRecord, name: Callable[[str | None], str | None]) -> Failure:
    error = " ".join((job.error or "").split())
    kept = error if len(error) <= _LONGEST_ERROR else f"{error[: _LONGEST_ERROR - 1]}…"
    return Failure(kept, job.not_before, job.kind, name(job.slide_key), job.attempts)
