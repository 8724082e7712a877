"""The person at the tool: draws, corrects and deletes, and now and then acts on what the machine wrote."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import shapely
from shapely import affinity

from bridge.annotations import PROPOSED, Annotation
from bridge.annotations.scheme import plain_class
from scripts.bench.simulators.changes import Changes
from scripts.bench.torture.options import Tool
from scripts.bench.torture.prints import OWN, place_of, print_of
from scripts.bench.torture.world import CLASSES, SIDE

FEWEST, MOST = 12, 30  # objects of the person's own that the file is kept at


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did to an object of the machine's.

    Parameters
    ----------
    place, now
        ``place_of`` it before and after; the same unless it was redrawn.
    """

    kind: str
    place: str
    now: str


@dataclass(slots=True)
class Sitting:
    """One round of changes to an open file.

    Parameters
    ----------
    tool
        In ImageScope a Text says what in QuPath a class says.
    prefix
        Of the names of new objects, used by no other process.
    mine
        Prints of what is the person's in the open file; brought up to date.
    """

    tool: Tool
    random: Random
    prefix: str
    mine: set[str]
    count: int = 0
    acts: list[Act] = field(default_factory=list)

    def changes(self, annotations: Sequence[Annotation]) -> Changes:
        """Decide what changes, and note what becomes of the objects."""
        self.acts = []
        own = [a for a in annotations if print_of(a) in self.mine]
        made = [a for a in annotations if print_of(a) not in self.mine and a.is_ours]
        steps = [self._change_own(own), self._change_made(made), self._draw(own)]
        return Changes(
            tuple(a for step in steps for a in step.add),
            frozenset().union(*(step.remove for step in steps)),
            {k: v for step in steps for k, v in step.rename.items()},
            {k: v for step in steps for k, v in step.reclass.items()},
            {k: v for step in steps for k, v in step.reshape.items()},
        )

    def _draw(self, own: Sequence[Annotation]) -> Changes:
        wanted = max(FEWEST - len(own), 0) or int(len(own) < MOST and self.random.random() < 0.5)
        drawn = []
        for _ in range(wanted):
            self.count += 1
            object_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
            name = f"{OWN}{self.prefix}-{self.count}"
            drawn.append(
                Annotation(object_id, self._outline(), self.random.choice(CLASSES), name=name, color=(9, 9, 9))
            )
        if self.tool is Tool.QUPATH:
            self.mine.update(print_of(a) for a in drawn)
        else:  # in a layer, where objects have no id
            self.mine.update(print_of(replace(a, object_id="")) for a in drawn)
        return Changes(add=tuple(drawn))

    def _outline(self) -> shapely.Polygon:
        x, y = (self.random.randint(80, SIDE - 80) for _ in range(2))
        corners = self.random.randint(5, 9)
        around = [(self.random.randint(12, 60), 2 * math.pi * i / corners) for i in range(corners)]
        return shapely.Polygon([(round(x + r * math.cos(a)), round(y + r * math.sin(a))) for r, a in around])

    def _change_own(self, own: Sequence[Annotation]) -> Changes:
        """Change one object that was drawn by hand; delete one or two of any, where there are enough."""
        drawn = [a for a in own if (a.name or "").startswith(OWN)]
        doomed = self.random.sample(list(own), self._deletions(len(own)))
        for annotation in doomed:
            self._forget(annotation)
        left = [a for a in drawn if a not in doomed]
        changes = self._edit(self.random.choice(left)) if left and self.random.random() < 0.7 else Changes()
        return replace(changes, remove=frozenset(a.object_id for a in doomed))

    def _deletions(self, count: int) -> int:
        if count > MOST:
            return 2
        return int(count > FEWEST and self.random.random() < 0.3)

    def _forget(self, annotation: Annotation) -> None:
        self.mine.discard(print_of(annotation))
        if annotation.is_ours or not (annotation.name or "").startswith(OWN):
            place = place_of(annotation.geometry)
            self.acts.append(Act("delete", place, place))

    def _edit(self, annotation: Annotation) -> Changes:
        key = annotation.object_id
        match self.random.choice(("rename", "reclass", "reshape")):
            case "rename":
                self.count += 1
                name = f"{OWN}{self.prefix}-{self.count}"
                self._becomes(annotation, replace(annotation, name=name))
                return Changes(rename={key: name})
            case "reclass":
                path_class = self.random.choice([c for c in CLASSES if c != annotation.path_class])
                self._becomes(annotation, replace(annotation, path_class=path_class))
                return Changes(reclass={key: path_class})
            case _:
                outline = self._outline()
                self._becomes(annotation, replace(annotation, geometry=outline))
                return Changes(reshape={key: outline})

    def _becomes(self, before: Annotation, after: Annotation) -> None:
        self.mine.discard(print_of(before))
        self.mine.add(print_of(after))

    def _change_made(self, made: Sequence[Annotation]) -> Changes:
        """Act on one or two objects of the machine's: accept, correct, delete."""
        changes = Changes()
        if not made or self.random.random() < 0.5:
            return changes
        for annotation in self.random.sample(list(made), min(len(made), self.random.randint(1, 2))):
            one = self._on_box(annotation) if annotation.path_class == PROPOSED else self._on_prediction(annotation)
            changes = replace(
                changes,
                remove=changes.remove | one.remove,
                rename={**changes.rename, **one.rename},
                reclass={**changes.reclass, **one.reclass},
                reshape={**changes.reshape, **one.reshape},
            )
        return changes

    def _on_box(self, annotation: Annotation) -> Changes:
        match self.random.choice(("decline", "decline", "roi", "patch label")):
            case "decline":
                return self._delete(annotation)
            case "roi":
                return self._name(annotation, "ROI", "ROI")
            case _:
                return self._name(annotation, CLASSES[0], CLASSES[0])

    def _on_prediction(self, annotation: Annotation) -> Changes:
        match self.random.choice(("accept", "correct", "reject", "reject")):
            case "reject":
                return self._delete(annotation)
            case "accept":
                return self._name(annotation, plain_class(annotation.path_class or "") or CLASSES[0], "ok")
            case _:
                moved = affinity.translate(annotation.geometry, 2, 1)
                self.acts.append(Act("correct", place_of(annotation.geometry), place_of(moved)))
                self._becomes(annotation, replace(annotation, geometry=moved))
                return Changes(reshape={annotation.object_id: moved})

    def _delete(self, annotation: Annotation) -> Changes:
        place = place_of(annotation.geometry)
        self.acts.append(Act("delete", place, place))
        return Changes(remove=frozenset({annotation.object_id}))

    def _name(self, annotation: Annotation, path_class: str, text: str) -> Changes:
        """Say what an object is: by its class in QuPath, by its Text in ImageScope."""
        place = place_of(annotation.geometry)
        self.acts.append(Act("name", place, place))
        if self.tool is Tool.QUPATH:
            self._becomes(annotation, replace(annotation, path_class=path_class))
            return Changes(reclass={annotation.object_id: path_class})
        self._becomes(annotation, replace(annotation, name=text))
        return Changes(rename={annotation.object_id: text})
