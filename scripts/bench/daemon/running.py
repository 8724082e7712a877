"""The processes of a run: the daemon, the experts, and how one waits until there is nothing left to do."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bridge.errors import BridgeError
from bridge.ingest import revision_of
from bridge.store import JobState, Store
from scripts.bench.daemon.experts import Habits
from scripts.bench.daemon.world import Place
from scripts.daemon.heartbeat import read_heartbeat
from scripts.project import open_store

ROOT = Path(__file__).parents[3]
POLL_SECONDS = 0.1
_STILL_SECONDS = 1.5  # nothing to do for so long is a rest
if sys.platform == "win32":  # there SIGTERM kills; Ctrl-Break goes to a process group
    _ASK_TO_STOP, _OWN_GROUP = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _ASK_TO_STOP, _OWN_GROUP = signal.SIGTERM, 0
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # several processes share the cores


class DaemonError(BridgeError):
    """The daemon didn't do what a run rests on."""


def wait_for(condition: Callable[[], bool], seconds: float, *, poll_seconds: float = POLL_SECONDS) -> bool:
    """Wait until something is so; return False when it isn't after so many seconds."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(poll_seconds)
    return True


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **_ONE_THREAD},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            creationflags=_OWN_GROUP,
        )


@dataclass
class Daemon:
    """``slidebridge watch`` on every project of a world.

    Parameters
    ----------
    log
        What it says on its standard error, all its lives one after another.
    """

    places: Sequence[Place]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the one before must have ended."""
        assert self.process is None or self.process.poll() is not None, "one daemon at a time"
        self.process = _start(["scripts.cli", "watch", *(str(place.root) for place in self.places)], self.log)

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def is_watching(self) -> bool:
        """Say whether it has told, for every project, that it is at work."""
        beats = [read_heartbeat(place.project.data_folder) for place in self.places]
        return all(b is not None and b.process.pid == self._pid and b.ended_at is None for b in beats)

    def wait_until_watching(self, seconds: float = 120.0) -> None:
        """Return when it is at work.

        Raises
        ------
        DaemonError
            It ended, or took longer.
        """
        if not wait_for(lambda: self.is_watching() or not self.is_running, seconds) or not self.is_watching():
            lines = self.log.read_text("utf-8", errors="replace").splitlines()
            raise DaemonError(f"the daemon doesn't watch; {self.log} ends with: {lines[-3:]}")

    @property
    def _pid(self) -> int:
        return self.process.pid if self.process is not None else -1

    def doing(self) -> frozenset[str]:
        """Return what the heartbeats say that it does; ``starting`` before the first of them."""
        if not self.is_watching():
            return frozenset({"starting"})
        beats = [read_heartbeat(place.project.data_folder) for place in self.places]
        return frozenset(doing.kind.value for beat in beats if beat is not None for doing in beat.beat.doing)

    def kill(self) -> None:
        """Kill it and all its children at this instant."""
        if self.process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            for one in (*process.children(recursive=True), process):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self.process.wait()

    def stop(self, seconds: float) -> tuple[int | None, float]:
        """Ask it once to stop; return its exit status (None: it had to be killed) and how long it took."""
        if self.process is None:
            return None, 0.0
        began = time.monotonic()
        self.process.send_signal(_ASK_TO_STOP)
        try:
            return self.process.wait(seconds), time.monotonic() - began
        except subprocess.TimeoutExpired:
            self.kill()
            return None, time.monotonic() - began


@contextlib.contextmanager
def experts_at(places: Sequence[Place], habits: Habits) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let an expert work at each project, in processes of their own; they are gone when the block ends."""
    started = [_start_expert(place, habits) for place in places]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def _start_expert(place: Place, habits: Habits) -> subprocess.Popen[bytes]:
    place.stop_file.unlink(missing_ok=True)
    options = ["--every", f"{habits.every_seconds}", "--boxes", f"{habits.most_boxes}"]
    options += ["--stale", f"{habits.stale_share}", "--seed", f"{habits.seed}"]
    options += ["--patience", f"{habits.patience_seconds}"]
    options += [] if habits.saves is None else ["--saves", f"{habits.saves}"]
    command = ["scripts.bench.daemon.experts", str(place.world), place.tool.value, *options]
    return _start(command, place.world / f"{place.tool.value}-expert.log")


def send_home(places: Sequence[Place], experts: Sequence[subprocess.Popen[bytes]], seconds: float = 30.0) -> list[int]:
    """Ask the experts to finish their save and go; return their exit statuses."""
    for place in places:
        place.stop_file.touch()
    return [expert.wait(seconds) for expert in experts]


@dataclass
class Rest:
    """Tells when the daemon has nothing left to do: asked over and over."""

    places: Sequence[Place]
    still_seconds: float = _STILL_SECONDS
    _since: float | None = None
    why_not: str = field(default="", init=False)

    def is_reached(self) -> bool:
        """Say whether there has been nothing to do for a while."""
        self.why_not = "; ".join(filter(None, map(why_busy, self.places)))
        now = time.monotonic()
        if self.why_not:
            self._since = None
        elif self._since is None:
            self._since = now
        return self._since is not None and now - self._since >= self.still_seconds


def why_busy(place: Place) -> str | None:
    """Say what is left to do in a project: a job, or a file that nobody has read; None when nothing is."""
    try:
        with open_store(place.project, is_dry_run=False) as store:
            left = store.jobs(JobState.WAITING, JobState.RUNNING)
            if left:
                return f"{place.tool.value}: {left[-1].kind.value} is {left[-1].state.value}: {left[-1].error}"
            unread = [e.name for e in place.project.source.slides() if not _is_known(store, e.key, e.annotation_path)]
    except (BridgeError, OSError) as error:
        return str(error)
    return f"{place.tool.value}: {', '.join(unread)} not read" if unread else None


def _is_known(store: Store, key: str, path: Path) -> bool:
    if not path.is_file():
        return True
    revision, last = revision_of(path.read_bytes()), store.last_read(key)
    return (last is not None and last.revision == revision) or store.is_own_revision(key, revision)


def store_complaints(places: Sequence[Place]) -> dict[str, list[str]]:
    """Ask ``slidebridge doctor --store`` of every project; return what it says where it isn't content."""
    found = {}
    for place in places:
        command = [sys.executable, "-m", "scripts.cli", "doctor", "--store", "--project", str(place.root)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).strip().splitlines()
        found[place.tool.value] = [f"doctor --store: {line}" for line in lines] if done.returncode else []
    return found


__all__ = [
    "Daemon",
    "DaemonError",
    "Rest",
    "experts_at",
    "send_home",
    "store_complaints",
    "wait_for",
    "why_busy",
]
