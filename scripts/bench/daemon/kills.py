"""The daemon killed at random instants, over and over, while experts work: ``python -m scripts.bench.daemon.kills``.

Each time it is started anew. After the last kill the experts go home, the daemon works off what is left, is asked to
stop, and the judge looks at everything. Exit 1 on any fault.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from scripts.bench.daemon.experts import Habits
from scripts.bench.daemon.judge import Demands
from scripts.bench.daemon.running import Daemon, Rest, experts_at, send_home, wait_for
from scripts.bench.daemon.verdict import Verdict, judged
from scripts.bench.daemon.world import make_world

_SETTLING_IN = 0.25  # share of the kills while it starts, before it tells that it watches
_LONGEST_START = 6.0  # seconds
_AT_WORK = (0.02, 9.0)  # seconds from then on: shortest and longest
_EVENLY = 0.5  # share of those that may come at any moment alike; the others come early rather than late
_MOST_CRASHES = 5
_SETTINGS = {
    "train.max_steps": 12,  # many short steps of every kind rather than one long one
    "store.keep_backups": 500,  # the judge looks for every save that was read
}


@dataclass
class Killing:
    """What a run is asked for, and how it went.

    Parameters
    ----------
    rest_seconds
        How long the last daemon may take for what is left.
    killed_at
        What the daemon was doing → how often it was killed at it.
    """

    world: Path
    kills: int = 100
    seed: int = 0
    slides: int = 3
    every_seconds: float = 3.0
    rest_seconds: float = 240.0
    killed_at: Counter[str] = field(default_factory=Counter, init=False)
    crashes: int = field(default=0, init=False)
    stopped_with: int | None = field(default=None, init=False)
    why_restless: str = field(default="", init=False)

    @property
    def log(self) -> Path:
        """What the daemon said."""
        return self.world / "watch.log"

    def run(self) -> Verdict:
        """Kill as often as asked, let the world come to rest, and judge."""
        places = make_world(self.world, slides=self.slides, seed=self.seed, settings=_SETTINGS)
        daemon, random = Daemon(places, self.log), Random(self.seed)
        habits = Habits(every_seconds=self.every_seconds, stale_share=0.15, seed=self.seed)
        with experts_at(places, habits) as experts:
            try:
                while self.killed_at.total() < self.kills:
                    daemon.start()
                    self._let_live(daemon, choose_life(random))
                assert not any(send_home(places, experts)), "an expert's program failed; see its log"
                daemon.start()
                rest = Rest(places)
                if not wait_for(rest.is_reached, self.rest_seconds, poll_seconds=0.3):
                    self.why_restless = rest.why_not
                self.stopped_with, _ = daemon.stop(60.0)
            finally:
                daemon.kill()
        return judged(places, Demands(replaced_within_seconds=math.inf, least_answered=0.9))

    def _let_live(self, daemon: Daemon, life: Life) -> None:
        """Kill the daemon after a while; one that ends before by itself has crashed."""
        if life.is_at_work:
            wait_for(lambda: daemon.is_watching() or not daemon.is_running, 60.0, poll_seconds=0.02)
        if wait_for(lambda: not daemon.is_running, life.seconds, poll_seconds=0.01):
            self.crashes += 1
            assert self.crashes < _MOST_CRASHES, f"the daemon doesn't stay up; see {self.log}"
            return
        doing = daemon.doing()
        daemon.kill()
        self.killed_at["+".join(sorted(doing)) or "idle"] += 1

    def is_good(self, verdict: Verdict) -> bool:
        """Say whether nothing was lost or doubled, nobody crashed, and everything was worked off."""
        return verdict.is_good and not self.crashes and not self.why_restless and self.stopped_with == 0


@dataclass(frozen=True, slots=True)
class Life:
    """How long a daemon lives: some seconds from its start, or from when it tells that it watches."""

    is_at_work: bool
    seconds: float


def choose_life(random: Random) -> Life:
    """Return when to kill: start-up, reading, training, predicting and writing all have their turn."""
    if random.random() < _SETTLING_IN:
        return Life(False, random.uniform(0, _LONGEST_START))
    least, most = _AT_WORK
    if random.random() < _EVENLY:
        return Life(True, random.uniform(least, most))
    return Life(True, math.exp(random.uniform(math.log(least), math.log(most))))


def report(killing: Killing, verdict: Verdict, seconds: float) -> str:
    """Return what there is to say: what it was doing when killed, and the judgement."""
    lines = [f"killed {killing.killed_at.total()} times in {seconds / 60:.1f} min, while it was:"]
    lines += [f"  {doing:<20} {count:4d}  {'█' * count}" for doing, count in killing.killed_at.most_common()]
    lines.append(f"crashes: {killing.crashes}; last one stopped with: {killing.stopped_with}")
    if killing.why_restless:
        lines.append(f"FAULT never came to rest: {killing.why_restless}")
    return "\n".join([*lines, str(verdict)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.daemon.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slides", type=int, default=3, help="of each project")
    parser.add_argument("--keep", type=Path, help="leave everything in this folder, to look at afterwards")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        world = asked.keep or Path(folder) / "world"
        began = time.monotonic()
        killing = Killing(world.resolve(), asked.kills, asked.seed, asked.slides)
        verdict = killing.run()
        print(report(killing, verdict, time.monotonic() - began))
    return int(not killing.is_good(verdict))


if __name__ == "__main__":
    sys.exit(main())
