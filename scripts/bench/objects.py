"""How the work on one slide's objects grows with their number: 1,000, 10,000 and 100,000 of 50 vertices.

Every tenth outline crosses itself; nine boxes are ROI; everything lies where a person and the machine both drew it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import shapely
from shapely import Polygon

from bridge.annotations import Annotation, AnnotationSet, ClassScheme, LabelOptions, Layer, MachineRole
from bridge.annotations.diff import diff_annotations
from bridge.annotations.geometry import repair_areas
from bridge.annotations.labels import build_plan
from bridge.annotations.outlines import as_array, near_pairs
from bridge.annotations.ownership import WrittenObject, match_written
from bridge.annotations.roles import Reconciliation, reconcile
from bridge.annotations.writing import Prediction, WriteOptions, choose_predictions, compose_edits
from bridge.coords import Region
from scripts.bench.measuring import Figure, Scale, Scaling, timed

NAME = "objects"
TITLE = "Work on one slide's objects, as their number grows"
LIBRARIES = ("numpy", "shapely")
NUMBERS = {Scale.FULL: (1_000, 10_000, 100_000), Scale.SMOKE: (400, 4_000)}
VERTICES = 50
CELL = 40
MOST_EXPONENT = {Scale.FULL: 1.3, Scale.SMOKE: 1.6}
"""n log n looks like 1.1 here; few objects fit into the processor's cache, which many don't."""
MARKER = "bench"
RED = (200, 0, 0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slide:
    """One slide's objects, as drawn, as a viewer rounded them, and as a person moved them."""

    side: int
    drawn: Sequence[Polygon]
    rounded: Sequence[Polygon]
    moved: Sequence[Polygon]

    @property
    def rois(self) -> tuple[Annotation, ...]:
        """Nine boxes that cover about half of the slide."""
        step = self.side / 3
        corners = [(column * step, row * step) for column in range(3) for row in range(3)]
        boxes = [shapely.box(x, y, x + 0.7 * step, y + 0.7 * step) for x, y in corners]
        return tuple(Annotation(f"roi-{i}", box, "ROI") for i, box in enumerate(boxes))


def rows(scale: Scale) -> Iterator[Scaling]:
    """Measure every work at each number of objects, by the processor's clock: none of it waits or has threads."""
    numbers = NUMBERS[scale]
    measure(draw(100))  # what is imported and compiled on first use isn't counted
    seconds = [measure(draw(number)) for number in numbers]
    for work in seconds[0]:
        figures = tuple(Figure.of([found[work]]) for found in seconds)
        yield Scaling(work, numbers, figures, "objects", MOST_EXPONENT[scale])


def draw(number: int) -> Slide:
    """Return packed cells, every tenth of which crosses itself."""
    generator = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(number)))
    place = np.arange(number)
    centre = np.stack([place % side, place // side], axis=1) * float(CELL) + CELL / 2
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radius = 15 * (1 + 0.2 * np.sin(3 * angle + generator.uniform(0, 7, (number, 1))))
    vertices = centre[:, None] + radius[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    vertices[::10, [20, 25]] = vertices[::10, [25, 20]]
    shapes = (shapely.polygons(np.round(vertices + shift, 2)).tolist() for shift in (0, 0.3, 3))
    return Slide(side * CELL, *shapes)


def measure(slide: Slide) -> Mapping[str, float]:
    """Return the seconds of each work."""
    scheme, options = ClassScheme({"Tumor": RED}), LabelOptions()
    written = [WrittenObject(f"o{i}", MachineRole.PREDICTION, "Tumor: Predicted", s) for i, s in enumerate(slide.drawn)]
    people = [Annotation(f"h{i}", shape, "Tumor") for i, shape in enumerate(slide.drawn)]
    rounded = [Annotation(f"h{i}", shape, "Tumor") for i, shape in enumerate(slide.rounded)]
    qupath = [Annotation(f"o{i}", s, "Tumor: Predicted", is_ours=True) for i, s in enumerate(slide.rounded)]
    imagescope, edited = _regions(slide.rounded), _regions(slide.moved)
    seconds: dict[str, float] = {}

    def note(name: str, work: Callable[[], T]) -> T:
        seconds[name], result = timed(work, time.process_time)
        return result

    def reconciled(found: Sequence[Annotation], ours: Sequence[WrittenObject]) -> Callable[[], Reconciliation]:
        objects = AnnotationSet((*found, *slide.rois), write_marker=MARKER)
        return lambda: reconcile(objects, ours, MARKER, scheme, options)

    extent = Region(0, 0, slide.side, slide.side)
    predictions = [Prediction("Tumor", area) for area in repair_areas(slide.moved)]
    ids = [f"n{i}" for i in range(len(predictions))]
    note("repair, a tenth crossing", lambda: repair_areas(slide.drawn))
    note("pairs of near outlines", lambda: near_pairs(as_array(slide.drawn), as_array(slide.rounded)))
    note("diff, equal", lambda: diff_annotations(people, people))
    note("diff, rounded", lambda: diff_annotations(people, rounded))
    note("find ours by id", lambda: match_written(qupath, written))
    note("find ours by outline", lambda: match_written(imagescope, written))
    note("find ours by outline, all edited", lambda: match_written(edited, written))
    by_id = note("reconcile, QuPath", reconciled(qupath, written))
    note("reconcile, ImageScope", reconciled(imagescope, written))
    note("reconcile, ImageScope, all edited", reconciled(edited, written))
    by_people = note("reconcile, people's", reconciled(people, []))
    note("label plan, people's", lambda: build_plan("s", by_people, scheme, options, extent=extent))
    note("label plan, accepted", lambda: build_plan("s", by_id, scheme, options, extent=extent))
    note("label plan, held out", lambda: build_plan("s", by_people, scheme, options, extent=extent, hold_out={"*"}))
    note(
        "label plan, all rejected before",
        lambda: build_plan("s", by_people, scheme, options, extent=extent, rejected=written),
    )
    chosen, _ = note(
        "choose predictions, all drawn before",
        lambda: choose_predictions(predictions, by_people, written, (), WriteOptions(), object_ids=ids, scheme=scheme),
    )
    note("compose a write", lambda: compose_edits(by_id, chosen, scheme, MARKER))
    return seconds


def _regions(shapes: Sequence[Polygon]) -> list[Annotation]:
    layer = Layer("Tumor (predicted)", "1", RED)
    return [Annotation(f"L0R{i}", s, "Tumor: Predicted", is_ours=True, layer=layer) for i, s in enumerate(shapes)]
