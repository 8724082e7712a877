"""QuPath with images open and our script running in it, as a class driven step by step and as a program.

What a person does to an open image is ``simulators.qupath``'s; here is what ``hooks/qupath/slidebridge.groovy`` does
beside it: the heartbeat, taking deliveries, the receipts, the requests.

Usage: ``python -m scripts.bench.simulators.qupath_viewer PROJECT.qpproj ENTRY --seconds 10 [--save]``
"""

from __future__ import annotations

import argparse
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, ObjectKind, Rgb, is_same_outline
from bridge.annotations.scheme import PROPOSED
from bridge.annotations.source import CHECKPOINT_KEY
from bridge.qupath import QuPathProject, apply_edits, read_geojson, read_qpdata
from bridge.qupath.geojson_properties import read_class
from bridge.qupath.json_file import parse_json, to_json
from bridge.qupath.viewer_files import DONE, FOLDER, INBOX, OFFERED, OUTBOX, PREDICT, PROTOCOL, TAKEN
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath import edit_image, open_image, save_image

_BEAT_SECONDS = 0.2
_GREY: Rgb = (128, 128, 128)


class PullStep(Enum):
    """What a pull has just done; between two of them anything may happen."""

    READ = "read"  # off the window's thread
    TAKEN = "taken"  # renamed: nobody else gets it
    APPLIED = "applied"
    BEATEN = "beaten"  # the heartbeat names its marker
    RECEIPTED = "receipted"


def no_step(step: PullStep) -> None:
    """Do nothing between two steps."""


@dataclass
class _Image:
    """One image in memory: the bytes that a save would write."""

    path: Path
    data: bytes
    is_changed: bool = False
    is_broken: bool = False  # a delivery failed: none is taken any more


@dataclass
class HookedViewer:
    """One QuPath with a project open.

    Parameters
    ----------
    project
        The ``project.qpproj``.
    fails
        Its script can't put a delivery into memory.
    """

    project: Path
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    fails: bool = False
    count: int = 0
    on_screen: str | None = None
    images: dict[str, _Image] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the script and we leave each other files."""
        return self.project.parent / ".slidebridge" / FOLDER

    @property
    def heartbeat(self) -> Path:
        """The file that says what is open."""
        return self.folder / f"open-{self.session}.json"

    def open(self, entry: str) -> None:
        """Open an image in a further viewer, on the screen."""
        source = QuPathProject(self.project)
        found = next(e for e in source.slides() if e.key == entry)
        data = open_image(found.annotation_path)
        self.images[entry] = _Image(found.annotation_path, source.create(found) if data is None else data)
        self.on_screen = entry

    def close(self, entry: str) -> None:
        """Close an image without saving it."""
        del self.images[entry]
        if self.on_screen == entry:
            self.on_screen = next(iter(self.images), None)

    def edit(self, entry: str, changes: Changes) -> None:
        """Let the person change something."""
        image = self.images[entry]
        image.data, image.is_changed = edit_image(image.data, changes), True

    def save(self, entry: str) -> None:
        """Save an image as QuPath does."""
        image = self.images[entry]
        image.path.parent.mkdir(parents=True, exist_ok=True)
        save_image(image.path, image.data, count=1, pause=lambda: None)
        image.is_changed = False

    def objects(self, entry: str) -> Mapping[str, Annotation]:
        """Return id → object of an image in memory."""
        return {a.object_id: a for a in read_qpdata(self.images[entry].data).annotations}

    def marker(self, entry: str) -> str | None:
        """Return the write of ours that an image in memory carries."""
        return read_qpdata(self.images[entry].data).write_marker

    def beat(self) -> None:
        """Say what is open, if SlideBridge works on the project."""
        if not self.folder.is_dir():
            return
        self.count += 1
        rows = [
            {
                "entry": entry,
                "changed": image.is_changed,
                "on_screen": entry == self.on_screen,
                "marker": self.marker(entry),
            }
            for entry, image in self.images.items()
        ]
        self._leave(
            self.heartbeat,
            {"session": self.session, "pid": self.pid, "host": self.host, "count": self.count, "open": rows},
        )

    def quit(self) -> None:
        """End the program in order; a kill is simply no further call."""
        self.images.clear()
        self.heartbeat.unlink(missing_ok=True)

    def ask(self, entry: str, region: tuple[int, int, int, int] | None = None) -> None:
        """Choose *Predict here*."""
        self.count += 1
        path = self.folder / OUTBOX / f"{time.time_ns() // 10**6:015d}-{self.session}-{self.count}.json"
        self._leave(path, {"session": self.session, "ask": PREDICT, "entry": entry, "region": region})

    def pull(self, on_step: Callable[[PullStep], None] = no_step) -> int:
        """Take what is offered for the open images; return how many deliveries were taken."""
        done = 0
        for entry in tuple(self.images):
            for offered in sorted((self.folder / INBOX / entry).glob(f"*{OFFERED}")):
                done += self._pull(entry, offered, on_step)
        return done

    def _pull(self, entry: str, offered: Path, on_step: Callable[[PullStep], None]) -> bool:
        image = self.images[entry]
        if image.is_broken:
            return False
        try:
            delivery = parse_json(offered.read_bytes())
        except FileNotFoundError:
            return False
        on_step(PullStep.READ)
        if self.images.get(entry) is not image:  # another image was opened meanwhile
            return False
        marker = offered.name.removesuffix(OFFERED)
        taken = offered.with_name(f"{marker}.{self.session}{TAKEN}")
        try:
            offered.rename(taken)
        except FileNotFoundError:
            return False
        on_step(PullStep.TAKEN)
        left, trouble = self._apply(image, delivery)
        on_step(PullStep.APPLIED)
        self.beat()
        on_step(PullStep.BEATEN)
        self._leave(
            offered.with_name(f"{marker}{DONE}"), {"session": self.session, "left": sorted(left), "trouble": trouble}
        )
        on_step(PullStep.RECEIPTED)
        taken.unlink(missing_ok=True)
        return True

    def _apply(self, image: _Image, delivery: Mapping[str, Any]) -> tuple[set[str], str | None]:
        if self.fails:
            image.is_broken = True
            return set(), "the simulated script fails"
        found = {a.object_id: a for a in read_qpdata(image.data).annotations}
        remove = _read_features(delivery["remove"])
        promote = _read_features([row["object"] for row in delivery["promote"]])
        left = {a.object_id for a in (*remove, *promote) if not _is_unchanged(found.get(a.object_id), a)}
        classes = [read_class(row["classification"], "promote") for row in delivery["promote"]]
        edits = Edits(
            delivery["marker"],
            frozenset(a.object_id for a in remove if a.object_id not in left),
            {
                a.object_id: (name or "", color or _GREY)
                for a, (name, color) in zip(promote, classes, strict=True)
                if a.object_id not in left
            },
            tuple(_machine_object(a) for a in _read_features(delivery["add"])),
        )
        image.data, image.is_changed = apply_edits(image.data, edits), True
        return left, None

    def _leave(self, path: Path, content: Mapping[str, object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(to_json({"protocol": PROTOCOL, **content}))
        part.replace(path)


def _read_features(features: list[Mapping[str, Any]]) -> tuple[Annotation, ...]:
    return read_geojson(to_json({"type": "FeatureCollection", "features": features})).annotations


def _is_unchanged(now: Annotation | None, before: Annotation) -> bool:
    return (
        now is not None
        and now.is_ours
        and now.path_class == before.path_class
        and (now.name or None) == (before.name or None)
        and is_same_outline(now.geometry, before.geometry)
    )


def _machine_object(annotation: Annotation) -> MachineObject:
    assert annotation.path_class is not None and annotation.color is not None, "QuPath refuses such a feature"
    role = MachineRole.PROPOSAL if annotation.path_class == PROPOSED else MachineRole.PREDICTION
    return MachineObject(
        annotation.object_id,
        role,
        annotation.path_class,
        annotation.geometry,
        annotation.color,
        annotation.name,
        is_editable=annotation.kind is ObjectKind.ANNOTATION,
        checkpoint=annotation.metadata.get(CHECKPOINT_KEY),
    )


def run(project: Path, entry: str, seconds: float, *, saves: bool, clock: Callable[[], float] = time.monotonic) -> int:
    """Have an image open for a while; return how many deliveries were taken.

    Parameters
    ----------
    saves
        The person saves whenever something came.
    """
    viewer, until, taken = HookedViewer(project), clock() + seconds, 0
    viewer.open(entry)
    while clock() < until:
        viewer.beat()
        came = viewer.pull()
        if came and saves:
            viewer.save(entry)
        taken += came
        time.sleep(_BEAT_SECONDS)
    viewer.quit()
    return taken


def _main() -> None:
    parser = argparse.ArgumentParser(description="Play a QuPath that has one image open.")
    parser.add_argument("project", type=Path)
    parser.add_argument("entry")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--save", action="store_true", help="save whenever results came")
    asked = parser.parse_args()
    print(run(asked.project, asked.entry, asked.seconds, saves=asked.save))


if __name__ == "__main__":
    _main()
