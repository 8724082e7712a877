"""The daemon for a long time with a save every few seconds: ``python -m scripts.bench.daemon.soak --minutes 30``.

Memory, threads, open files and store are looked at every five seconds; at the end the slopes of their floors are held
against bounds, the daemon is asked once to stop, and the judge looks at everything. Exit 1 when something grew, or on
any fault.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bridge.store import JobRecord
from scripts.bench.daemon.experts import Habits
from scripts.bench.daemon.judge import Demands
from scripts.bench.daemon.running import Daemon, Rest, experts_at, send_home, wait_for
from scripts.bench.daemon.samples import HEADER, Sample, Trend, save_samples, take_sample, trends
from scripts.bench.daemon.verdict import Verdict, judged
from scripts.bench.daemon.world import Place, Tool, make_world
from scripts.project import open_store

SAMPLE_SECONDS = 5.0
WARM_UP = 1 / 3  # of the time: caches fill, the allocator finds its size, every kind of job was done once
BOUNDS: Mapping[str, float] = {  # growth per hour that counts as flat
    "rss_mib": 60.0,  # 1 MiB a minute; a kept picture of one slide per save would be 500 an hour
    "threads": 6.0,  # one that comes and goes is no slope; one left by every training would be hundreds
    "handles": 12.0,
    "children": 6.0,
    "store_mib": 6.0,
    "log_mib": 12.0,
}
LEAST_MINUTES = 15.0  # in less, everything is still warming up: figures are shown, slopes not judged
_RECENT_JOBS = 200  # many more than are done between two looks
PATIENCE_SECONDS = 30.0  # until a save must have been read, on a machine whose disk others keep busy
STOP_SECONDS = 20.0  # a step of the tiny trainings here takes a fraction of a second


@dataclass
class Soak:
    """What a run is asked for, and how it went."""

    world: Path
    minutes: float = 30.0
    every_seconds: float = 4.0
    seed: int = 0
    slides: int = 3
    samples: list[Sample] = field(default_factory=list, init=False)
    stop_status: int | None = field(default=None, init=False)
    stop_seconds: float = field(default=0.0, init=False)
    why_restless: str = field(default="", init=False)
    _jobs: dict[Tool, dict[int, JobRecord]] = field(default_factory=dict, init=False)

    @property
    def log(self) -> Path:
        """What the daemon said."""
        return self.world / "watch.log"

    def run(self) -> Verdict:
        """Let the experts work, look at the daemon, stop it, and judge."""
        places = make_world(self.world, slides=self.slides, seed=self.seed)
        daemon = Daemon(places, self.log)
        habits = Habits(
            self.every_seconds * len(places), stale_share=0.1, patience_seconds=PATIENCE_SECONDS, seed=self.seed
        )
        daemon.start()
        try:
            daemon.wait_until_watching()
            with experts_at(places, habits) as experts:
                self._watch(daemon, places)
                assert not any(send_home(places, experts)), "an expert's program failed; see its log"
            rest = Rest(places)
            if not wait_for(rest.is_reached, 240.0, poll_seconds=0.5):
                self.why_restless = rest.why_not
            self._remember_jobs(places)
            self.stop_status, self.stop_seconds = daemon.stop(120.0)
        finally:
            daemon.kill()
        seen = {tool: tuple(jobs.values()) for tool, jobs in self._jobs.items()}
        return judged(places, Demands(least_answered=0.9), seen)

    def _watch(self, daemon: Daemon, places: Sequence[Place]) -> None:
        assert daemon.process is not None
        folders = [place.project.data_folder for place in places]
        process, began = psutil.Process(daemon.process.pid), time.monotonic()
        while (seconds := time.monotonic() - began) < self.minutes * 60:
            assert daemon.is_running, f"the daemon ended; see {self.log}"
            self.samples.append(take_sample(process, seconds, folders))
            save_samples(self.world / "samples.csv", self.samples)
            self._remember_jobs(places)
            wait_for(lambda: not daemon.is_running, min(SAMPLE_SECONDS, self.minutes * 60 - seconds))

    def _remember_jobs(self, places: Sequence[Place]) -> None:
        """Take down the jobs of the last while: the store keeps a thousand, and the judge counts them all."""
        for place in places:
            with open_store(place.project, is_dry_run=False) as store:
                found = store.jobs(limit=_RECENT_JOBS)
            self._jobs.setdefault(place.tool, {}).update((job.id, job) for job in found)

    def trends(self) -> tuple[Trend, ...]:
        """Return how memory, threads and the rest went."""
        return trends(self.samples, BOUNDS if self.minutes >= LEAST_MINUTES else {}, warm_up=WARM_UP)

    def faults(self, verdict: Verdict) -> list[str]:
        """Return everything that is not as it should be."""
        found = [f"{trend.name} grows" for trend in self.trends() if not trend.is_flat]
        if self.stop_status != 0 or self.stop_seconds > STOP_SECONDS:
            found.append(f"stopping took {self.stop_seconds:.1f} s, exit status {self.stop_status}")
        if self.why_restless:
            found.append(f"never came to rest: {self.why_restless}")
        return [*found, *map(str, verdict.findings)]


def report(soak: Soak, verdict: Verdict) -> str:
    """Return the table and the verdict."""
    faults = soak.faults(verdict)
    lines = [
        f"{soak.minutes:g} min, a save every {soak.every_seconds:g} s; the first third is warm-up",
        HEADER,
        *map(str, soak.trends()),
        f"asked once to stop: exit {soak.stop_status} after {soak.stop_seconds:.2f} s",
        str(verdict),
        *(f"FAULT {fault}" for fault in faults),
    ]
    return "\n".join([*lines, "SOAK FAILED" if faults else "SOAK ok"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.daemon.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=4.0, help="seconds from save to save, of all experts together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slides", type=int, default=3, help="of each project")
    parser.add_argument("--keep", type=Path, help="leave everything in this folder, the samples as samples.csv too")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        world = (asked.keep or Path(folder) / "world").resolve()
        soak = Soak(world, asked.minutes, asked.every, asked.seed, asked.slides)
        verdict = soak.run()
        print(report(soak, verdict))
        return int(bool(soak.faults(verdict)))


if __name__ == "__main__":
    sys.exit(main())
