"""From a person's first save until predictions are in the file: how long, and where the time goes.

A daemon watches a folder with an ImageScope file of one slide, without a model. A person outlines objects, calls a
strip of the slide complete and saves: the first training follows, whose model is always taken into use, and what it
predicts is written into that file. The daemon's own records of its jobs say when each began and ended.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.store import JobKind, JobRecord, JobState
from scripts.bench.daemon.latency import OBJECTS, SETTLE_SECONDS, Desk
from scripts.bench.daemon.running import Daemon, DaemonError, wait_for
from scripts.bench.daemon.world import Place, Tool, make_world
from scripts.bench.measuring import Figure, Row
from scripts.project import open_store

_CELL = 16  # pixels from one of the desk's objects to the next
_STEPS = 20
_PATIENCE_SECONDS = 300.0
_SETTINGS = {"watch.settle_seconds": SETTLE_SECONDS, "train.max_steps": _STEPS}
_ORDER = (JobKind.READ, JobKind.TRAIN, JobKind.PREDICT, JobKind.WRITE)


def save_to_predictions(objects: int = OBJECTS) -> Row:
    """Measure it once, from a save of so many objects.

    Raises
    ------
    DaemonError
        The predictions never came.
    """
    with tempfile.TemporaryDirectory(prefix="renewed-") as folder:
        world = Path(folder).resolve() / "world"
        side = _CELL * (int(objects**0.5) + 3)
        (place,) = (one for one in make_world(world, slides=1, side=side, settings=_SETTINGS) if _is_ours(one))
        desk = Desk(place, place.project.source.slides()[0])
        daemon = Daemon((place,), world / "watch.log")
        daemon.start()
        try:
            daemon.wait_until_watching()
            desk.fill(objects)
            saved = desk.entry.annotation_path.stat().st_mtime
            jobs = _jobs_until_written(place, desk.revision)
        finally:
            daemon.stop(60.0)
    text = f"imagescope: save of {objects:,} objects → training of {_STEPS} steps → predictions in the file"
    return Row(text, Figure.of([_ended(jobs[-1]) - saved]), note=", ".join(_parts(jobs, saved)))


def _is_ours(place: Place) -> bool:
    return place.tool is Tool.IMAGESCOPE


def _jobs_until_written(place: Place, revision: str) -> Sequence[JobRecord]:
    """Wait for predictions in the file; return the jobs that led there, one of each kind."""
    found: list[JobRecord] = []

    def is_written() -> bool:
        with open_store(place.project, is_dry_run=False) as store:
            done = store.jobs(JobState.DONE)
        read = next((job for job in done if job.kind is JobKind.READ and job.input_hash == revision), None)
        chain = [read] if read is not None else []
        for kind in _ORDER[1:]:
            later = [job for job in done if chain and job.kind is kind and _began(job) >= _ended(chain[-1])]
            if not later:
                return False
            chain.append(min(later, key=_began))
        found[:] = chain
        return True

    if not wait_for(is_written, _PATIENCE_SECONDS):
        raise DaemonError("the daemon wrote no predictions")
    return found


def _parts(jobs: Sequence[JobRecord], saved: float) -> Iterator[str]:
    """Yield where the time went: each job, and the waiting before it where there was any."""
    before = saved
    for job in jobs:
        if _began(job) - before >= 0.05:
            waited = "settling and waiting" if job.kind is JobKind.READ else "waiting"
            yield f"{waited} {_began(job) - before:.1f} s"
        yield f"{job.kind.value} {_ended(job) - _began(job):.1f} s"
        before = _ended(job)


def _began(job: JobRecord) -> float:
    assert job.started_at is not None, "the job has run"
    return job.started_at.timestamp()


def _ended(job: JobRecord) -> float:
    assert job.ended_at is not None, "the job has run"
    return job.ended_at.timestamp()
