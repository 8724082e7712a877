"""A bench for the safe write: a small format that keeps ids, a project on it, and tools that save at the same time.

Imported by tests as ``write_bench`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shapely import box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, AnnotationSet, Edits, MachineObject, MachineRole, SlideEntry
from bridge.errors import AnnotationFileError
from bridge.export import WriteResult, WriteStep, finish_displaced, recover, write_edits
from bridge.store import Backups, Store, atomic

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


LATER = NOW + timedelta(seconds=10)


EXCHANGES = {
    "exchange": atomic.exchange,
    "link": atomic.exchange_by_link,
    "replace": atomic.replace_existing,
}


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="faults are injected into forked children")


@dataclass(frozen=True)
class LineSource:
    """A format of one JSON object a line, ``END`` last, that keeps ids, as QuPath's does."""

    root: Path

    def slides(self) -> tuple[SlideEntry, ...]:
        return (SlideEntry("s1", "slide 1", self.root / "s1.svs", self.root / "s1.lines"),)

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        *lines, end = data.decode().split("\n") if data else [""]
        if end != "END":
            raise AnnotationFileError("cut")
        head, *objects = (json.loads(line) for line in lines)
        found = tuple(
            Annotation(o["id"], box(*o["box"]), o["class"], name=o["name"], is_ours=o["ours"]) for o in objects
        )
        return AnnotationSet(found, write_marker=head["marker"])

    def create(self, entry: SlideEntry) -> bytes:
        return lines_of()

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        lines = [json.loads(line) for line in data.decode().split("\n")[1:-1]]
        kept = [line for line in lines if line["id"] not in edits.delete]
        for line in kept:
            if line["id"] in edits.promote:
                line |= {"class": edits.promote[line["id"]][0], "ours": False}
        new = [line_of(o.object_id, o.path_class, o.geometry, name=o.name, ours=True) for o in edits.add]
        return lines_of(*kept, *new, marker=edits.write_marker)

    def blocker(self, entry: SlideEntry) -> str | None:
        return "is being saved" if bkp_of(entry.annotation_path).exists() else None

    def spare(self, entry: SlideEntry) -> Path | None:
        spare = bkp_of(entry.annotation_path)
        return spare if spare.is_file() and spare.read_bytes().endswith(b"END") else None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        return {self.root / "summary": b"%d" % data.count(b"\n")}


def line_of(
    object_id: str, path_class: str, geometry: BaseGeometry, *, name: str | None = None, ours: bool = False
) -> dict[str, object]:
    return {"id": object_id, "class": path_class, "name": name, "ours": ours, "box": list(geometry.bounds)}


def lines_of(*objects: dict[str, object], marker: str | None = None) -> bytes:
    return "\n".join([json.dumps({"marker": marker}), *map(json.dumps, objects), "END"]).encode()


def bkp_of(path: Path) -> Path:
    return path.with_name(path.name + ".bkp")


def prediction(object_id: str, x: int = 0) -> MachineObject:
    return MachineObject(object_id, MachineRole.PREDICTION, "Tumor: Predicted", box(x, 0, x + 9, 9), (1, 2, 3))


HUMAN = line_of("h1", "Tumor", box(100, 100, 140, 140))


BASE = lines_of(HUMAN)


SAVE = lines_of(line_of("h2", "Stroma", box(200, 100, 240, 140)), HUMAN)  # what the person saves meanwhile


EDITS = Edits("w1", add=(prediction("p1"), prediction("p2", 20)))


AGAIN = replace(EDITS, write_marker="w2")


@dataclass(frozen=True)
class Bench:
    """A project folder, its store and one slide."""

    root: Path

    @property
    def source(self) -> LineSource:
        return LineSource(self.root)

    @property
    def entry(self) -> SlideEntry:
        return self.source.slides()[0]

    @property
    def target(self) -> Path:
        return self.entry.annotation_path

    @property
    def backups(self) -> Backups:
        return Backups(self.root / ".slidebridge" / "backups")

    def open(self) -> Store:
        return Store.open(self.root / ".slidebridge")

    def write(self, base: bytes | None, edits: Edits = EDITS, **more: object) -> WriteResult:
        with self.open() as store:
            given_ = {"iteration": 3, "now": NOW, "clock": lambda: 0.0} | more
            return write_edits(self.source, self.entry, base, edits, store, self.backups, **given_)  # type: ignore[arg-type]

    def recover(self, now: datetime = LATER, **more: object):
        with self.open() as store:
            resolve = {"resolve": lambda key: (self.source, self.entry)} | more
            return recover(store, self.backups, now, **resolve)  # type: ignore[arg-type]

    def finish(self, marker: str, now: datetime = LATER, **more: object) -> bool:
        with self.open() as store:
            return finish_displaced(marker, store, self.backups, now, **more)  # type: ignore[arg-type]

    def live(self) -> set[str]:
        with self.open() as store:
            return {o.object_id for o in store.live_objects("s1")}

    def ours(self, data: bytes | None = None) -> set[str]:
        found = self.source.parse(self.target.read_bytes() if data is None else data, self.entry)
        return {a.object_id for a in found.annotations if a.is_ours}

    def names(self) -> list[str]:
        return sorted(p.name for p in self.root.iterdir() if p.name != ".slidebridge")


@contextmanager
def new_bench(new_store: Path) -> Iterator[Bench]:
    """A project in memory, where there is such a place: a thousand fsyncs cost nothing there."""
    memory = Path("/dev/shm")
    bench = Bench(Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None)))
    shutil.copytree(new_store, bench.root / ".slidebridge")
    bench.target.write_bytes(BASE)
    try:
        yield bench
    finally:
        shutil.rmtree(bench.root)


def at(step: WriteStep, act: Callable[[], None]) -> Callable[[WriteStep], None]:
    return lambda reached: act() if reached is step else None


def in_child(act: Callable[[], None]) -> int:
    """Run something in a forked child; return its exit code, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # the child must never run the rest of the test session
            import traceback

            traceback.print_exc()
            os._exit(70)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def check_settled(bench: Bench, base: bytes | None) -> None:
    """After recovery: the old file or the new one, a store that says the same, nothing left over, and work goes on."""
    bench.recover(LATER + timedelta(seconds=2))  # what a killed write displaced has now been still for long enough
    now = bench.target.read_bytes() if bench.target.exists() else None
    assert now == base or bench.ours(now) == {"p1", "p2"}
    assert bench.live() == (set() if now == base else {"p1", "p2"})
    assert [name for name in bench.names() if name.startswith(".")] == []
    with bench.open() as store:
        assert store.unfinished_writes() == ()
    assert bench.recover().writes == ()
    deleted = frozenset(bench.live())
    bench.write(now, Edits("w9", delete=deleted, add=(prediction("p9"),)))
    assert bench.live() == bench.ours() == {"p9"}


def save_like_qupath(path: Path) -> Iterator[None]:
    """Rename to .bkp, write in place, delete .bkp (QuPath 0.4–0.7); where there is no file there is no .bkp."""
    if path.exists():
        path.replace(bkp_of(path))
    yield
    with path.open("wb") as file:
        yield
        file.write(SAVE[:40])
        file.flush()
        yield
        file.write(SAVE[40:])
    yield
    bkp_of(path).unlink(missing_ok=True)


def save_in_place(path: Path) -> Iterator[None]:
    """Truncate and write, as ImageScope does."""
    with path.open("wb") as file:
        yield
        file.write(SAVE[:40])
        file.flush()
        yield
        file.write(SAVE[40:])


def save_through_an_old_handle(path: Path) -> Iterator[None]:
    """Open without truncating, write much later: the handle stays with the file, not with its name."""
    with path.open("r+b") as file:
        yield
        file.write(SAVE[:40])
        file.flush()
        yield
        file.write(SAVE[40:])
        file.truncate()


def save_by_rename(path: Path) -> Iterator[None]:
    new = path.with_name("new.lines")
    new.write_bytes(SAVE)
    yield
    new.replace(path)


TOOLS = {f.__name__: f for f in (save_like_qupath, save_in_place, save_through_an_old_handle, save_by_rename)}


def exhaust(tool: Iterator[None]) -> None:
    for _ in tool:
        pass


def check_save_survived(bench: Bench) -> None:
    """The save is the file, whole; what the store says of ours agrees with it; nothing is left over."""
    for seconds in (10, 20, 30):
        bench.recover(NOW + timedelta(seconds=seconds))
    assert bench.target.read_bytes() == SAVE
    assert [name for name in bench.names() if name.startswith(".")] == []
    with bench.open() as store:
        assert store.unfinished_writes() == ()


AGAIN_DELETING = Edits("w2", delete=frozenset({"p1", "p2"}), add=(prediction("p3"),))


BIG = replace(EDITS, add=tuple(prediction(f"p{i}", 20 * i) for i in range(4000)))
