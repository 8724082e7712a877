"""A project whose image a viewer has open, to deliver results into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from qupath_lab import new_project
from shapely import box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    PROPOSED,
    Annotation,
    ClassScheme,
    LabelOptions,
    MachineObject,
    MachineRole,
    SlideEntry,
)
from bridge.annotations.roles import Fate, Marker, Reconciliation, reconcile
from bridge.annotations.writing import compose_edits
from bridge.delivery import DeliveryFate, commit_delivery, deliver_edits, settle_deliveries
from bridge.export import WriteResult, WriteStep, write_edits
from bridge.qupath import QuPathProject, QuPathViewer
from bridge.qupath.plain import append_annotations
from bridge.store import Backups, Store
from scripts.bench.simulators.qupath_viewer import HookedViewer

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
SCHEME = ClassScheme({"Tumor": (200, 0, 0), "Stroma": (0, 200, 0)})
THEIRS = "aaaaaaaa-0000-4000-8000-000000000000"
HOST = "pathology"
ONE, TWO, THREE = box(10, 10, 40, 40), box(60, 10, 90, 40), box(110, 10, 140, 40)
BOX = box(150, 100, 200, 150)


class KilledError(Exception):
    """The process ends here."""


def dies_at(step: object) -> Callable[[object], None]:
    def on_step(now: object) -> None:
        if now is step:
            raise KilledError

    return on_step


def object_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


@dataclass
class Scene:
    """A project of two images, the store, and the viewers that have it open."""

    project: QuPathProject
    store: Store
    backups: Backups
    clock: float = 0.0
    viewer: QuPathViewer = field(init=False)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.restart()

    @property
    def entry(self) -> SlideEntry:
        return self.project.slides()[0]

    @property
    def file(self) -> bytes | None:
        path = self.entry.annotation_path
        return path.read_bytes() if path.exists() else None

    def restart(self) -> None:
        self.viewer = QuPathViewer(self.project.root, host=HOST, is_running=lambda pid: pid > 0)
        self.viewer.prepare()

    def opened(self, entry: str | None = None, **more: object) -> HookedViewer:
        """A QuPath with the first image open that says so."""
        qupath = HookedViewer(self.project.path, host=HOST, **more)  # type: ignore[arg-type]  # the fields of the class
        qupath.open(self.entry.key if entry is None else entry)
        qupath.beat()
        return qupath

    def wait(self, seconds: float = 60.0) -> None:
        """Let time pass: viewers that don't beat again are gone."""
        self.viewer.open_slides(self.clock)
        self.clock += seconds

    def read(self) -> Reconciliation:
        """Do as a pull does."""
        data, key = self.file, self.entry.key
        commit_delivery(self.project, self.entry, data, self.store, NOW, viewer=self.viewer)
        found = self.project.parse(self.project.create(self.entry) if data is None else data, self.entry)
        read = reconcile(
            found,
            self.store.live_objects(key),
            self.store.newest_marker(key),
            SCHEME,
            LabelOptions(),
            adopted=self.store.adopted(key),
            former=self.store.superseded(key),
        )
        self.store.record_outcomes(key, read.outcomes, "r", NOW, is_stale=read.marker is Marker.STALE)
        return read

    def made(self, *shapes: BaseGeometry) -> tuple[MachineObject, ...]:
        return tuple(self._object(shape, next(self.numbers)) for shape in shapes)

    def _object(self, shape: BaseGeometry, number: int) -> MachineObject:
        name = f"{number:08x}-0000-4000-8000-000000000000"
        if shape is BOX:
            return MachineObject(name, MachineRole.PROPOSAL, PROPOSED, shape, (255, 200, 0), name="#1 unsure")
        return MachineObject(
            name, MachineRole.PREDICTION, "Tumor: Predicted", shape, (200, 0, 0), checkpoint=f"model of {name}"
        )

    def write(self, marker: str, *shapes: BaseGeometry) -> WriteResult:
        """Write into the file, as for an image that nobody has open."""
        edits = compose_edits(self.read(), self.made(*shapes), SCHEME, marker)
        return write_edits(
            self.project,
            self.entry,
            self.file,
            edits,
            self.store,
            self.backups,
            iteration=1,
            now=NOW,
            sleep=lambda s: None,
        )

    def deliver(
        self, marker: str, *shapes: BaseGeometry, on_step: Callable[[WriteStep], None] = lambda s: None
    ) -> WriteResult:
        """Offer to the viewer."""
        edits = compose_edits(self.read(), self.made(*shapes), SCHEME, marker)
        return deliver_edits(
            self.viewer,
            self.project,
            self.entry,
            self.file,
            edits,
            self.store,
            self.backups,
            iteration=2,
            now=NOW,
            on_step=on_step,
        )

    def settle(self) -> DeliveryFate | None:
        entries = self.project.slides()
        found = settle_deliveries(self.viewer, self.project, entries, self.store, now=NOW, clock=self.clock)
        return found[0].fate if found else None

    def objects(self) -> list[Annotation]:
        data = self.file
        return [] if data is None else list(self.project.parse(data, self.entry).annotations)

    def ours(self) -> list[str]:
        return sorted(a.object_id[:8] for a in self.objects() if a.is_ours)

    def live(self) -> list[str]:
        return sorted(w.object_id[:8] for w in self.store.live_objects(self.entry.key))

    def fates(self) -> dict[str, Fate]:
        return {o.written.object_id[:8].lstrip("0"): o.fate for o in self.read().outcomes}


@contextmanager
def new_scene(folder: Path) -> Iterator[Scene]:
    project = new_project(folder, "a.png", "b.png")
    entry = project.slides()[0]
    drawn = Annotation(THEIRS, box(5, 100, 45, 150), "Stroma", name="mine", color=(0, 200, 0))
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), [drawn]).data)
    with Store.open(folder / "store") as store:
        yield Scene(project, store, Backups(folder / "backups"))
