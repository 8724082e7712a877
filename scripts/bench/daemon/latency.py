"""How long a person waits: from a save until it is planned, and until the training on it begins.

The daemon watches a QuPath project and an ImageScope folder with a slide of 10,000 outlined objects each, beside
others, while a person saves a few times, each time when nothing is left to do. The settle time is taken off: it is a
setting. Beside it the naive way: a ``slidebridge sync --dry-run`` for each save, which reads everything anew. At smoke
scale nothing is measured: a daemon takes longer to come to rest than all the other benches there together.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely

from bridge.annotations import Annotation, SlideEntry
from bridge.imagescope.plain import write_imagescope
from bridge.store import JobKind, JobRecord, JobState
from scripts.bench.daemon.running import ROOT, Daemon, DaemonError, Rest, wait_for
from scripts.bench.daemon.world import BLOB, CLASSES, MPP, Place, Tool, make_world
from scripts.bench.measuring import Figure, Row, Scale, at_most
from scripts.bench.simulators import imagescope_editor, qupath
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.imagescope import resave
from scripts.project import open_store

NAME = "latency"
TITLE = "From a save to the training on it"
LIBRARIES = ("shapely", "lxml", "SQLAlchemy", "watchdog")
OBJECTS = 10_000
SAVES = 5
SETTLE_SECONDS = 0.5
PROMISED_SECONDS = 1.0  # from the end of the settle time until the save is planned
_CELL, _RADIUS, _CORNERS = 16, 6.0, 24  # pixels from one object to the next; vertices of each
_PATIENCE_SECONDS = 900.0  # the daemon's networks give way: beside other work they take many times as long
_SETTINGS = {"watch.settle_seconds": SETTLE_SECONDS, "train.max_steps": 4, "write.max_editable": 200}


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured of one tool, seconds after the settle time.

    Parameters
    ----------
    planned
        Until the file was read and reconciled, and its label plan made.
    training
        Until the training on it began.
    naive
        What a one-off pass over the project takes, without settle time.
    """

    tool: Tool
    objects: int
    planned: Figure
    training: Figure
    naive: Figure

    def rows(self) -> Iterator[Row]:
        """Yield both as rows of the table."""
        save = f"{self.tool.value}: save of {self.objects:,} objects →"
        naive, due = "sync --dry-run", at_most(PROMISED_SECONDS, "s")
        yield Row(f"{save} planned", self.planned, naive, self.naive, due)
        yield Row(f"{save} training began", self.training, target=due)


def rows(scale: Scale) -> Iterator[Row]:
    """Measure both tools."""
    if scale is Scale.FULL:
        with tempfile.TemporaryDirectory(prefix="latency-") as folder:
            for found in run(Path(folder).resolve() / "world"):
                yield from found.rows()


@dataclass
class Desk:
    """A person at one slide with many objects.

    Parameters
    ----------
    data
        The file as it is open.
    """

    place: Place
    entry: SlideEntry
    data: bytes = b""
    count: int = 0

    def fill(self, objects: int) -> None:
        """Outline many objects and call a strip of the slide complete; save."""
        side = _CELL * int(np.ceil(np.sqrt(objects)))
        strip = Annotation("00000000-0000-4000-8000-ffffffffffff", shapely.box(0, 0, side, 4 * _CELL), "ROI")
        drawn = (*outlines(objects), strip)
        if self.place.tool is Tool.QUPATH:
            self.data = self._edited(self.place.project.source.create(self.entry), drawn)
        else:
            self.data = resave(write_imagescope(drawn, (MPP, MPP)))
        self.save()

    def draw_one(self) -> None:
        """Draw one more object in the open image."""
        self.count += 1
        spot = shapely.box(3 * self.count, 2, 3 * self.count + 2, 4)
        drawn = Annotation(f"00000000-0000-4000-9000-{self.count:012d}", spot, BLOB, color=CLASSES[BLOB])
        self.data = self._edited(self.data, (drawn,))

    def _edited(self, data: bytes, drawn: Sequence[Annotation]) -> bytes:
        changes = Changes(add=tuple(drawn))
        if self.place.tool is Tool.QUPATH:
            return qupath.edit_image(data, changes)
        return resave(imagescope_editor.edit_xml(data, changes))

    def reopen(self) -> None:
        """Open the image again, with what was written to it since."""
        self.data = self.entry.annotation_path.read_bytes()

    def save(self) -> float:
        """Save at once; return when it was done, seconds since 1970."""
        path = self.entry.annotation_path
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.place.tool is Tool.QUPATH:
            qupath.save_image(path, self.data, count=1, pause=lambda: None)
        else:
            imagescope_editor.save_xml(path, self.data, count=1, pause=lambda: None)
        return time.time()

    @property
    def revision(self) -> str:
        """Of the file as it was saved."""
        return hashlib.sha256(self.data).hexdigest()


def outlines(count: int) -> tuple[Annotation, ...]:
    """Return objects in rows, whole-pixel corners."""
    side = int(np.ceil(np.sqrt(count)))
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * _RADIUS
    centres = np.stack([np.arange(count) % side, np.arange(count) // side + 1], axis=1) * _CELL + _CELL / 2
    rings = np.round(centres[:, None] + circle)
    return tuple(
        Annotation(f"00000000-0000-4000-8000-{i:012d}", shapely.Polygon(ring), BLOB, color=CLASSES[BLOB])
        for i, ring in enumerate(rings)
    )


def measure(daemon: Daemon, place: Place, desk: Desk, saves: int, objects: int) -> Latency:
    """Save a few times, each time when the daemon has nothing left to do."""
    planned, training = [], []
    for _ in range(saves):
        desk.reopen()
        desk.draw_one()
        saved = desk.save()
        read = _done_read(place, desk)
        trained = _training_after(place, read)
        planned.append(_moment(read.ended_at) - saved - SETTLE_SECONDS)
        training.append(_moment(trained.started_at) - saved - SETTLE_SECONDS)
        _come_to_rest(daemon, place)
    naive = [_one_pass(place) for _ in range(max(2, saves // 2))]
    return Latency(place.tool, objects, Figure.of(planned), Figure.of(training), Figure.of(naive))


def _done_read(place: Place, desk: Desk) -> JobRecord:
    return _job(place, lambda job: job.kind is JobKind.READ and job.input_hash == desk.revision)


def _training_after(place: Place, read: JobRecord) -> JobRecord:
    return _job(place, lambda job: job.kind is JobKind.TRAIN and job.id > read.id)


def _job(place: Place, is_it: Callable[[JobRecord], bool]) -> JobRecord:
    found: list[JobRecord] = []

    def is_done() -> bool:
        with open_store(place.project, is_dry_run=False) as store:
            found[:] = [job for job in store.jobs(JobState.DONE) if is_it(job)]
        return bool(found)

    if not wait_for(is_done, _PATIENCE_SECONDS):
        raise DaemonError(f"{place.tool.value}: the daemon didn't do what was waited for")
    return found[-1]


def _come_to_rest(daemon: Daemon, place: Place) -> None:
    rest = Rest((place,))
    if not wait_for(rest.is_reached, _PATIENCE_SECONDS, poll_seconds=0.3):
        doing = ", ".join(sorted(daemon.doing())) or "nothing"
        raise DaemonError(f"no rest in {_PATIENCE_SECONDS:.0f} s: {rest.why_not}; the daemon does {doing}")


def _moment(at: datetime | None) -> float:
    assert at is not None, "the job has run"
    return at.astimezone(UTC).timestamp()


def _one_pass(place: Place) -> float:
    command = [sys.executable, "-m", "scripts.cli", "sync", "--dry-run", "--project", str(place.root)]
    began = time.monotonic()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.monotonic() - began


def run(world: Path, *, objects: int = OBJECTS, saves: int = SAVES) -> tuple[Latency, ...]:
    """Measure both tools, one after the other, with one daemon."""
    side = _CELL * (int(np.ceil(np.sqrt(objects))) + 2)
    places = make_world(world, slides=2, side=side, settings=_SETTINGS)
    desks = [Desk(place, place.project.source.slides()[0]) for place in places]
    for desk in desks:
        desk.fill(objects)
    daemon = Daemon(places, world / "watch.log")
    daemon.start()
    try:
        daemon.wait_until_watching()
        for place in places:
            _come_to_rest(daemon, place)
        return tuple(measure(daemon, place, desk, saves, objects) for place, desk in zip(places, desks, strict=True))
    finally:
        daemon.stop(60.0)
