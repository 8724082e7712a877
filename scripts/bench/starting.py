"""How long a command takes before it does anything, beside what others take to be imported.

Each run is a fresh process, ours and the other in turn, after one of each that isn't counted and leaves the libraries'
files in the system's cache; the smoke run does each once, and again only where it was slow. ``import bridge`` is of all
its rooms. ``status`` is of a project of one slide whose file is as the last pass left it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.daemon.world import make_world
from scripts.bench.measuring import Row, Scale, at_most, in_turn, repeated
from scripts.bench.peers import PeerMissing, peer_python

NAME = "starting"
TITLE = "Start-up"
LIBRARIES = ("typer", "rich", "numpy", "shapely", "SQLAlchemy", "pydantic", "torch", "monai")
_ROOT = Path(__file__).parents[2]
_ROOMS = "annotations export formats imagescope ingest qupath raster slides store watch"
_BRIDGE = ("-c", "import " + ", ".join(f"bridge.{room}" for room in _ROOMS.split()))
_HELP = ("-m", "scripts.cli", "--help")


@dataclass(frozen=True, slots=True)
class Process:
    """A Python with its arguments."""

    name: str
    arguments: tuple[str, ...]
    python: Path = Path(sys.executable)
    folder: Path = _ROOT

    def run(self) -> None:
        """Run it to its end; what it prints goes nowhere."""
        subprocess.run([self.python, *self.arguments], cwd=self.folder, capture_output=True, check=True)


@dataclass(frozen=True, slots=True)
class Start:
    """Something of ours that starts, the seconds that it may take, and the smoke run's least ratio to NumPy."""

    process: Process
    most_seconds: float
    least_ratio: float


def rows(scale: Scale) -> Iterator[Row]:
    """Measure ``--help``, ``import bridge`` and ``status``."""
    with tempfile.TemporaryDirectory() as scratch:
        status = ("-m", "scripts.cli", "status", "--project", str(_project(Path(scratch) / "world", scale)))
        starts = (
            Start(Process("slidebridge --help", _HELP), 0.3, 0.15),
            Start(Process("import bridge, all rooms", _BRIDGE), 0.5, 0.08),
            Start(Process("slidebridge status", status), 1.0, 0.04),
        )
        if scale is Scale.SMOKE:
            yield from (_row(start, _importing("numpy"), scale) for start in starts)
            return
        yield from (_row(start, _importing("torch"), scale) for start in starts)
        yield _row(starts[0], Process("an empty Python", ("-c", "pass")), scale)
        yield _row(starts[1], _importing("monai"), scale)
        yield _row_beside_tiffslide(starts[1])


def _project(world: Path, scale: Scale) -> Path:
    """Make a project of one slide; at full scale with our boxes on it, read since."""
    place = make_world(world, slides=1, side=256, settings={"watch.settle_seconds": 0.05})[-1]
    for _ in range(2 if scale is Scale.FULL else 0):
        Process("sync", ("-m", "scripts.cli", "sync", "--project", str(place.root))).run()
    return place.root


def _importing(library: str) -> Process:
    return Process(f"import {library}", ("-c", f"import {library}"))


def _row(start: Start, other: Process, scale: Scale) -> Row:
    is_full = scale is Scale.FULL
    if is_full:
        start.process.run()
        other.run()
    ours, theirs, _, _ = in_turn(start.process.run, other.run, runs=5 if is_full else 1)
    target = at_most(start.most_seconds, "s") if other == _importing("torch") else None  # once each
    return Row(start.process.name, ours, other.name, theirs, target, None if is_full else start.least_ratio)


def _row_beside_tiffslide(start: Start) -> Row:
    """Measure beside a library that opens slides and does nothing else, in its own environment."""
    try:
        python = peer_python("tiffslide")
    except PeerMissing as error:
        ours, _ = repeated(start.process.run, runs=5)
        return Row(start.process.name, ours, "import tiffslide", note=f"not measured: {error}")
    return _row(start, Process("import tiffslide", ("-c", "import tiffslide"), python), Scale.FULL)
