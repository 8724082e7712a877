"""What ``status`` tells of the daemon: whether it lives, what it does, what waits, what failed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import StoreError
from bridge.store import JobRecord, JobState, Store
from bridge.store.holders import Holder, lives, this_host
from bridge.store.lease import holder
from scripts.daemon.heartbeat import DaemonState, Doing, is_alive, read_heartbeat, seconds_left
from scripts.daemon.schedule import NIGHTLY_MARK, next_nightly
from scripts.daemon.wording import fact, work
from scripts.naming.slide_names import SlideNames, hide_name
from scripts.plain_words import counted, span
from scripts.project import Project

_FRESH = timedelta(minutes=2)  # a beat on another machine that is no older stands for a daemon that lives
_MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """A project's daemon at one moment, alive or not.

    Parameters
    ----------
    state
        What it last said of itself; None when there never was one.
    is_alive
        None when that can't be told: it is on another machine.
    holder
        Who has the right to write to the project; another command perhaps.
    jobs
        Those that run or wait, oldest first.
    last_nightly, next_nightly
        None for never.
    """

    now: datetime
    names: SlideNames
    state: DaemonState | None
    is_alive: bool | None
    holder: Holder | None
    jobs: tuple[JobRecord, ...]
    last_nightly: datetime | None
    next_nightly: datetime | None

    @property
    def is_watching(self) -> bool:
        """Whether a daemon looks after the project, as far as can be told from here."""
        if self.is_alive is None:
            return self.state is not None and abs(self.now - self.state.at) < _FRESH
        return self.is_alive

    @property
    def waiting(self) -> tuple[JobRecord, ...]:
        """Jobs to be done that have not failed; without a daemon, those too that the last one was at."""
        states = (JobState.WAITING,) if self.is_watching else (JobState.WAITING, JobState.RUNNING)
        return tuple(job for job in self.jobs if job.state in states and job.error is None)

    @property
    def failed(self) -> tuple[JobRecord, ...]:
        """Jobs whose last attempt failed."""
        return tuple(job for job in self.jobs if job.error is not None)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        state = self.state
        return {
            "watching": self.is_watching,
            "alive": self.is_alive if state else False,
            "pid": state.process.pid if state else None,
            "host": state.process.host if state else None,
            "version": state.process.version if state else None,
            "started": _json_time(state.process.since if state else None),
            "at": _json_time(state.at if state else None),
            "age_seconds": round((self.now - state.at).total_seconds(), 1) if state else None,
            "ended": _json_time(state.ended_at if state else None),
            "projects": list(state.projects) if state else [],
            "observing": state.beat.observing if state and self.is_watching else None,
            "doing": [_doing_json(d, self.names) for d in self._doing()],
            "waiting": [self._job_json(job) for job in self.waiting],
            "failed": [self._job_json(job) for job in self.failed],
            "last_nightly": _json_time(self.last_nightly),
            "next_nightly": _json_time(self.next_nightly),
            "holder": self.holder.line() if self.holder else None,
        }

    def lines(self) -> Iterator[str]:
        """Yield the facts for people."""
        yield self._who()
        for doing in self._doing():
            yield f"  now: {_doing_line(doing, self.names, self.now)}"
        yield from _at_most(f"  waits: {self._what(job)}{_later(job, self.now)}" for job in self.waiting)
        yield from _at_most(f"  failed: {self._why(job)}" for job in self.failed)
        yield from self._nights()

    def _who(self) -> str:
        state = self.state
        if state is None or not self.is_watching:
            return self._nobody()
        who = f"process {state.process.pid}, SlideBridge {state.process.version}"
        if self.is_alive is None:
            who += f", on {state.process.host}, heard {_ago(self.now - state.at)} ago"
        how = {"events": ", noticing saves by the system's events", "polling": ", looking at the files again and again"}
        return f"a daemon is watching since {moment(state.process.since)} ({who}){how.get(state.beat.observing, '')}"

    def _nobody(self) -> str:
        state, there = self.state, self.holder
        if there is not None and _is_there(there):
            return f"{there.line()} is at work on this project"
        if state is not None and state.ended_at is not None:
            return f"no daemon is watching since {moment(state.ended_at)}; `slidebridge watch` starts one"
        if state is not None and self.is_alive is None:
            last = f"the daemon on {state.process.host} was last heard {_ago(self.now - state.at)} ago"
            return f"{last}; look there, or `slidebridge watch` takes over"
        if state is not None:
            last = f"no daemon is watching: the last one ended without a word after {moment(state.at)}"
            return f"{last}; `slidebridge watch` goes on from there"
        return "no daemon is watching; `slidebridge watch` starts one"

    def _nights(self) -> Iterator[str]:
        if self.last_nightly is not None:
            yield f"  last nightly training: {moment(self.last_nightly)}"
        if self.next_nightly is not None:
            unless = "" if self.is_watching else ", if a daemon is watching then"
            yield f"  next nightly training: {moment(self.next_nightly)}{unless}"

    def _doing(self) -> tuple[Doing, ...]:
        return self.state.beat.doing if self.state is not None and self.is_watching else ()

    def _what(self, job: JobRecord) -> str:
        return work(job.kind) + (f" slide={fact(self.names.of(job.slide_key))}" if job.slide_key is not None else "")

    def _why(self, job: JobRecord) -> str:
        tried = counted(job.attempts, "attempt")
        is_under_way = job.state is JobState.RUNNING
        then = "being tried again" if is_under_way else f"tried again at {moment(job.not_before)}"
        return f"{self._what(job)}: {self.names.hide(_one_line(job.error))} ({tried}, {then})"

    def _job_json(self, job: JobRecord) -> Mapping[str, object]:
        return {
            "id": job.id,
            "kind": job.kind.value,
            "slide": self.names.of(job.slide_key) if job.slide_key is not None else None,
            "state": job.state.value,
            "attempts": job.attempts,
            "asked": _json_time(job.created_at),
            "not_before": _json_time(job.not_before) if job.state is JobState.WAITING else None,
            "error": self.names.hide(_one_line(job.error)) if job.error is not None else None,
        }


def read_daemon_status(project: Project, store: Store, names: SlideNames, now: datetime) -> DaemonStatus:
    """Read what a project's daemon does; a moment's look, nothing is changed.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    state = read_heartbeat(project.data_folder)
    return DaemonStatus(
        now,
        names,
        state,
        is_alive(state) if state is not None else False,
        _holder(project),
        tuple(reversed(store.jobs(JobState.RUNNING, JobState.WAITING))),
        store.marked(NIGHTLY_MARK),
        next_nightly(project.settings.schedule, now),
    )


def moment(at: datetime) -> str:
    """Return a moment for people, in local time."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _holder(project: Project) -> Holder | None:
    try:
        return holder(project.data_folder)
    except StoreError:  # status must tell the rest all the same
        return None


def _is_there(there: Holder) -> bool:
    return there.host == this_host() and lives(there)


def _at_most(lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    yield from found[:_MOST_LINES]
    if len(found) > _MOST_LINES:
        yield f"  and {len(found) - _MOST_LINES} more; --json has them all"


def _later(job: JobRecord, now: datetime) -> str:
    return f", not before {moment(job.not_before)}" if job.not_before > now else ""


def _doing_line(doing: Doing, names: SlideNames, now: datetime) -> str:
    slide = f" slide={fact(hide_name(doing.slide, names.hide))}" if doing.slide is not None else ""
    share = f", {doing.progress:.0%} done" if doing.progress is not None else ""
    note = f" ({names.hide(_one_line(doing.note))})" if doing.note else ""
    left = seconds_left(doing, now)
    rest = f", about {span(left)} left" if left is not None else ""
    return f"{work(doing.kind)}{slide}, since {moment(doing.since)}{share}{note}{rest}"


def _doing_json(doing: Doing, names: SlideNames) -> Mapping[str, object]:
    return {
        "kind": doing.kind.value,
        "slide": hide_name(doing.slide, names.hide) if doing.slide is not None else None,
        "since": _json_time(doing.since),
        "progress": doing.progress,
        "note": names.hide(doing.note),
    }


def _json_time(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _ago(age: timedelta) -> str:
    seconds = max(age.total_seconds(), 0.0)
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} seconds"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
