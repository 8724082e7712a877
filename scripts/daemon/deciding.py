"""What to do next, decided from plain facts: no clock, no file, no store.

a save ──▶ READ ──▶ TRAIN ──▶ PREDICT ──▶ WRITE
             └───────────────────┴──────────┘   a slide whose boxes were answered needs no training to get new ones
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.store import JobKind, JobRecord, JobState

FILE_KINDS = frozenset({JobKind.READ, JobKind.WRITE})
COMPUTE_KINDS = frozenset({JobKind.TRAIN, JobKind.NIGHTLY, JobKind.PREDICT})
_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(hours=1)
_CONFLICT_DELAY = timedelta(seconds=5)
_LET_IT_END = 0.5  # share of a training after which it is not stopped any more


def retry_delay(attempts: int, *, is_conflict: bool = False) -> timedelta:
    """Return how long to wait before a job that failed is tried again: 30 s, doubled each time, an hour at most.

    Parameters
    ----------
    attempts
        How often it was tried, at least 1.
    is_conflict
        A person kept saving while we wrote: nothing is wrong, the first waits are short.

    Examples
    --------
    >>> [retry_delay(n).total_seconds() for n in (1, 2, 3, 20)]
    [30.0, 60.0, 120.0, 3600.0]
    """
    first = _CONFLICT_DELAY if is_conflict else _FIRST_DELAY
    doublings: int = 2 ** min(max(attempts, 1) - 1, 16)
    return min(first * doublings, _LONGEST_DELAY)


def has_come(moment: datetime, now: datetime) -> bool:
    """Say whether it is time; also when the moment lies further ahead than we ever wait: the clock was set back."""
    return not now < moment <= now + _LONGEST_DELAY


def is_due(job: JobRecord, now: datetime) -> bool:
    """Say whether a job waits and may be begun."""
    return job.state is JobState.WAITING and has_come(job.not_before, now)


def should_stop_training(*, has_newer_labels: bool, progress: float, was_last_stopped: bool) -> bool:
    """Say whether a running training should make way for one with newer labels.

    One that is past its half ends: stopping it would cost more than it saves. And never two in a row: who saves every
    minute must get a model all the same.

    Parameters
    ----------
    progress
        Share of its steps that is done, 0 to 1.
    was_last_stopped
        The training before it was stopped for newer labels.
    """
    return has_newer_labels and progress < _LET_IT_END and not was_last_stopped


@dataclass(frozen=True, slots=True)
class Attention:
    """Where people are.

    Parameters
    ----------
    on_screen
        Keys of slides that a viewer has open.
    saved_at
        Slide key → when a person last saved it.
    """

    on_screen: frozenset[str] = frozenset()
    saved_at: Mapping[str, datetime] | None = None

    def front(self, keys: Sequence[str]) -> str | None:
        """Return the slide that somebody most likely waits for: on screen, else saved last; None for none."""
        return min(keys, key=self.rank, default=None)

    def rank(self, key: str) -> tuple[bool, float, str]:
        """Return what slides are sorted by: on screen first, then by recency, then by key."""
        saved = (self.saved_at or {}).get(key)
        return key not in self.on_screen, -saved.timestamp() if saved is not None else 0.0, key


def order_compute(due: Sequence[JobRecord], attention: Attention) -> tuple[JobRecord, ...]:
    """Return the jobs for the network in the order in which they should be done.

    The slide that somebody waits for is predicted before the next training begins; all others after it, for a new
    champion would have them predicted again.
    """
    jobs = [job for job in due if job.kind in COMPUTE_KINDS]
    keys = [job.slide_key for job in jobs if job.kind is JobKind.PREDICT and job.slide_key is not None]
    recent = [key for key in keys if key in attention.on_screen or key in (attention.saved_at or {})]
    front = attention.front(recent)

    def rank(job: JobRecord) -> tuple[int, tuple[bool, float, str], int]:
        stage = {JobKind.TRAIN: 1, JobKind.NIGHTLY: 2}.get(job.kind, 0 if job.slide_key == front else 3)
        return stage, attention.rank(job.slide_key or ""), job.id

    return tuple(sorted(jobs, key=rank))


def order_files(due: Sequence[JobRecord], attention: Attention) -> tuple[JobRecord, ...]:
    """Return the jobs on files in the order in which they should be done: reads first, then where people are."""
    jobs = [job for job in due if job.kind in FILE_KINDS]
    return tuple(sorted(jobs, key=lambda job: (job.kind is not JobKind.READ, attention.rank(job.slide_key or ""))))
