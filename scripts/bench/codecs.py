"""The codecs, and how much memory they take, beside parsers that make no annotations of what they parse.

The same polygons of 50 vertices in every format. Time is measured in one process, ours and the parser in turn, warmed
up on a few objects; memory in a fresh one each: what it holds at most beyond what it held before, input and result of
the other in neither. QuPath itself, through paquo, is asked once, Java's start included, where it is installed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
from scripts.bench.measuring import MIB, Cost, Figure, Row, Scale, Target, at_most, cost_of, in_child, in_turn, repeated

NAME = "codecs"
TITLE = "Annotation files, read and written"
LIBRARIES = ("numpy", "shapely", "lxml", "orjson")
OBJECTS = {Scale.FULL: 50_000, Scale.SMOKE: 1_000}
VERTICES = 50
WARM_UP = 20  # objects: what is imported and compiled on first use isn't counted
RUNS = 3
QPDATA, XML, GEOJSON = "data.qpdata", "annotations.xml", "annotations.geojson"
ACTIONS = ("read", "append one to", "write")
_LXML, _JSON, _ORJSON = "lxml.fromstring", "json.loads", "orjson.loads"
_PARSED = {_LXML: XML, _JSON: GEOJSON, _ORJSON: GEOJSON}
"""Which file a parser reads."""
BESIDE = {QPDATA: (_LXML, _JSON), XML: (_LXML,), GEOJSON: (_JSON, _ORJSON)}
_USUAL_RATIOS = {
    QPDATA: {"read": 1.4, "append one to": 1.0, "write": 1.0},
    XML: {"read": 0.6, "append one to": 0.8, "write": 0.8},
    GEOJSON: {"read": 0.8, "append one to": 1.1, "write": 1.2},
}
"""Against the first parser that each file is beside; the smoke run asks for a third of it."""


@dataclass(frozen=True, slots=True)
class Task:
    """An action on a file, or a parser's run over one; how many objects there are."""

    action: str
    file: Path
    objects: int

    @property
    def work(self) -> str:
        """What the table calls it."""
        return f"{self.action} {self.file.name}, {self.objects:,} objects"


def rows(scale: Scale) -> Iterator[Row]:
    """Measure every action on every format; memory and QuPath at full scale alone."""
    objects, is_full = OBJECTS[scale], scale is Scale.FULL
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_files(objects, folder / "all")
        write_files(WARM_UP, folder / "few")
        for file in (QPDATA, XML, GEOJSON):
            for action in ACTIONS:
                task = Task(action, folder / "all" / file, objects)
                yield from _time_rows(task, is_full)
                if is_full:
                    yield _memory_row(task)
        if is_full:
            yield _row_beside_qupath(folder / "all", objects)


def _time_rows(task: Task, is_full: bool) -> Iterator[Row]:
    file, parsers = task.file.name, BESIDE[task.file.name]
    guarded = parsers[0]
    pairs = in_child(in_turn_with, task, parsers)[1] if is_full else in_turn_with(task, parsers[:1])
    for name, (ours, theirs) in pairs.items():
        least = _USUAL_RATIOS[file][task.action] / 3 if name == guarded else None
        target = _target(task) if is_full and name == guarded else None
        each, their_each = (seconds.each(task.objects, "object") for seconds in (ours, theirs))
        yield Row(task.work, each, name, their_each, target, least)


def _target(task: Task) -> Target | None:
    if task.file.name != QPDATA:
        return None
    return at_most(60 if task.action == "read" else 30, "µs/object")


def _memory_row(task: Task) -> Row:
    parser = BESIDE[task.file.name][0]
    ours, theirs = (_memory(each) for each in (task, Task(parser, task.file.with_name(_PARSED[parser]), task.objects)))
    return Row(f"{task.work}: memory", ours, parser, theirs)


def _memory(task: Task) -> Figure:
    _, cost = in_child(memory_of, task)
    return Figure.of([cost.grown_bytes / MIB], "MiB")


def _row_beside_qupath(folder: Path, objects: int) -> Row:
    """Measure how long QuPath takes to read the same objects, Java's start included, or say why it can't."""
    task = Task("read", folder / QPDATA, objects)
    work, peer = f"{task.work}, beside QuPath", "QuPath by paquo"
    project = QuPathProject(folder / "project.qpproj")
    ours, _ = repeated(_prepared(task), runs=RUNS)
    try:
        theirs, _ = repeated(lambda: QuPath().read_bytes(project, {"1": task.file.read_bytes()}), runs=1)
    except BridgeError as error:
        return Row(work, ours.each(objects, "object"), peer, note=f"not measured: {error}")
    return Row(work, ours.each(objects, "object"), peer, theirs.each(objects, "object"))


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


def in_turn_with(task: Task, parsers: Sequence[str]) -> dict[str, tuple[Figure, Figure]]:
    """Return the seconds of a work and of each parser beside it, by the parser's name."""
    ours = _prepared(task)
    return {
        name: in_turn(ours, _prepared(Task(name, task.file.with_name(_PARSED[name]), task.objects)), runs=RUNS)[:2]
        for name in parsers
    }


def memory_of(task: Task) -> Cost:
    """Return what a work takes in this process, everything that it needs already in memory."""
    return cost_of(_prepared(task))[0]


def _prepared(task: Task) -> Callable[[], object]:
    """Return a work that has been done on a few objects before."""
    _work(Task(task.action, task.file.parent.parent / "few" / task.file.name, WARM_UP))()
    return _work(task)


def _work(task: Task) -> Callable[[], object]:
    """Return the work with everything that it needs already in memory."""
    if task.action == "write":
        drawn = draw(task.objects)
        return lambda: _written(task.file.name, drawn, task.file.parent)
    data, one = task.file.read_bytes(), _one_more(task.objects)
    works: dict[tuple[str, str], Callable[[], object]] = {
        ("read", QPDATA): lambda: qupath.read_qpdata(data),
        ("read", XML): lambda: imagescope.read_imagescope(data),
        ("read", GEOJSON): lambda: qupath.read_geojson(data),
        ("append one to", QPDATA): lambda: qupath.apply_edits(data, one),
        ("append one to", XML): lambda: imagescope.apply_edits(data, one),
        ("append one to", GEOJSON): lambda: geojson_edit.apply_edits(data, one),
        (_LXML, XML): lambda: etree.fromstring(data),
        (_JSON, GEOJSON): lambda: json.loads(data),
        (_ORJSON, GEOJSON): lambda: orjson.loads(data),
    }
    return works[task.action, task.file.name]


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
