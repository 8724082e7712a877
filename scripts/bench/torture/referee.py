"""The referee: starts both sides, kills them at random, lets them come to rest now and then, and looks at the file."""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from random import Random

from bridge.errors import AnnotationFileError
from scripts.bench.torture.counting import contested, contested_closely, our_counts
from scripts.bench.torture.judge import Verdict, judge
from scripts.bench.torture.ledger import Event, Ledger, read_ledger
from scripts.bench.torture.options import Job, Mode, Options
from scripts.bench.torture.our_process import run_ours, settle_ours
from scripts.bench.torture.prints import prints_of
from scripts.bench.torture.search import Searched
from scripts.bench.torture.tool_process import run_tool
from scripts.bench.torture.tools import simulator_of
from scripts.bench.torture.world import make_world

_TICK_SECONDS = 0.005
_CHECKS = 12  # times that everything comes to rest, over a long run
_FEWEST_TRIES = 12  # between two rests
_GRACE_SECONDS = 120.0  # for a side that was asked to end: only one that hangs takes so long, however busy the machine
_MOST_CRASHES = 5


@dataclass(frozen=True, slots=True)
class Result:
    """A run, counted.

    Parameters
    ----------
    kills
        Side → processes that ended by SIGKILL, the referee's and their own.
    crashes
        Processes that ended otherwise than asked: a line each.
    tries
        Writes that our side began.
    """

    options: Options
    verdict: Verdict
    counts: Counter[str]
    contested: int
    closely: int
    kills: Counter[str]
    crashes: tuple[str, ...]
    tries: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nothing lost that isn't explained, nothing broken, nothing counted that nobody did."""
        verdict = self.verdict
        return not (verdict.lost or verdict.unparsable or verdict.false_deletions or self.crashes)

    @property
    def is_complete(self) -> bool:
        """The numbers asked for were reached in time."""
        options = self.options
        is_written = self.tries >= options.writes and self.contested >= options.writes
        return is_written and self.kills.total() >= options.kills


def run(options: Options, root: Path) -> Result:
    """Run the torture in an empty folder."""
    if sys.platform == "win32":
        raise OSError("the torture forks its processes, which Windows can't; run it on Linux or macOS")
    return Referee(make_world(root, options)).run()


@dataclass(slots=True)
class _Side:
    """One of the two processes, and how to start it anew."""

    name: str
    start: Callable[[int], ForkProcess]
    process: ForkProcess | None = None
    generation: int = 0
    resume_at: float = 0.0

    def wake(self) -> None:
        if self.process is None and time.monotonic() >= self.resume_at:
            self.generation += 1
            self.process = self.start(self.generation)


@dataclass
class Referee:
    """Runs one job."""

    job: Job
    _kills: Counter[str] = field(default_factory=Counter)
    _crashes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._context: ForkContext = multiprocessing.get_context("fork")
        self._random = Random(f"{self.job.options.seed}/referee")
        # One process writes it at a time; with a lock, one that is killed holding it would stop everybody for good.
        self._attempts: ctypes.c_long = self._context.RawValue(ctypes.c_long, 0)
        self._ledger = Ledger(self.job.tool_ledger)
        self._lasts = itertools.count(10_000)  # generations of the tool that save once, at a rest

    def run(self) -> Result:
        """Torture until enough was written and killed, then judge."""
        began = time.monotonic()
        sides = (
            _Side("tool", lambda generation: self._spawn(run_tool, generation)),
            _Side("ours", lambda generation: self._spawn(run_ours, generation, self._attempts)),
        )
        while not self._is_enough() and time.monotonic() - began < self.job.options.limit_seconds:
            self._round(sides, began)
            self.rest(sides)
            if len(self._crashes) >= _MOST_CRASHES:
                break
        return self._result(time.monotonic() - began)

    def _is_enough(self) -> bool:
        options = self.job.options
        if self._kills.total() < options.kills or self._attempts.value < options.writes:
            return False
        return contested(*self._ledgers()) >= options.writes

    def _ledgers(self) -> tuple[list[Event], list[Event]]:
        return list(read_ledger(self.job.tool_ledger)), list(read_ledger(self.job.our_ledger))

    def _round(self, sides: Iterable[_Side], began: float) -> None:
        """Let both sides work, killing as many as is due, until it is time for a rest."""
        options = self.job.options
        until = self._attempts.value + max(_FEWEST_TRIES, options.writes // _CHECKS)
        while self._attempts.value < until and time.monotonic() - began < options.limit_seconds:
            for side in sides:
                side.wake()
            time.sleep(_TICK_SECONDS)
            due = options.kills * self._attempts.value / options.writes
            if self._kills.total() < due and self._random.random() < 0.2:
                self._kill(self._random.choice(list(sides)))
            for side in sides:
                self._bury(side)
            if len(self._crashes) >= _MOST_CRASHES:
                return

    def _kill(self, side: _Side) -> None:
        if side.process is not None:
            side.process.kill()
            side.process.join()

    def _bury(self, side: _Side) -> None:
        """Count how a process ended, and say when the next one starts: at once, soon, or after a while."""
        if side.process is None or side.process.is_alive():
            return
        self._count_end(side.name, side.process)
        side.process = None
        side.resume_at = time.monotonic() + self._random.choice((0.0, 0.02, 0.05, 0.15))

    def _count_end(self, name: str, process: ForkProcess) -> None:
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self._kills[name] += 1
        elif process.exitcode not in (0, -signal.SIGTERM):  # asked to end before it had learned to listen
            self._crashes.append(f"{name} ended with exit status {process.exitcode}, its error is on the error output")

    def rest(self, sides: Iterable[_Side]) -> None:
        """Let both sides end, the tool finish what it was cut in, and ours what it was; then look at the file."""
        for side in sides:
            if side.process is not None:
                side.process.terminate()
                side.process.join(_GRACE_SECONDS)
                if side.process.is_alive():
                    side.process.kill()
                    self._crashes.append(f"{side.name}, asked to end, was still there after {_GRACE_SECONDS:.0f} s")
                self._count_end(side.name, side.process)
                side.process = None
        self._settle()
        if not self._is_whole():  # what ours put back was cut: the tool was killed while it wrote into what we replaced
            self._settle()
        self._check()

    def _settle(self) -> None:
        if not self._is_whole():
            self._finish("tool, opening a file", self._spawn(run_tool, next(self._lasts), is_last=True))
        self._finish("ours, settling", self._spawn(settle_ours))

    def _finish(self, name: str, process: ForkProcess) -> None:
        process.join(_GRACE_SECONDS)
        if process.exitcode is None:
            process.kill()
            self._crashes.append(f"{name}, wasn't done after {_GRACE_SECONDS:.0f} s")
        elif process.exitcode != 0:
            said = "its error is on the error output"
            self._crashes.append(f"{name}, ended with exit status {process.exitcode}, {said}")

    def _is_whole(self) -> bool:
        """Say whether the last save of the tool was finished."""
        backup = self.job.target.with_name(f"{self.job.target.name}.bkp")
        return self._parsed(self.job.target) is not None and not backup.exists()

    def _parsed(self, path: Path) -> tuple[set[str], set[str]] | None:
        """Return the prints of all objects and of those without our identity; None for what can't be parsed."""
        try:
            found = simulator_of(self.job.options.tool).parse(path.read_bytes())
        except (AnnotationFileError, FileNotFoundError):
            return None
        return prints_of(found.annotations), prints_of(a for a in found.annotations if not a.is_ours)

    def _check(self) -> None:
        found = self._parsed(self.job.target)
        if found is None:
            self._ledger.note("unparsable")
        else:
            self._ledger.note("check", everything=sorted(found[0]), humans=sorted(found[1]))

    def _spawn(self, work: Callable[..., None], *arguments: object, **options: object) -> ForkProcess:
        process = self._context.Process(target=work, args=(self.job, *arguments), kwargs=options, daemon=True)
        process.start()
        return process

    def _result(self, seconds: float) -> Result:
        tool, ours = self._ledgers()
        options, pace = self.job.options, self.job.pace
        verdict = judge(
            tool,
            ours,
            Searched(self.job, ours).find,
            longest_hold=pace.displaced_seconds,
            has_window=options.mode is not Mode.EXCHANGE,
        )
        return Result(
            options,
            verdict,
            our_counts(ours),
            contested(tool, ours),
            contested_closely(tool, ours),
            self._kills,
            tuple(self._crashes),
            self._attempts.value,
            seconds,
        )
