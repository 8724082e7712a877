"""What an expert does while an image is open: a function of what is true, what the file shows, and chance.

Open boxes are answered: set to ROI with everything inside outlined; called ``Background`` where nothing is in them; or
declined. Without open boxes the expert looks around: accepts, corrects or deletes a prediction, outlines one more blob,
or draws one of his own anew. Every visit changes something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from bridge.annotations import BACKGROUND, PROPOSED, Annotation, ClassScheme, plain_class
from bridge.annotations.roles import INSIDE_SHARE
from scripts.bench.daemon.prints import place_of, print_of, shape_of
from scripts.bench.daemon.world import BLOB, BOX_UM, CLASSES, MPP, Tool
from scripts.bench.simulators.changes import Changes
from scripts.demo.truth import CLOSE_IOU, GOOD_IOU, Action, Shown, Step, rank_of, work_off

ROI = "ROI"
_DECLINED, _BACKGROUND = 0.12, 0.3  # shares of the boxes; the second of those that are empty
_JITTER = (-2, -1, 1, 2)  # pixels that an outline is off when it is drawn anew
_SCHEME = ClassScheme(dict(CLASSES))

Answers = dict[str, str]  # place of a box → "roi", "background" or "declined"


@dataclass
class Visit:
    """One look at a slide, and what is changed at it.

    Parameters
    ----------
    annotations
        The file's objects as the tool shows them.
    truth
        (class, outline) of everything that there is.
    gained, lost
        Prints of objects that are the person's from now on, and that no longer are.
    answered
        What was said to each box.
    deleted
        Places of predictions that the person deleted.
    """

    tool: Tool
    annotations: Sequence[Annotation]
    truth: Sequence[tuple[str, BaseGeometry]]
    random: Random
    gained: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    answered: Answers = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    _add: list[Annotation] = field(default_factory=list)
    _remove: set[str] = field(default_factory=set)
    _rename: dict[str, str] = field(default_factory=dict)
    _reclass: dict[str, str] = field(default_factory=dict)
    _reshape: dict[str, BaseGeometry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rois = [a.geometry for a in self.annotations if self._said(a) == ROI]
        self._mine = [a for a in self.annotations if self._said(a) == BLOB and not self.is_open_prediction(a)]
        self._outlined = [a.geometry for a in self._mine]

    @property
    def boxes(self) -> list[Annotation]:
        """The open proposals, the first by rank first."""
        found = [a for a in self.annotations if a.is_ours and self._said(a) == PROPOSED]
        return sorted((a for a in found if (a.name or "").startswith("#")), key=lambda a: rank_of(a.name or ""))

    @property
    def changes(self) -> Changes:
        """What the visit changes in the file."""
        return Changes(tuple(self._add), frozenset(self._remove), self._rename, self._reclass, self._reshape)

    @property
    def redrawn(self) -> tuple[BaseGeometry, ...]:
        """Outlines, as they were, of what is gone or drawn anew: in ImageScope their holes go with them."""
        touched = self._remove | set(self._reshape)
        return tuple(a.geometry for a in self.annotations if a.object_id in touched)

    def is_open_prediction(self, annotation: Annotation) -> bool:
        """Say whether nobody has touched a prediction yet, and it doesn't count as accepted by lying in an ROI."""
        is_predicted = annotation.path_class is not None and plain_class(annotation.path_class) is not None
        is_named = self.tool is Tool.IMAGESCOPE and annotation.name is not None
        return annotation.is_ours and is_predicted and not is_named and not self._is_in_roi(annotation.geometry)

    def answer(self, most: int) -> int:
        """Answer some of the open boxes; return how many."""
        boxes = self.boxes[:most]
        for box in boxes:
            is_empty = not any(outline.intersects(box.geometry) for _, outline in self.truth)
            if self.random.random() < _DECLINED:
                self._say(box, "declined")
                self._remove.add(box.object_id)
            elif is_empty and self.random.random() < _BACKGROUND:
                self._say(box, "background")
                self._call(box, BACKGROUND, BACKGROUND)
            else:
                self._say(box, "roi")
                self._call(box, ROI, ROI)
                self._label(box.geometry)
        return len(boxes)

    def begin(self) -> None:
        """Draw a first ROI where nothing was proposed, and outline what is in it."""
        side = round(BOX_UM / MPP)
        right, bottom = (int(v) for v in shapely.bounds(shapely.union_all([g for _, g in self.truth]))[2:])
        x, y = self.random.randint(0, right - side), self.random.randint(0, bottom - side)
        box = shapely.box(x, y, x + side, y + side)
        self._draw(box, ROI)
        self._label(box)

    def look_around(self) -> None:
        """Change one thing outside the ROIs."""
        opened = [a for a in self.annotations if self.is_open_prediction(a)]
        false = [a for a in opened if not any(outline.intersects(a.geometry) for _, outline in self.truth)]
        left = [g for _, g in self.truth if not any(g.intersects(done) for done in self._outlined)]
        if false and self.random.random() < 0.4:
            self._apply(Step(0, Action.DELETE, BLOB, shapely.Polygon()), self.random.choice(false))
        elif left and self.random.random() < 0.7:
            self._attend(self.random.choice(left), opened)
        elif self._mine:
            self.redraw(self.random.choice(self._mine))
        else:
            self.begin()

    def redraw(self, annotation: Annotation) -> None:
        """Draw an outline of one's own anew, a pixel or two beside the truth."""
        near = [g for _, g in self.truth if g.intersects(annotation.geometry)]
        base = max(near, key=lambda g: _iou(g, annotation.geometry), default=annotation.geometry)
        shifts = [(x, y) for x in _JITTER for y in _JITTER]
        moved = (affinity.translate(base, *shift) for shift in self.random.sample(shifts, len(shifts)))
        self._reshape_to(annotation, next(m for m in moved if shape_of(m) != shape_of(annotation.geometry)))

    def _attend(self, outline: BaseGeometry, opened: Sequence[Annotation]) -> None:
        """Accept or correct what was predicted for a blob, else outline it."""
        near = [a for a in opened if a.geometry.intersects(outline) and a.object_id not in self._remove]
        best = max(near, key=lambda a: _iou(a.geometry, outline), default=None)
        score = 0.0 if best is None else _iou(best.geometry, outline)
        if best is None or score < CLOSE_IOU:
            self._draw(outline, BLOB)
        elif score >= GOOD_IOU:
            self._apply(Step(0, Action.CONFIRM, BLOB, outline), best)
        else:
            self._apply(Step(0, Action.RESHAPE, BLOB, outline), best)

    def _label(self, box: BaseGeometry) -> None:
        """Outline everything in a box, and nothing else."""
        done = self._remove | set(self._reshape) | set(self._reclass) | set(self._rename)  # at the box before
        opened = [a for a in self.annotations if self.is_open_prediction(a) and a.object_id not in done]
        shown = [Shown(key, BLOB, a.geometry) for key, a in enumerate(opened)]
        work = work_off(box, self.truth, shown, shapely.union_all(self._outlined))
        for step in work.steps:
            self._apply(step, opened[step.key])
        for path_class, outline in work.drawn:
            self._draw(outline, path_class)
        self._rois.append(box)

    def _apply(self, step: Step, annotation: Annotation) -> None:
        match step.action:
            case Action.DELETE:
                self._remove.add(annotation.object_id)
                self.deleted.add(place_of(annotation.geometry))
                return
            case Action.RESHAPE:
                self._reshape_to(annotation, step.geometry)
                return
            case Action.CONFIRM | Action.RECLASS:
                self._call(annotation, BLOB, "ok")
            case Action.KEEP:
                self.gained.add(print_of(annotation, _SCHEME))
        self._outlined.append(annotation.geometry)

    def _reshape_to(self, annotation: Annotation, outline: BaseGeometry) -> None:
        self._reshape[annotation.object_id] = outline
        self.lost.add(print_of(annotation, _SCHEME))
        self._gain(annotation, outline, self._said(annotation))
        self._outlined.append(outline)

    def _draw(self, outline: BaseGeometry, path_class: str) -> None:
        object_id = str(UUID(int=self.random.getrandbits(128), version=4))
        color = CLASSES.get(path_class, (0, 0, 0))
        self._add.append(Annotation(object_id, outline, path_class, color=color))
        self.gained.add(print_of(self._add[-1], _SCHEME))
        if path_class == BLOB:
            self._outlined.append(outline)

    def _call(self, annotation: Annotation, path_class: str, text: str) -> None:
        """Say what an object is: by its class in QuPath, by its Text in ImageScope."""
        if self.tool is Tool.QUPATH:
            self._reclass[annotation.object_id] = path_class
        else:
            self._rename[annotation.object_id] = text
        self._gain(annotation, annotation.geometry, path_class)

    def _gain(self, annotation: Annotation, outline: BaseGeometry, path_class: str) -> None:
        self.gained.add(print_of(Annotation(annotation.object_id, outline, path_class), _SCHEME))

    def _say(self, box: Annotation, answer: str) -> None:
        self.answered[place_of(box.geometry)] = answer

    def _said(self, annotation: Annotation) -> str:
        return print_of(annotation, _SCHEME).partition("\t")[0]

    def _is_in_roi(self, geometry: BaseGeometry) -> bool:
        area = geometry.area
        shared = sum(geometry.intersection(roi).area for roi in self._rois if roi.intersects(geometry))
        return area > 0 and shared >= INSIDE_SHARE * area


def _iou(first: BaseGeometry, second: BaseGeometry) -> float:
    shared = first.intersection(second).area
    return float(shared / (first.area + second.area - shared))
