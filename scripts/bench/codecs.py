"""How fast the codecs are, and how much memory they take, beside parsers that make no annotations of what they parse.

``python -m scripts.bench.codecs [--objects N]`` prints one row per work and parser: ours, peak, theirs, peak, ratio.
Every measurement is a process of its own, warmed up on a few objects; seconds are the median of three runs, the peak is
what the process holds at most during the first of them beyond what it held before, input included in neither. Without
``/proc`` the peak of the whole process is taken, from its start.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
import orjson
import shapely
from lxml import etree

from bridge import imagescope, qupath
from bridge.annotations import Annotation, Edits, MachineObject, MachineRole
from bridge.errors import BridgeError
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import geojson_edit
from bridge.qupath.paquo_backend import QuPath
from bridge.qupath.plain import append_annotations
from bridge.qupath.project import QuPathProject

OBJECTS = 50_000
VERTICES = 50
WARM_UP = 20  # objects: what is imported and compiled on first use isn't counted
RUNS = 3
QPDATA, XML, GEOJSON = "data.qpdata", "annotations.xml", "annotations.geojson"
MIB = 1 << 20
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one work took: seconds, and bytes at most."""

    seconds: float
    peak: int

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s {self.peak / MIB:7.0f} MiB"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    work: str
    ours: Cost
    parser: str
    theirs: Cost

    def __str__(self) -> str:
        ratio = self.theirs.seconds / self.ours.seconds
        return f"{self.work:<33} {self.ours}   {self.parser:<17} {self.theirs}  {ratio:6.2f} ×"


@dataclass(frozen=True, slots=True)
class Task:
    """What a process measures: the work by its name, the file that it reads, how many objects there are."""

    work: str
    file: Path
    objects: int


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.codecs")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="polygons of 50 vertices (default: %(default)s)")
    objects = parser.parse_args(arguments).objects
    title = f"{objects:,} polygons of {VERTICES}"
    print(f"{title:<33} {'ours':>9} {'peak':>11}   {'beside':<17} {'theirs':>9} {'peak':>11}  {'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for count, place in ((objects, Path(folder) / "all"), (WARM_UP, Path(folder) / "few")):
            in_child(write_files, count, place)
        for row in rows(Path(folder) / "all", objects):
            print(row, flush=True)
        print(beside_qupath(Path(folder) / "all", objects))


def rows(folder: Path, objects: int) -> Iterator[Row]:
    """Measure everything that needs no QuPath."""
    parsers = {
        "lxml.fromstring": Task("parse XML", folder / XML, objects),
        "json.loads": Task("parse JSON", folder / GEOJSON, objects),
        "orjson.loads": Task("parse JSON by orjson", folder / GEOJSON, objects),
    }
    theirs = {name: in_child(measure, task) for name, task in parsers.items()}
    beside = {XML: ("lxml.fromstring",), GEOJSON: ("json.loads", "orjson.loads"), QPDATA: tuple(parsers)}
    for file in (QPDATA, XML, GEOJSON):
        for action in ("read", "append one to", "write"):
            ours = in_child(measure, Task(f"{action} {file}", folder / file, objects))
            yield from (Row(f"{action} {file}", ours, name, theirs[name]) for name in beside[file])


def beside_qupath(folder: Path, objects: int) -> str:
    """Measure how long QuPath takes to read the same objects, Java's start included, or say why it can't."""
    name = f"read {QPDATA}"
    try:
        start = time.perf_counter()
        QuPath().read_bytes(QuPathProject(folder / "project.qpproj"), {"1": (folder / QPDATA).read_bytes()})
        theirs = time.perf_counter() - start
    except BridgeError as error:
        return f"{name:<33} not beside paquo: {error}"
    ours = in_child(measure, Task(name, folder / QPDATA, objects))
    return f"{name:<33} {ours}   {'paquo, one run':<17} {theirs:7.2f} s {'—':>11}  {theirs / ours.seconds:6.2f} ×"


def draw(objects: int) -> tuple[Annotation, ...]:
    """Return outlines of 50 vertices on a grid, two classes, coordinates of 0.01 px as QuPath has them."""
    generator = np.random.default_rng(0)
    number = np.arange(objects)
    side = max(1, int(np.ceil(np.sqrt(objects))))
    centre = np.stack([number % side, number // side], axis=1) * 100.0 + 50
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radius = 40 * (1 + 0.1 * np.sin(5 * angle + generator.uniform(0, 7, (objects, 1))))
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outlines = shapely.polygons(np.round(centre[:, None] + radius[..., None] * turn, 2))
    return tuple(
        Annotation(_name(i), outline, ("Tumor", "Stroma")[i % 2], color=((200, 0, 0), (0, 200, 0))[i % 2])
        for i, outline in enumerate(outlines.tolist())
    )


def write_files(objects: int, folder: Path) -> None:
    """Write the same objects in every format, in a project of one image."""
    folder.mkdir()
    image = qupath.NewImage(
        Path("/slides/a.svs"), "a", 90_000, 90_000, ((90_000, 90_000),), (0.5, 0.5), 20.0, (256, 256), True
    )
    project = qupath.create_project(folder, [image], {"Tumor": (200, 0, 0)}, now=datetime(2026, 1, 1, tzinfo=UTC))
    (folder / "empty.qpdata").write_bytes(project.create(project.slides()[0]))
    drawn = draw(objects)
    for file in (QPDATA, XML, GEOJSON):
        (folder / file).write_bytes(_written(file, drawn, folder))


def measure(task: Task) -> Cost:
    """Do a work three times in this process."""
    few = task.file.parent.parent / "few" / task.file.name
    _work(task.work, few, WARM_UP)()
    work = _work(task.work, task.file, task.objects)
    gc.collect()
    before = _start_peak()
    seconds = [_timed(work)]
    peak = _peak() - before
    seconds += [_timed(work) for _ in range(RUNS - 1)]
    return Cost(statistics.median(seconds), peak)


def in_child(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Return what the work returns in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments, named)


def _work(name: str, file: Path, objects: int) -> Callable[[], object]:
    """Return the work with everything that it needs already in memory."""
    if name.startswith("write "):
        drawn = draw(objects)
        return lambda: _written(file.name, drawn, file.parent)
    data = file.read_bytes()
    works: dict[str, Callable[[], object]] = {
        f"read {QPDATA}": lambda: qupath.read_qpdata(data),
        f"read {XML}": lambda: imagescope.read_imagescope(data),
        f"read {GEOJSON}": lambda: qupath.read_geojson(data),
        f"append one to {QPDATA}": lambda: qupath.apply_edits(data, _one_more(objects)),
        f"append one to {XML}": lambda: imagescope.apply_edits(data, _one_more(objects)),
        f"append one to {GEOJSON}": lambda: geojson_edit.apply_edits(data, _one_more(objects)),
        "parse XML": lambda: etree.fromstring(data),
        "parse JSON": lambda: json.loads(data),
        "parse JSON by orjson": lambda: orjson.loads(data),
    }
    return works[name]


def _written(file: str, drawn: Sequence[Annotation], folder: Path) -> bytes:
    if file == QPDATA:
        return append_annotations((folder / "empty.qpdata").read_bytes(), drawn).data
    return write_imagescope(drawn, (0.5, 0.5)) if file == XML else qupath.write_geojson(drawn)


def _one_more(objects: int) -> Edits:
    added = MachineObject(
        _name(objects), MachineRole.PREDICTION, "Tumor: Predicted", shapely.box(0, 0, 40, 40), (200, 0, 0)
    )
    return Edits("bench", add=(added,))


def _name(number: int) -> str:
    return f"7d0a7f6e-0000-4000-8000-{number:012d}"


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    del result  # taking it apart isn't the codec's work
    return seconds


def _start_peak() -> int:
    """Return the bytes that the process holds now, and let its peak begin here where the system can."""
    peak_reset = Path("/proc/self/clear_refs")
    if peak_reset.exists():
        peak_reset.write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(sys.argv[1:])
