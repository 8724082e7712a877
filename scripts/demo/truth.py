"""What the simulated expert knows: the true outlines, and how a careful person works off one box.

Knows shapes and classes only, no file format: the experts for ImageScope and QuPath share it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

GOOD_IOU = 0.7  # a prediction this close is left as it is
CLOSE_IOU = 0.4  # a prediction this close is dragged into shape; a worse one is deleted and drawn anew


class Action(Enum):
    """What the expert does with one prediction in or at the box."""

    KEEP = "keep"
    CONFIRM = "confirm"  # good, but mostly outside the box: said so explicitly
    RECLASS = "reclass"
    RESHAPE = "reshape"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Shown:
    """A prediction as the expert sees it; ``key`` names it for the expert's program."""

    key: int
    path_class: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Step:
    """One action on one prediction; class and outline are the ones to give it."""

    key: int
    action: Action
    path_class: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Work:
    """Everything done for one box."""

    steps: tuple[Step, ...]
    drawn: tuple[tuple[str, BaseGeometry], ...]


def save_truth(path: Path, outlines: Sequence[tuple[str, BaseGeometry]], limit_x: float) -> None:
    """Write the outlines left of a column as plain JSON; what lies right of it, the expert never sees."""
    half_plane = shapely.box(-1e6, -1e6, limit_x, 1e6)
    rows = [(name, clipped.wkt) for name, shape in outlines if not (clipped := shape & half_plane).is_empty]
    path.write_text(json.dumps(rows), "utf-8")


def load_truth(path: Path) -> tuple[tuple[str, BaseGeometry], ...]:
    """Read what ``save_truth`` wrote."""
    return tuple((name, shapely.from_wkt(text)) for name, text in json.loads(path.read_text("utf-8")))


def rank_of(text: str) -> int:
    """Return the rank in a proposal's text.

    Examples
    --------
    >>> rank_of("#12 uncertain Neoplastic / Background, 0.41")
    12
    """
    return int(text.removeprefix("#").partition(" ")[0])


def work_off(
    box: BaseGeometry, truth: Sequence[tuple[str, BaseGeometry]], shown: Sequence[Shown], drawn_before: BaseGeometry
) -> Work:
    """Correct one box: afterwards everything inside it is outlined, and nothing else.

    Parameters
    ----------
    drawn_before
        What people have outlined already (neighbouring boxes share nuclei): not drawn twice.
    """
    inside = [(name, shape) for name, shape in truth if shape.intersects(box) and shape.intersection(box).area > 0]
    left = {id(s): s for s in shown if s.geometry.intersection(box).area > 0}
    steps, drawn = [], []
    for name, shape in inside:
        if shape.intersection(drawn_before).area >= 0.5 * shape.area:
            continue
        best = max(left.values(), key=lambda s: _iou(s.geometry, shape), default=None)
        score = _iou(best.geometry, shape) if best is not None else 0.0
        if best is not None and score >= CLOSE_IOU:
            del left[id(best)]
            steps.append(_step(best, name, shape, score, box))
        else:
            drawn.append((name, shape))
    steps += [Step(s.key, Action.DELETE, s.path_class, s.geometry) for s in left.values()]
    return Work(tuple(steps), tuple(drawn))


def _step(shown: Shown, name: str, shape: BaseGeometry, score: float, box: BaseGeometry) -> Step:
    if score < GOOD_IOU:
        return Step(shown.key, Action.RESHAPE, name, shape)
    if shown.path_class != name:
        return Step(shown.key, Action.RECLASS, name, shown.geometry)
    mostly_inside = shown.geometry.intersection(box).area >= 0.5 * shown.geometry.area
    return Step(shown.key, Action.KEEP if mostly_inside else Action.CONFIRM, name, shown.geometry)


def _iou(first: BaseGeometry, second: BaseGeometry) -> float:
    if not first.intersects(second):
        return 0.0
    shared = first.intersection(second).area
    return float(shared / (first.area + second.area - shared))
