"""The tool's process: opens the file, lets the person change it, saves it slowly, over and over, until it is killed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import asdict
from random import Random

from bridge.files import PREFIX, replace_whole
from bridge.store import Backups, Store
from scripts.bench.torture.ledger import Ledger, read_ledger
from scripts.bench.torture.memory import Memory, human_state, recalled
from scripts.bench.torture.options import Job
from scripts.bench.torture.person import Sitting
from scripts.bench.torture.prints import prints_of
from scripts.bench.torture.stopping import Stop
from scripts.bench.torture.tools import Simulator, simulator_of, whole_version

_TAIL_BYTES = 400_000  # of the ledger: many times what lies between two openings of the file
_SITTINGS = (1, 1, 2, 4)  # saves before the person opens the file again
_FAIR_SHARE = 0.5  # of the pauses: in the others the tool lies in wait for our write
_GLANCE_SECONDS, _AMBUSH_SECONDS = 0.001, 0.01


def run_tool(job: Job, generation: int, *, is_last: bool = False) -> None:
    """Play the person until told to stop.

    Parameters
    ----------
    generation
        Counts the processes of this side: two of them draw different objects.
    is_last
        Open the file, save it once, undisturbed, and leave.
    """
    ledger = Ledger(job.tool_ledger)
    memory = recalled(read_ledger(job.tool_ledger, tail_bytes=_TAIL_BYTES))
    Viewer(job, generation, ledger, memory, Stop(), is_last).run()


class Viewer:
    """One process of the tool, with what it has in memory."""

    def __init__(self, job: Job, generation: int, ledger: Ledger, memory: Memory, stop: Stop, is_last: bool) -> None:
        self._job, self._ledger, self._memory, self._stop, self._is_last = job, ledger, memory, stop, is_last
        self._random = Random(f"{job.options.seed}/tool/{generation}")
        self._simulator: Simulator = simulator_of(job.options.tool)
        self._sitting = Sitting(job.options.tool, self._random, str(generation), set())
        self._dies_in = -1
        self._is_cut = False  # the file as it was opened, so that QuPath went on from its .bkp

    def run(self) -> None:
        """Open, change, save; open again."""
        while True:
            data = self._open()
            for _ in range(self._random.choice(_SITTINGS)):
                data = self._change(data)
                self._save(data)
                if self._stop.is_asked or self._is_last:
                    return
                self._rest(self._random.uniform(0, self._random.choice(self._job.pace.rest_seconds)))
            time.sleep(self._random.uniform(*self._job.pace.reopen_seconds))

    def _rest(self, seconds: float) -> None:
        """Pause between two saves; every other time no longer than until our write is about to go in."""
        if self._random.random() < _FAIR_SHARE:
            time.sleep(seconds)
            return
        known, until = self._staged(), time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(_GLANCE_SECONDS)
            if self._staged() - known:
                time.sleep(self._random.uniform(0, _AMBUSH_SECONDS))
                return

    def _staged(self) -> set[str]:
        return {path.name for path in self._job.target.parent.glob(f"{PREFIX}*.tmp")}

    def _open(self) -> bytes:
        """Open the file; where a save of the tool's own was cut, put the last version back that was believed."""
        data = whole_version(self._job.options.tool, self._job.target)
        self._is_cut = data is not None and self._job.target.exists() and self._job.target.read_bytes() != data
        if data is None:
            data = self._last_believed()
            everything, humans = self._note("restored", data)  # first: a kill right after it leaves the file so
            replace_whole(self._job.target, data, is_shared=False)  # by a name that none of our temporary files has
        else:
            everything, humans = self._note("open", data)
        self._sitting.mine = set(self._look(everything, humans))
        return data

    def _note(self, event: str, data: bytes) -> tuple[set[str], set[str]]:
        """Note what a version holds; return the prints of all objects, and of those without our identity."""
        found = self._simulator.parse(data)
        everything, humans = prints_of(found.annotations), prints_of(a for a in found.annotations if not a.is_ours)
        self._ledger.note(event, everything=sorted(everything), humans=sorted(humans))
        return everything, humans

    def _look(self, everything: set[str], humans: set[str]) -> frozenset[str]:
        state = human_state(self._memory, everything, humans)
        self._ledger.note("shown", state=sorted(state))
        self._memory.show(state)
        return state

    def _last_believed(self) -> bytes:
        """Return the newest version that SlideBridge has read, from its backups, as ``backups restore`` would.

        Before it has read any, there is only what the file was at the beginning. A version that was read and is in no
        backup ends this process with an error, and the run with it.
        """
        folder = self._job.root / ".slidebridge"
        with Store.open(folder) as store:
            read = next((store.last_read(slide.key) for slide in store.slides()), None)
        return self._job.first.read_bytes() if read is None else Backups(folder / "backups").load(read.revision)

    def _change(self, data: bytes) -> bytes:
        changes = self._sitting.changes(self._simulator.parse(data).annotations)
        return self._simulator.edit(data, changes)

    def _save(self, data: bytes) -> None:
        is_doomed = not self._is_last and self._random.random() < self._job.options.kills / self._job.options.writes / 4
        self._dies_in = self._random.randint(1, 6) if is_doomed else -1
        acts = [asdict(act) for act in self._sitting.acts]
        state = sorted(self._sitting.mine)
        self._ledger.note("begin", state=state, acts=acts)
        self._memory.begun.append(frozenset(state))
        saved = self._simulator.save(self._job.target, data, self._random, self._pause, self._hold)
        # QuPath's next save renames the cut file over the whole .bkp; if that save fails, the cut one comes back.
        self._is_cut = self._is_cut and not saved.is_done
        event = "end" if saved.is_done else "failed"
        self._ledger.note(event, held_seconds=saved.held_seconds, is_cut=self._is_cut)
        self._memory.note({"event": event, "is_cut": self._is_cut})

    def _hold(self) -> None:
        time.sleep(self._random.uniform(0, self._job.pace.hold_seconds))

    def _pause(self) -> None:
        self._dies_in -= 1
        if self._dies_in == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if not self._is_last and self._random.random() < 0.6:
            time.sleep(self._random.uniform(0, self._job.pace.piece_seconds))
