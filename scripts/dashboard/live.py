"""What happens in a project now, in words: what the daemon does, what waits, what failed and what helps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bridge.errors import BridgeError
from bridge.store import JobKind, JobRecord, JobState, RunState
from bridge.store.holders import lives, this_host
from scripts.daemon.heartbeat import Doing
from scripts.daemon.wording import work
from scripts.dashboard.looking import Look, Watched
from scripts.loop.status_daemon import DaemonStatus, moment, read_daemon_status
from scripts.naming.slide_names import hide_name
from scripts.plain_words import counted
from scripts.project import left_out

logger = logging.getLogger(__name__)

_MOST = 20  # failures, warnings that are shown
_NEWEST = 5  # writes that are shown
_TRAININGS = (JobKind.TRAIN, JobKind.NIGHTLY)
_DEFECT = "a defect in SlideBridge, please report it; the log of the dashboard has the details"


@dataclass(frozen=True, slots=True)
class Work:
    """A job under way.

    Parameters
    ----------
    slide_id
        Of its slide, in addresses; empty for none.
    share
        What is done of it, 0 to 1; None where nobody knows.
    """

    what: str
    slide: str
    slide_id: str
    since: str
    share: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that failed the last time: the message says the cause and what helps."""

    what: str
    slide: str
    slide_id: str
    why: str
    then: str


@dataclass(frozen=True, slots=True)
class Written:
    """Our last write to a slide."""

    slide: str
    slide_id: str
    at: str
    brought: str


@dataclass(frozen=True, slots=True)
class Now:
    """A project at this moment.

    Parameters
    ----------
    id
        In addresses.
    trouble
        Why nothing can be said; all else is empty then.
    badge, kind
        Its state in a word, and how good that is: ``good``, ``warn``, ``bad``, ``plain``.
    who
        Which process is at work, a sentence.
    queue
        (what waits, how often), and how many altogether.
    facts
        (name, value) each.
    more_failures
        That aren't among ``failures``.
    late
        Why this isn't the state now, and how old it is; None where it is.
    """

    id: str
    title: str
    trouble: str | None = None
    badge: str = ""
    kind: str = "plain"
    who: str = ""
    is_watching: bool = False
    doing: tuple[Work, ...] = ()
    queue: tuple[tuple[str, int], ...] = ()
    failures: tuple[Failure, ...] = ()
    more_failures: int = 0
    written: tuple[Written, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    late: str | None = None


def read_now(watched: Watched, now: datetime) -> Now:
    """Return what happens in a project; one that can't be read says why, so that the others are still shown."""
    try:
        with watched.look() as look:
            return now_of(watched, look, now)
    except (BridgeError, OSError) as error:
        return Now(watched.id, watched.title, str(error), "can't be read", "bad")
    except Exception:  # must cost this project, not the others
        logger.exception("a defect in SlideBridge, please report it: reading what happens in a project")
        return Now(watched.id, watched.title, _DEFECT, "can't be read", "bad")


def now_of(watched: Watched, look: Look, now: datetime) -> Now:
    """Return what happens in a project that was opened.

    Raises
    ------
    BridgeError
        Its store can't be read.
    """
    status = read_daemon_status(look.project, look.store, look.names, now)
    telling = _Telling(watched, look)
    failed, doing = status.failed, _doing(status)
    badge, kind = _badge(status, len(failed))
    return Now(
        watched.id,
        watched.title,
        None,
        badge,
        kind,
        look.names.hide(next(status.lines())),
        status.is_watching,
        tuple(telling.work(d) for d in doing),
        tuple(sorted(Counter(work(job.kind) for job in status.waiting).items())),
        tuple(telling.failure(job) for job in failed[:_MOST]),
        max(0, len(failed) - _MOST),
        tuple(telling.written()),
        tuple(_facts(look, status)),
        tuple(_at_most(telling.warnings())),
    )


def training_since(look: Look, now: datetime) -> datetime | None:
    """Return since when a training is under way, in a daemon or by a command; None for none.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    if look.store.running() is None:  # one that was killed counts until it is gone on with: who is at work decides
        return None
    status = read_daemon_status(look.project, look.store, look.names, now)
    if status.is_watching:
        return next((doing.since for doing in _doing(status) if doing.kind in _TRAININGS), None)
    return status.holder.since if status.holder is not None and _is_held(status) else None


@dataclass(frozen=True, slots=True)
class _Telling:
    """Puts records into words, with the names that slides have here."""

    watched: Watched
    look: Look

    def work(self, doing: Doing) -> Work:
        names = self.look.names
        slide = hide_name(doing.slide, names.hide) if doing.slide is not None else ""
        found = [id for id, entry in self.look.entries.items() if names.of(entry.key) == slide]
        slide_id = found[0] if slide and len(found) == 1 else ""  # of two of one name nobody knows which
        note = names.hide(" ".join(doing.note.split()))
        return Work(work(doing.kind), slide, slide_id, moment(doing.since), doing.progress, note)

    def failure(self, job: JobRecord) -> Failure:
        why = self.look.names.hide(" ".join((job.error or "").split()))
        tried = counted(job.attempts, "attempt")
        then = "being tried again" if job.state is JobState.RUNNING else f"tried again at {moment(job.not_before)}"
        return Failure(work(job.kind), *self._slide(job.slide_key), why, f"{tried}, {then}")

    def written(self) -> Iterator[Written]:
        newest = sorted(self.look.store.last_writes(), key=lambda write: write.at, reverse=True)
        for write in newest[:_NEWEST]:
            brought = f"{counted(write.predictions, 'prediction')}, {counted(write.proposals, 'proposal')}"
            yield Written(*self._slide(write.slide_key), moment(write.at), brought)

    def warnings(self) -> Iterator[str]:
        look = self.look
        if look.warning is not None:
            yield look.warning
        else:
            yield from map(look.names.hide, left_out(look.project.source))
        for slide in look.store.slides():
            if slide.suspicious_revision is not None and self.watched.slide_id(slide.key) in look.entries:
                yield doubt_of(look.names.of(slide.key))

    def _slide(self, key: str | None) -> tuple[str, str]:
        if key is None:
            return "", ""
        slide_id = self.watched.slide_id(key)
        return self.look.names.of(key), slide_id if slide_id in self.look.entries else ""


def doubt_of(name: str) -> str:
    """Return the line about a slide whose newest save lost more than half of what was drawn."""
    return (
        f"{name}: its newest save lost more than half of what people had drawn, so it isn't learned from;"
        f" `slidebridge confirm {name!r}` believes it"
    )


def _badge(status: DaemonStatus, failed: int) -> tuple[str, str]:
    if status.is_watching:
        return ("watching, with failures", "warn") if failed else ("watching", "good")
    if _is_held(status):
        return "a command is at work", "accent"
    return "nobody is watching", "warn"


def _is_held(status: DaemonStatus) -> bool:
    """Say whether a process has the right to write, as far as can be told from this machine."""
    there = status.holder
    return there is not None and (there.host != this_host() or lives(there))


def _doing(status: DaemonStatus) -> tuple[Doing, ...]:
    return status.state.beat.doing if status.state is not None and status.is_watching else ()


def _facts(look: Look, status: DaemonStatus) -> Iterator[tuple[str, str]]:
    yield "Slides", str(len(look.entries))
    in_use = [run for run in look.store.runs() if run.promoted and run.state is RunState.FINISHED]
    if in_use:
        yield (
            "Model in use",
            f"training {in_use[-1].iteration}, {moment(in_use[-1].ended_at or in_use[-1].started_at)}",
        )
    else:
        yield "Model in use", "none yet"
    if status.last_nightly is not None:
        yield "Last nightly training", moment(status.last_nightly)
    if status.next_nightly is not None:
        unless = "" if status.is_watching else ", if a daemon is watching then"
        yield "Next nightly training", f"{moment(status.next_nightly)}{unless}"
    else:
        yield "Next nightly training", "none: [schedule] nightly is not set"


def _at_most(lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more; `slidebridge status --json` has them all"
