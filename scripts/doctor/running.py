"""What the doctor finds out about daemons, viewers and clocks around a project; nothing is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bridge.errors import QuPathFormatError, StoreError
from bridge.qupath import QuPathProject, QuPathViewer
from bridge.qupath.project_file import read_project_file
from bridge.store.holders import Holder, lives, this_host
from bridge.store.lease import holder
from bridge.store.location import is_network_path
from bridge.watch import Observing
from scripts.daemon.heartbeat import DaemonState, is_alive, read_heartbeat
from scripts.daemon.people_process import split_command
from scripts.options import HookOptions
from scripts.plain_words import counted
from scripts.project import Project

_SKEW = timedelta(minutes=2)  # clocks that differ by less do no harm
_JUST_SAVED = timedelta(minutes=10)
_HEARD = timedelta(minutes=2)  # a beat on another machine that is no older stands for a daemon that lives
_NEWEST_QUPATH = (0, 7)  # tried with
_NOTHING_OPEN = "nothing, as far as can be told"
_DEAD_LATER = 10.0  # seconds after which a heartbeat of a QuPath that ended no longer counts


@dataclass(frozen=True, slots=True)
class RunningFacts:
    """What was found around a project; a text is one line, None where there is nothing to tell.

    Parameters
    ----------
    two_daemons, stale_lease, clock_ahead
        What is odd about who looks after the project.
    daemon
        Who does; for people.
    deaf_share, deaf_disk
        Why saves would not be noticed, or only by looking.
    noticing
        How they are noticed, for people.
    hooks
        Commands that can't be run, one line each.
    qupath_version
        Of a QuPath newer than those that we know.
    open_images
        Why QuPath may have images open that don't show what we write.
    viewers
        What the programs with our script in them have open, for people.
    """

    two_daemons: str | None = None
    stale_lease: str | None = None
    clock_ahead: str | None = None
    daemon: str = "none is watching"
    deaf_share: str | None = None
    deaf_disk: str | None = None
    noticing: str = ""
    hooks: tuple[str, ...] = ()
    qupath_version: str | None = None
    open_images: str | None = None
    viewers: str = _NOTHING_OPEN


def look_around(
    project: Project, now: datetime, newest_save: datetime | None, environ: Mapping[str, str]
) -> RunningFacts:
    """Return what is found around a project.

    Parameters
    ----------
    newest_save
        Of any annotation file.
    """
    there, state = _holder(project), read_heartbeat(project.data_folder)
    shown = _shown_live(project)
    is_share = is_network_path(project.source.root)
    return RunningFacts(
        two_daemons=two_daemons(there, state, now),
        stale_lease=_stale_lease(there, state),
        clock_ahead=_clock_ahead(state, now),
        daemon=_who(there, state),
        deaf_share=_deaf_share(project, is_share=is_share),
        deaf_disk=_deaf_disk(project, state, is_share=is_share),
        noticing=_noticing(project, is_share=is_share),
        hooks=tuple(hook_problems(project.settings.hooks, project.root, environ)),
        qupath_version=_new_qupath(project),
        open_images=None if shown else _open_images(project, now, newest_save),
        viewers=shown or _NOTHING_OPEN,
    )


def two_daemons(there: Holder | None, state: DaemonState | None, now: datetime) -> str | None:
    """Say that two processes look after a project: one has its lease, and another one writes its heartbeat."""
    if there is None or state is None or not _is_there(there) or not _is_watching(state, now):
        return None
    beats = state.process
    if (beats.host, beats.pid) == (there.host, there.pid):
        return None
    return f"{there.line()} has the project, and {beats.line()} says that it watches it"


def _is_watching(state: DaemonState, now: datetime) -> bool:
    alive = is_alive(state)
    return abs(now - state.at) < _HEARD if alive is None else alive


def _is_there(there: Holder) -> bool:
    return there.host != this_host() or lives(there)


def _stale_lease(there: Holder | None, state: DaemonState | None) -> str | None:
    if there is not None and there.host == this_host() and not lives(there):
        return f"{there.line()} has ended, and its lease.json is left"
    if there is None and state is not None and state.ended_at is None and is_alive(state) is False:
        return f"{state.process.line()} ended without saying so"
    return None


def _clock_ahead(state: DaemonState | None, now: datetime) -> str | None:
    if state is None or state.at - now < _SKEW:
        return None
    ahead = (state.at - now).total_seconds()
    return f"the daemon on {state.process.host} wrote at {state.at.astimezone():%Y-%m-%d %H:%M:%S}, {ahead:.0f} s ahead"


def _who(there: Holder | None, state: DaemonState | None) -> str:
    if there is not None and _is_there(there):
        return f"{there.line()} is at work"
    return "none is watching" if state is None else "none is watching; slidebridge watch starts one"


def _deaf_share(project: Project, *, is_share: bool) -> str | None:
    if is_share and project.settings.watch.observing is Observing.EVENTS:
        return f"{project.source.root} is on a network drive, and [watch] observing is events"
    return None


def _deaf_disk(project: Project, state: DaemonState | None, *, is_share: bool) -> str | None:
    is_polling = state is not None and state.ended_at is None and state.beat.observing == "polling"
    if is_share or not is_polling or project.settings.watch.observing is Observing.POLLING:
        return None
    return f"the daemon looks at the files in {project.source.root} again and again, for events did not arrive"


def _noticing(project: Project, *, is_share: bool) -> str:
    watch = project.settings.watch
    if watch.observing is Observing.POLLING or is_share:
        where = "a network drive" if is_share else "as [watch] observing says"
        return f"{where}: files are looked at every {watch.poll_seconds:g} s"
    return "the system tells of them"


def hook_problems(options: HookOptions, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield which commands of people's can't be started, one line each.

    Parameters
    ----------
    folder
        The project's, where they run.
    environ
        ``PATH`` is looked up in it.
    """
    commands = {
        "on_predictions": options.on_predictions,
        "on_training": options.on_training,
        "on_nightly": options.on_nightly,
        "on_failure": options.on_failure,
    }
    for name, command in commands.items():
        if not command.strip():
            continue
        try:
            program = split_command(command)[0]
        except (ValueError, IndexError) as error:
            yield f"[hooks] {name} can't be split into words ({error}): {command}"
            continue
        if not _can_run(program, folder, environ):
            yield f"[hooks] {name}: {program} is not there, or can't be executed"


def _can_run(program: str, folder: Path, environ: Mapping[str, str]) -> bool:
    if os.path.dirname(program):  # noqa: PTH120 - a path, seen from the folder that it runs in
        return shutil.which(str(folder / program)) is not None
    return shutil.which(program, path=environ.get("PATH")) is not None


def _new_qupath(project: Project) -> str | None:
    if not isinstance(project.source, QuPathProject):
        return None
    try:
        version = read_project_file(project.source.path).version
    except QuPathFormatError:  # told of the source
        return None
    numbers = version.removeprefix("v").split(".")[:2]
    if len(numbers) == 2 and all(n.isdigit() for n in numbers) and tuple(map(int, numbers)) > _NEWEST_QUPATH:
        newest = ".".join(map(str, _NEWEST_QUPATH))
        return f"{project.source.path.name} was saved by QuPath {version}; SlideBridge was tried with 0.3 to {newest}"
    return None


def _shown_live(project: Project) -> str:
    """Say what is open in QuPaths that have our script; empty for nothing."""
    if not isinstance(project.source, QuPathProject):
        return ""
    viewer = QuPathViewer(project.source.root)
    viewer.open_slides(0.0)
    count = len(viewer.open_slides(_DEAD_LATER))
    return f"{counted(count, 'image')} in QuPath, where results appear live" if count else ""


def _open_images(project: Project, now: datetime, newest_save: datetime | None) -> str | None:
    """Say that QuPath may have images open: a save that goes on, or one of just now, is the hint."""
    if not isinstance(project.source, QuPathProject):
        return None
    if project.source.path.with_name(f"{project.source.path.name}.backup").exists():
        return f"QuPath is saving {project.source.path.name}"
    if newest_save is not None and timedelta() <= now - newest_save < _JUST_SAVED:
        minutes = (now - newest_save).total_seconds() / 60
        return f"an image was saved {minutes:.0f} min ago, so QuPath may have it open"
    return None


def _holder(project: Project) -> Holder | None:
    try:
        return holder(project.data_folder)
    except StoreError:  # the folder's rights are told elsewhere
        return None
