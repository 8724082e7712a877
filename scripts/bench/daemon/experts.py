"""A simulated expert: a process of its own that opens, changes and saves the files of one project, as his tool would.

``python -m scripts.bench.daemon.experts WORLD qupath`` works until ``--saves`` are made or the stop file is there.
Whatever he is about to save is in the ledger before the save begins: what is his from now on, what no longer is, what
he answered. A judge holds the files against it later.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import shapely
from lxml import etree

from bridge.annotations import Annotation, SlideEntry
from bridge.imagescope import read_imagescope
from bridge.qupath import read_qpdata
from bridge.store import JobKind, JobState
from scripts.bench.daemon.people import read_people
from scripts.bench.daemon.prints import prints_of
from scripts.bench.daemon.visit import Visit
from scripts.bench.daemon.world import Place, Tool
from scripts.bench.simulators import imagescope_editor, qupath
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.imagescope import resave
from scripts.bench.torture.ledger import Ledger
from scripts.project import open_store

_PIECES = 3  # that a save is written in
_PIECE_SECONDS = 0.005
_GLANCE_SECONDS = 0.05  # between two looks for the stop file
_HOLE_SLACK = 1.5  # pixels: ImageScope rounds a hole and the outline around it apart


@dataclass(frozen=True, slots=True)
class Habits:
    """How an expert works.

    Parameters
    ----------
    every_seconds
        From one save to the next.
    saves
        To make in all; None: until the stop file is there.
    most_boxes
        Answered in one visit.
    stale_share
        Of the visits that go on in the image as it was opened before, whatever was written to the file since.
    patience_seconds
        After a save, waits so long at most until it was read: so that each save is a change of its own however busy the
        machine is. 0 doesn't look.
    """

    every_seconds: float = 1.0
    saves: int | None = None
    most_boxes: int = 2
    stale_share: float = 0.0
    patience_seconds: float = 0.0
    seed: int = 0


class Expert:
    """One person at one project."""

    def __init__(self, place: Place, habits: Habits) -> None:
        self.place, self.habits = place, habits
        self._random = Random(f"{habits.seed}/{place.tool.value}")
        self._ledger = Ledger(place.ledger)
        self._wanted = {key: set(person.wanted) for key, person in read_people(place).items()}
        self._shown: dict[str, bytes] = {}
        self._entries = place.project.source.slides()
        self._truth = {entry.key: place.truth(entry.slide_path) for entry in self._entries}

    def work(self) -> int:
        """Visit slide after slide; return how many saves were made."""
        saves = 0
        due = time.monotonic()
        while not self._is_over(saves):
            revision = self.visit(self._choose())
            saves += 1
            self._await(revision)
            due = max(due + self.habits.every_seconds, time.monotonic())
            self._rest(due)
        return saves

    def _is_over(self, saves: int) -> bool:
        return saves == self.habits.saves or self.place.stop_file.exists()

    def _rest(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and not self.place.stop_file.exists():
            time.sleep(min(left, _GLANCE_SECONDS))

    def _await(self, revision: str) -> None:
        until = time.monotonic() + self.habits.patience_seconds
        while time.monotonic() < until and not self._is_read(revision):
            time.sleep(_GLANCE_SECONDS)

    def _is_read(self, revision: str) -> bool:
        with open_store(self.place.project, is_dry_run=True) as store:
            done = store.jobs(JobState.DONE)
        return any(job.kind is JobKind.READ and job.input_hash == revision for job in done)

    def _choose(self) -> SlideEntry:
        """Go where boxes are open, each slide in turn; else anywhere."""
        order = self._random.sample(self._entries, len(self._entries))
        opened = (entry for entry in order if self._look(entry, self._on_disk(entry)).boxes)
        return next(opened, order[0])

    def visit(self, entry: SlideEntry) -> str:
        """Open an image, change it, and save it; return the revision that was saved."""
        data = self._open(entry)
        visit = self._look(entry, data)
        if not visit.answer(self.habits.most_boxes):
            if self._wanted.get(entry.key):
                visit.look_around()
            else:
                visit.begin()
        return self._save(entry, visit, self._edit(data, visit))

    def _on_disk(self, entry: SlideEntry) -> bytes:
        path = entry.annotation_path
        if self.place.tool is Tool.QUPATH:
            return qupath.open_image(path) or self.place.project.source.create(entry)
        return imagescope_editor.open_xml(path) or self.place.project.source.create(entry)

    def _open(self, entry: SlideEntry) -> bytes:
        """Return what the tool has in memory: now and then still what it had opened or saved before."""
        known = self._shown.get(entry.key)
        if known is not None and self._random.random() < self.habits.stale_share:
            return known
        data = self._on_disk(entry)
        there = set(prints_of(self._parse(data), self.place.project.scheme))
        missing = self._wanted.get(entry.key, set()) - there
        if missing:
            self._ledger.note("missed", slide=entry.key, prints=sorted(missing))
        return data

    def _parse(self, data: bytes) -> Sequence[Annotation]:
        read = read_qpdata if self.place.tool is Tool.QUPATH else read_imagescope
        return read(data).annotations

    def _look(self, entry: SlideEntry, data: bytes) -> Visit:
        return Visit(self.place.tool, self._parse(data), self._truth[entry.key], self._random)

    def _edit(self, data: bytes, visit: Visit) -> bytes:
        if self.place.tool is Tool.QUPATH:
            return qupath.edit_image(data, visit.changes)
        changes = visit.changes
        holes = holes_in(data, visit.redrawn)
        return resave(imagescope_editor.edit_xml(data, _with_removed(changes, holes)))

    def _save(self, entry: SlideEntry, visit: Visit, data: bytes) -> str:
        revision = hashlib.sha256(data).hexdigest()
        wanted = self._wanted.setdefault(entry.key, set())
        wanted -= visit.lost
        wanted |= visit.gained
        self._ledger.note(
            "begin",
            slide=entry.key,
            revision=revision,
            gained=sorted(visit.gained),
            lost=sorted(visit.lost - visit.gained),
            answered=visit.answered,
            deleted=sorted(visit.deleted),
        )
        entry.annotation_path.parent.mkdir(parents=True, exist_ok=True)
        if self.place.tool is Tool.QUPATH:
            qupath.save_image(entry.annotation_path, data, count=_PIECES, pause=_pause)
        else:
            imagescope_editor.save_xml(entry.annotation_path, data, count=_PIECES, pause=_pause)
        self._ledger.note("end", slide=entry.key, wall=time.time())
        self._shown[entry.key] = data
        return revision


def _pause() -> None:
    time.sleep(_PIECE_SECONDS)


def _with_removed(changes: Changes, holes: frozenset[str]) -> Changes:
    return Changes(changes.add, changes.remove | holes, changes.rename, changes.reclass, changes.reshape)


def holes_in(data: bytes, outlines: Sequence[shapely.geometry.base.BaseGeometry]) -> frozenset[str]:
    """Return the ids of ImageScope's negative regions that lie in some outlines.

    A person who deletes or redraws an area deletes its holes as well; ImageScope keeps them as regions of their own.
    """
    if not outlines:
        return frozenset()
    shells = [shapely.union_all([shapely.Polygon(p.exterior) for p in shapely.get_parts(o)]) for o in outlines]
    around = shapely.buffer(shapely.union_all(shells), _HOLE_SLACK)
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    return frozenset(
        f"L{i}R{j}"
        for i, layer in enumerate(root.findall("Annotation"))
        for j, region in enumerate(layer.findall("Regions/Region"))
        if region.get("NegativeROA") == "1" and shapely.covers(around, shapely.MultiPoint(_corners(region)))
    )


def _corners(region: etree._Element) -> list[tuple[float, float]]:
    return [(float(v.get("X", "0")), float(v.get("Y", "0"))) for v in region.iterfind("Vertices/Vertex")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Work as the command line says; print the number of saves."""
    habits = Habits()
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.daemon.experts", description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("tool", type=Tool, choices=list(Tool))
    parser.add_argument("--every", type=float, default=habits.every_seconds, help="seconds from save to save")
    parser.add_argument("--saves", type=int, help="to make in all; else until the stop file is there")
    parser.add_argument("--boxes", type=int, default=habits.most_boxes, help="answered in one visit at most")
    parser.add_argument("--stale", type=float, default=0.0, help="share of visits that don't reopen the image")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a save to be read")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    habits = Habits(asked.every, asked.saves, asked.boxes, asked.stale, asked.patience, asked.seed)
    print(Expert(Place(asked.world, asked.tool), habits).work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
