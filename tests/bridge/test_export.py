"""The safe write against crashes, tools that save at the same time, and disks that don't take it."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, AnnotationSet, Edits, MachineObject, MachineRole, SlideEntry
from bridge.annotations.roles import Fate, Outcome
from bridge.errors import AnnotationFileError, StoreError, WriteConflictError, WriteFailedError
from bridge.export import Recovery, WriteResult, WriteStep, finish_displaced, recover, write_edits
from bridge.store import Backups, Store, WriteState, atomic

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
        return None

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
            given_ = {"iteration": 3, "now": NOW} | more
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


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store to copy: faster than making one."""
    folder = tmp_path_factory.mktemp("store")
    Store.open(folder).close()
    return folder


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


@pytest.fixture
def bench(new_store: Path) -> Iterator[Bench]:
    with new_bench(new_store) as bench:
        yield bench


@pytest.fixture
def disk_bench(tmp_path: Path) -> Bench:
    (tmp_path / "s1.lines").write_bytes(BASE)
    return Bench(tmp_path)


@pytest.fixture(params=EXCHANGES)
def exchange(request: pytest.FixtureRequest) -> Callable[[Path, Path], None]:
    return EXCHANGES[request.param]


def at(step: WriteStep, act: Callable[[], None]) -> Callable[[WriteStep], None]:
    return lambda reached: act() if reached is step else None


# ── the plain write ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_write_adds_ours_and_keeps_what_a_person_drew(
    disk_bench: Bench, exchange: Callable[[Path, Path], None]
) -> None:
    bench = disk_bench
    result = bench.write(BASE, exchange=exchange)
    after = bench.source.parse(bench.target.read_bytes(), bench.entry)
    assert [a.object_id for a in after.annotations] == ["h1", "p1", "p2"]
    assert after.write_marker == "w1"
    assert atomic.sha256_of(bench.target) == result.revision
    assert bench.live() == {"p1", "p2"}
    assert [w.iteration for w in result.written] == [3, 3]
    with bench.open() as store:
        assert store.newest_marker("s1") == "w1"
        assert store.is_own_revision("s1", result.revision)
    assert (bench.root / "summary").read_bytes() == b"%d" % bench.target.read_bytes().count(b"\n")
    assert bench.finish("w1")
    assert bench.names() == ["s1.lines", "summary"]


def test_base_is_backed_up(bench: Bench) -> None:
    bench.write(BASE)
    assert bench.backups.load(atomic.hashlib.sha256(BASE).hexdigest()) == BASE


def test_next_write_takes_out_and_promotes(bench: Bench) -> None:
    bench.write(BASE)
    bench.finish("w1")
    edits = Edits("w2", frozenset({"p1"}), {"p2": ("Tumor", (1, 2, 3))}, (prediction("p3"),))
    result = bench.write(bench.target.read_bytes(), edits)
    assert result.closed == {"p1", "p2"}
    assert bench.live() == bench.ours() == {"p3"}


def test_first_file_is_created(bench: Bench) -> None:
    bench.target.unlink()
    assert not bench.write(None).is_displaced
    assert bench.ours() == {"p1", "p2"}
    assert bench.names() == ["s1.lines", "summary"]


def test_first_file_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    entry = replace(bench.entry, annotation_path=tmp_path / "7" / "data.lines")
    with bench.open() as store:
        write_edits(bench.source, entry, None, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert entry.annotation_path.is_file()


def test_file_that_appeared_is_not_replaced(bench: Bench) -> None:
    with pytest.raises(WriteConflictError):
        bench.write(None)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]
    assert bench.live() == set()


def test_objects_are_written_in_the_frame_of_the_tool(bench: Bench) -> None:
    entry = replace(bench.entry, origin=(1000, 50))
    asked = prediction("p1", 1100)
    asked = replace(asked, geometry=box(1100, 60, 1120, 80))
    with bench.open() as store:
        first = write_edits(
            bench.source, entry, BASE, Edits("w1", add=(asked,)), store, bench.backups, iteration=0, now=NOW
        )
        assert store.live_objects("s1")[0].geometry.equals(asked.geometry)
        assert first.written[0].geometry.equals(asked.geometry)
        held = bench.source.parse(bench.target.read_bytes(), entry).annotations[-1]
        assert held.geometry.bounds == (100, 10, 120, 30)
        second = Edits("w2", delete=frozenset({"p1"}))
        data = bench.target.read_bytes()
        assert write_edits(bench.source, entry, data, second, store, bench.backups, iteration=0, now=NOW).closed


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in ReplaceFileW")
def test_permissions_stay(bench: Bench) -> None:
    bench.target.chmod(0o640)
    bench.write(BASE)
    assert bench.target.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_stays_a_link(bench: Bench) -> None:
    real = bench.root / "elsewhere" / "real.lines"
    real.parent.mkdir()
    bench.target.rename(real)
    bench.target.symlink_to(real)
    bench.write(BASE)
    assert bench.target.is_symlink()
    assert bench.ours(real.read_bytes()) == {"p1", "p2"}


@pytest.mark.parametrize("marker", ["", "../w", "a/b", ".hidden", "x" * 65])
def test_marker_that_is_no_name_is_refused(bench: Bench, marker: str) -> None:
    with pytest.raises(ValueError, match="can't name a write"):
        bench.write(BASE, replace(EDITS, write_marker=marker))


def test_companion_that_cannot_be_written_is_told(bench: Bench) -> None:
    (bench.root / "summary").mkdir()
    (bench.root / "summary" / "full").touch()
    result = bench.write(BASE)
    assert "summary" in result.warnings[0]
    assert bench.live() == bench.ours() == {"p1", "p2"}


# ── what the new file may not lose ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [line for line in lines if "h1" not in line], "lose"),
        (lambda lines: [line.replace("100", "103") for line in lines], "lose"),
        (lambda lines: [line.replace('"Tumor"', '"Stroma"') for line in lines], "lose"),
        (lambda lines: [line.replace('"name": null', '"name": "x"') for line in lines], "lose"),
        (lambda lines: [line for line in lines if "p2" not in line], "lack our object p2"),
        (lambda lines: [line.replace("[20", "[10") for line in lines], "elsewhere"),
        (lambda lines: [*lines[:-1], lines[1].replace("h1", "h9"), lines[-1]], "nobody asked for"),
    ],
)
def test_new_file_that_is_not_what_was_meant_is_not_written(
    bench: Bench, spoil: Callable[[list[str]], list[str]], said: str
) -> None:
    class Spoiled(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return "\n".join(spoil(super().apply(data, edits, entry).decode().split("\n"))).encode()

    with bench.open() as store, pytest.raises(WriteFailedError, match=said):
        write_edits(Spoiled(bench.root), bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]


def test_numbers_that_a_format_rounds_are_no_loss(bench: Bench) -> None:
    class Rounding(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return super().apply(data, edits, entry).replace(b"100.0", b"100.4")

    with bench.open() as store:
        write_edits(Rounding(bench.root), bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert bench.ours() == {"p1", "p2"}


def test_promotion_that_is_lost_is_refused(bench: Bench) -> None:
    class Forgetful(LineSource):
        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            return super().apply(data, replace(edits, promote={}, delete=frozenset(edits.promote)), entry)

    bench.write(BASE)
    edits = Edits("w2", promote={"p1": ("Tumor", (1, 2, 3))})
    with bench.open() as store, pytest.raises(WriteFailedError, match="accepted prediction p1"):
        data = bench.target.read_bytes()
        write_edits(Forgetful(bench.root), bench.entry, data, edits, store, bench.backups, iteration=0, now=NOW)


@pytest.mark.parametrize("name", ["h1", "p1"])
def test_only_what_is_as_we_wrote_it_is_deleted(bench: Bench, name: str) -> None:
    bench.write(BASE)
    data = bench.target.read_bytes().replace(b"[0.0, 0.0, 9.0, 9.0]", b"[0.0, 0.0, 19.0, 9.0]")
    bench.target.write_bytes(data)
    with pytest.raises(WriteFailedError, match="not as we wrote it"):
        bench.write(data, Edits("w2", delete=frozenset({name})))
    assert bench.target.read_bytes() == data


def test_object_that_a_format_splits_becomes_several(bench: Bench) -> None:
    class Splitting(LineSource):
        """As ImageScope: a region a part, named by place, our id in its attributes."""

        def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
            found = super().parse(data, entry)
            named = [
                replace(a, object_id=str(i), metadata={"hint": a.object_id.split("/")[0]})
                for i, a in enumerate(found.annotations)
            ]
            return replace(found, annotations=tuple(named))

        def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
            parts = [
                replace(o, object_id=f"{o.object_id}/{i}", geometry=part)
                for o in edits.add
                for i, part in enumerate(o.geometry.geoms)
            ]
            return super().apply(data, replace(edits, add=tuple(parts)), entry)

    two = replace(prediction("p1"), geometry=MultiPolygon([box(0, 0, 9, 9), box(20, 0, 29, 9)]))
    with bench.open() as store:
        result = write_edits(
            Splitting(bench.root),
            bench.entry,
            BASE,
            Edits("w1", add=(two,)),
            store,
            bench.backups,
            iteration=0,
            now=NOW,
        )
    assert len({w.object_id for w in result.written}) == 2
    assert [w.geometry.bounds[0] for w in result.written] == [0, 20]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


@needs_fork
@pytest.mark.parametrize("step", WriteStep)
@pytest.mark.parametrize("base", [BASE, None], ids=["rewrite", "create"])
def test_killed_after_any_step(
    bench: Bench, step: WriteStep, base: bytes | None, exchange: Callable[[Path, Path], None]
) -> None:
    if base is None:
        bench.target.unlink()
    assert in_child(lambda: bench.write(base, on_step=at(step, die), exchange=exchange)) == -signal.SIGKILL
    bench.recover()
    if bench.live():
        assert (bench.root / "summary").read_bytes() == b"%d" % bench.target.read_bytes().count(b"\n")
    check_settled(bench, base)


@needs_fork
def test_killed_between_the_steps_of_an_exchange_by_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the link, after the replacement: the two instants at which three names are about."""
    for dies_at, call in enumerate(("replace", "rename")):
        root = bench.root / str(dies_at)
        root.mkdir()
        one = Bench(root)
        shutil.copytree(bench.root / ".slidebridge", root / ".slidebridge")
        one.target.write_bytes(BASE)

        def exchange(target: Path, temp: Path, call: str = call) -> None:
            monkeypatch.setattr(Path, call, lambda *_: die())
            atomic.exchange_by_link(target, temp)

        assert in_child(lambda one=one, exchange=exchange: one.write(BASE, exchange=exchange)) == -signal.SIGKILL
        one.recover()
        check_settled(one, BASE)


@needs_fork
def test_killed_in_the_middle_of_the_temporary_file(bench: Bench) -> None:
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.JOURNALLED, die))) == -signal.SIGKILL
    (bench.root / ".slidebridge-w1.tmp.part").write_bytes(b'{"mark')
    bench.recover()
    check_settled(bench, BASE)


@needs_fork
@pytest.mark.parametrize("step", [WriteStep.SWAPPED, WriteStep.VERIFIED, WriteStep.SYNCED])
def test_crash_and_then_a_save_into_the_displaced_file(bench: Bench, step: WriteStep) -> None:
    handle = bench.target.open("r+b")
    assert in_child(lambda: bench.write(BASE, on_step=at(step, die))) == -signal.SIGKILL
    with handle:
        handle.write(SAVE)
        handle.truncate()
    report = bench.recover(NOW)  # at once: a save isn't left waiting
    assert [w.outcome for w in report.writes] == [Recovery.PUT_BACK]
    assert "read it again" in report.messages[0]
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()
    bench.recover()
    assert bench.names() == ["s1.lines"]


@needs_fork
def test_crash_and_then_two_saves_keeps_both(bench: Bench) -> None:
    handle = bench.target.open("r+b")
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.SWAPPED, die))) == -signal.SIGKILL
    with handle:
        handle.write(SAVE)
        handle.truncate()
    other = SAVE.replace(b"Stroma", b"Fat")
    bench.target.write_bytes(other)
    report = bench.recover()
    assert [w.outcome for w in report.writes] == [Recovery.KEPT]
    assert bench.target.read_bytes() == other
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE
    assert bench.recover().strays == (bench.root / ".slidebridge-w1.tmp",)


@needs_fork
@pytest.mark.parametrize("knows_our_write", [True, False])
def test_crash_and_then_a_save_over_our_file(bench: Bench, knows_our_write: bool) -> None:
    """Where no displaced file tells, the marker in the save does."""
    step, exchange = at(WriteStep.SYNCED, die), atomic.replace_existing
    assert in_child(lambda: bench.write(BASE, on_step=step, exchange=exchange)) == -signal.SIGKILL
    bench.target.write_bytes(bench.target.read_bytes().replace(b"h1", b"h7") if knows_our_write else SAVE)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED if knows_our_write else Recovery.ABANDONED]
    assert bench.live() == ({"p1", "p2"} if knows_our_write else set())


@needs_fork
def test_share_that_is_away_is_waited_for(bench: Bench) -> None:
    share = bench.root / "share"
    share.mkdir()
    entry = replace(bench.entry, annotation_path=share / "s1.lines")
    entry.annotation_path.write_bytes(BASE)

    def cut_short() -> None:
        with bench.open() as store:
            on_step = at(WriteStep.SYNCED, die)
            write_edits(bench.source, entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW, on_step=on_step)

    assert in_child(cut_short) == -signal.SIGKILL
    away = share.rename(bench.root / "away")
    for mount_point_stays in (False, True):
        if mount_point_stays:
            share.mkdir()
        report = bench.recover(resolve=lambda key: (bench.source, entry))
        assert [w.outcome for w in report.writes] == [Recovery.WAITING]
    share.rmdir()
    away.rename(share)
    report = bench.recover(resolve=lambda key: (bench.source, entry))
    assert [w.outcome for w in report.writes] == [Recovery.FINISHED]
    assert bench.live() == {"p1", "p2"}


@needs_fork
def test_new_write_before_recovery_is_refused(bench: Bench) -> None:
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.STAGED, die))) == -signal.SIGKILL
    with pytest.raises(StoreError, match="cut short"):
        bench.write(BASE, AGAIN)


@needs_fork
def test_recovery_after_the_project_moved(disk_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    bench = disk_bench
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.SWAPPED, die))) == -signal.SIGKILL
    moved = Bench(tmp_path_factory.mktemp("moved") / "project")
    shutil.move(bench.root, moved.root)
    moved.recover()
    check_settled(moved, BASE)


def test_strays_are_reported_and_left_alone(bench: Bench) -> None:
    bench.write(BASE)
    stray = bench.root / ".slidebridge-other.tmp"
    stray.write_bytes(SAVE)
    assert bench.recover().strays == (stray,)
    assert stray.read_bytes() == SAVE


def test_displaced_file_waits_until_it_has_been_still(bench: Bench) -> None:
    assert bench.write(BASE).is_displaced
    assert not bench.finish("w1", NOW + timedelta(seconds=1))
    assert [w.outcome for w in bench.recover(NOW).writes] == [Recovery.WAITING]
    assert bench.recover(NOW).strays == ()
    assert bench.finish("w1", NOW + timedelta(seconds=2))
    assert bench.finish("w1", NOW)
    assert bench.names() == ["s1.lines", "summary"]


# ── saves that come in between ───────────────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("step", WriteStep)
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_whole_save_between_two_steps(
    bench: Bench, step: WriteStep, tool: Callable[[Path], Iterator[None]], exchange: Callable[[Path, Path], None]
) -> None:
    save = at(step, lambda: exhaust(tool(bench.target)))
    before_the_swap = step not in (WriteStep.VERIFIED, WriteStep.SYNCED, WriteStep.FINISHED, WriteStep.COMPANIONS)
    if before_the_swap and not (step is WriteStep.CHECKED and exchange is atomic.replace_existing):
        with pytest.raises(WriteConflictError, match="read it again"):
            bench.write(BASE, on_step=save, exchange=exchange)
        assert bench.target.read_bytes() == SAVE
        assert bench.live() == set()
    elif before_the_swap:
        return  # a share without exchange or links: the window that stays open, and the documentation says so
    else:
        bench.write(BASE, on_step=save, exchange=exchange)  # was in place; the save came after it
    check_save_survived(bench)


@pytest.mark.parametrize("step", WriteStep)
def test_whole_save_while_a_first_file_is_made(bench: Bench, step: WriteStep) -> None:
    bench.target.unlink()
    outcome = None
    try:
        bench.write(None, on_step=at(step, lambda: exhaust(save_in_place(bench.target))))
    except WriteConflictError as error:
        outcome = error
    assert (outcome is None) == (
        step in (WriteStep.VERIFIED, WriteStep.SYNCED, WriteStep.FINISHED, WriteStep.COMPANIONS)
    )
    check_save_survived(bench)


@pytest.mark.parametrize("name", ["exchange", "link"])
@given(
    tool=st.sampled_from(list(TOOLS.values())),
    when=st.lists(st.integers(0, 13), min_size=5, max_size=5).map(sorted),
    killed=st.none() | st.sampled_from(list(WriteStep)),
)
@settings(max_examples=40, deadline=None)
def test_save_interleaved_with_a_write_in_any_way(
    new_store: Path,
    name: str,
    tool: Callable[[Path], Iterator[None]],
    when: list[int],
    killed: WriteStep | None,
) -> None:
    """Each step of the save falls anywhere among the steps of the write, of finishing it, or after; crashes too."""
    with new_bench(new_store) as bench:
        moves, passed, saving = tool(bench.target), iter(range(100)), list(when)

        def move(until: int) -> None:
            while saving and saving[0] <= until:
                saving.pop(0)
                next(moves, None)

        def tick(step: WriteStep | None = None) -> None:
            move(next(passed))
            if step is not None and step is killed:
                raise SystemExit  # nothing between here and the journal catches it: as good as dead

        with suppress(WriteConflictError, SystemExit):
            bench.write(BASE, on_step=tick, exchange=EXCHANGES[name])
        tick()
        bench.recover(NOW)
        tick()
        if len(saving) == 4:
            move(saving[0])  # what is opened is written to within settle_seconds: beyond, nobody can know
        bench.recover(NOW + timedelta(seconds=5))
        tick()
        bench.recover(NOW + timedelta(seconds=10))
        exhaust(moves)
        check_save_survived(bench)


def test_save_in_progress_blocks(bench: Bench) -> None:
    bkp_of(bench.target).write_bytes(BASE)
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(BASE)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines", "s1.lines.bkp"]  # nothing displaced: it was never swapped


def test_save_that_begins_after_the_swap_gets_its_file_back(bench: Bench) -> None:
    """A .bkp without a renamed target: seen only by the second look."""
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(BASE, on_step=at(WriteStep.SWAPPED, lambda: bkp_of(bench.target).touch()))
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()


def test_save_that_begins_after_a_first_file_was_made(bench: Bench) -> None:
    bench.target.unlink()
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(None, on_step=at(WriteStep.SWAPPED, lambda: bkp_of(bench.target).touch()))
    assert not bench.target.exists()
    assert bench.live() == set()


def test_file_that_was_deleted_meanwhile_is_not_made_again(bench: Bench) -> None:
    with pytest.raises(WriteConflictError, match="moved away"):
        bench.write(BASE, on_step=at(WriteStep.CHECKED, bench.target.unlink))
    assert bench.names() == []


def test_late_save_into_the_displaced_file_comes_back(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        assert bench.live() == {"p1", "p2"}
        handle.write(SAVE)
        handle.truncate()
        handle.flush()
        with pytest.raises(WriteConflictError, match="read it again"):
            bench.finish("w1", NOW)
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()
    with bench.open() as store:
        assert store.newest_marker("s1") is None
        assert store.write("w1").state is WriteState.ABANDONED
    assert bench.finish("w1")
    assert bench.names() == ["s1.lines", "summary"]


def test_save_in_the_instant_of_putting_back_stays_the_newest(bench: Bench) -> None:
    other = SAVE.replace(b"Stroma", b"Fat")
    calls = iter(range(9))

    def exchange(target: Path, temp: Path) -> None:
        if next(calls) == 1:
            (bench.root / "new").write_bytes(other)
            (bench.root / "new").replace(target)
        atomic.exchange(target, temp)

    save = at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target)))
    with pytest.raises(WriteConflictError):
        bench.write(BASE, on_step=save, exchange=exchange)
    assert bench.target.read_bytes() == other
    assert [w.outcome for w in bench.recover().writes] == [Recovery.KEPT]
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE


def test_late_save_gives_back_what_the_write_had_closed(bench: Bench) -> None:
    bench.write(BASE)
    bench.finish("w1")
    with bench.target.open("ab") as handle:
        bench.write(bench.target.read_bytes(), Edits("w2", delete=frozenset({"p1"}), add=(prediction("p3"),)))
        handle.write(b" ")
    with pytest.raises(WriteConflictError):
        bench.finish("w2")
    assert bench.live() == {"p1", "p2"}


def test_late_save_beside_another_save_keeps_both(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        handle.write(SAVE)
        handle.truncate()
    other = SAVE.replace(b"Stroma", b"Fat")
    bench.target.write_bytes(other)
    with pytest.raises(WriteConflictError, match="kept as"):
        bench.finish("w1")
    assert bench.target.read_bytes() == other
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE
    assert bench.finish("w1")


def test_late_save_goes_over_newer_writes_of_ours(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        bench.write(bench.target.read_bytes(), AGAIN_DELETING)
        handle.write(SAVE)
        handle.truncate()
    with pytest.raises(WriteConflictError):
        bench.finish("w1")
    assert bench.target.read_bytes() == SAVE


AGAIN_DELETING = Edits("w2", delete=frozenset({"p1", "p2"}), add=(prediction("p3"),))


def test_conflict_then_merge_again(bench: Bench) -> None:
    with pytest.raises(WriteConflictError):
        bench.write(BASE, on_step=at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target))))
    bench.write(bench.target.read_bytes(), AGAIN)
    found = bench.source.parse(bench.target.read_bytes(), bench.entry)
    assert [a.object_id for a in found.annotations] == ["h2", "h1", "p1", "p2"]
    assert bench.live() == {"p1", "p2"}


def test_object_that_an_open_viewer_brought_back_is_known(bench: Bench) -> None:
    bench.write(BASE)
    viewer = bench.target.read_bytes()
    bench.write(viewer, AGAIN_DELETING)
    bench.target.write_bytes(viewer)  # the viewer, open all along, saves what it knows
    with bench.open() as store:
        back = store.superseded("s1")
        assert {w.object_id for w in back} == {"p1", "p2"}
        gone = [Outcome(w, Fate.OVERWRITTEN) for w in store.live_objects("s1")]
        found = {a.object_id: a for a in bench.source.parse(viewer, bench.entry).annotations}
        here = [Outcome(w, Fate.OPEN, found[w.object_id]) for w in back]
        store.record_outcomes("s1", gone + here, "r", LATER)
    assert bench.live() == {"p1", "p2"}
    bench.write(viewer, replace(AGAIN_DELETING, write_marker="w3", add=(prediction("p4"),)))
    assert bench.live() == bench.ours() == {"p4"}


# ── disks and rights ─────────────────────────────────────────────────────────────────────────────────────────────────


def expect(kind: type[Exception], said: str, act: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(kind, match=said):
            act()

    return run


BIG = replace(EDITS, add=tuple(prediction(f"p{i}", 20 * i) for i in range(4000)))


@needs_fork
@pytest.mark.parametrize("base", [BASE, None], ids=["rewrite", "create"])
def test_disk_that_fills_up_while_writing(bench: Bench, base: bytes | None) -> None:
    """The kernel refuses what goes beyond a size: the same error path as a full disk, half way through the file."""
    if base is None:
        bench.target.unlink()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    def write() -> None:
        bench.write(base, BIG, on_step=at(WriteStep.JOURNALLED, limit))

    def journal_survives() -> None:  # SQLite's own file is beyond the limit by then: lift it as a person frees space
        expect((WriteFailedError, StoreError), "free some disk space", write)()

    assert in_child(journal_survives) == 0
    assert (bench.target.read_bytes() if base else bench.target.exists()) == (base or False)
    assert [name for name in bench.names() if name.startswith(".")] == []
    bench.recover()
    check_settled(bench, base)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; needs root on Linux."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("can't mount a tmpfs here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_full_disk(tiny_disk: Path, tmp_path: Path) -> None:
    bench = SimpleNamespace(source=LineSource(tiny_disk), entry=LineSource(tiny_disk).slides()[0])
    target = bench.entry.annotation_path
    target.write_bytes(BASE)
    with Store.open(tmp_path / "records") as store:
        backups = Backups(tmp_path / "records" / "backups")
        with pytest.raises(WriteFailedError, match=r"No space left.*free some disk space.*the file is as it was"):
            write_edits(bench.source, bench.entry, BASE, BIG, store, backups, iteration=0, now=NOW)
        assert target.read_bytes() == BASE
        assert [p.name for p in tiny_disk.iterdir()] == ["s1.lines"]
        assert store.live_objects("s1") == store.unfinished_writes() == ()
        write_edits(bench.source, bench.entry, BASE, AGAIN, store, backups, iteration=0, now=NOW)
        with pytest.raises(StoreError, match="No space left"):
            Backups(tiny_disk / "backups").keep(os.urandom(100_000))


@contextmanager
def open_to_nobody() -> Iterator[Path]:
    """A folder that an account without rights can walk into (pytest's own are root's alone)."""
    root = Path(tempfile.mkdtemp(dir="/tmp" if os.name == "posix" else None))
    root.chmod(0o777)
    try:
        yield root
    finally:
        shutil.rmtree(root)


def lose_rights() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


@needs_fork
@pytest.mark.parametrize("what", ["folder", "file"])
def test_read_only(what: str) -> None:
    with open_to_nobody() as root:
        bench, folder = Bench(root), root / "slides"
        folder.mkdir()
        entry = replace(bench.entry, annotation_path=folder / "s1.lines")
        entry.annotation_path.write_bytes(BASE)
        entry.annotation_path.chmod(0o666 if what == "folder" else 0o444)
        folder.chmod(0o555 if what == "folder" else 0o777)

        def write() -> None:
            lose_rights()
            with bench.open() as store:
                expect(
                    WriteFailedError,
                    "make the file and its folder writable",
                    lambda: write_edits(bench.source, entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW),
                )()
                assert store.unfinished_writes() == ()

        code = in_child(write)
        folder.chmod(0o777)
        assert code == 0
        assert entry.annotation_path.read_bytes() == BASE
        assert [p.name for p in folder.iterdir()] == ["s1.lines"]


def bad_disk() -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_disk_that_fails_right_after_the_swap(bench: Bench) -> None:
    with pytest.raises(WriteFailedError, match=r"check the disk.*the file is as it was"):
        bench.write(BASE, on_step=at(WriteStep.VERIFIED, bad_disk))
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()
    bench.recover()
    check_settled(bench, BASE)


def test_disk_that_doesn_t_even_let_us_put_back(bench: Bench) -> None:
    calls = iter(range(9))

    def exchange(target: Path, temp: Path) -> None:
        atomic.exchange(target, temp) if next(calls) == 0 else bad_disk()

    with pytest.raises(WriteFailedError, match="start again to settle it"):
        bench.write(BASE, on_step=at(WriteStep.VERIFIED, bad_disk), exchange=exchange)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    check_settled(bench, BASE)


def test_share_that_goes_away_while_writing(bench: Bench) -> None:
    """Every look at the file is an error then; what holds is found out when it is back."""
    kept = bench.root / "kept"

    def unmount() -> None:
        bench.target.rename(kept)
        bench.target.mkdir()

    with pytest.raises(WriteFailedError, match="start again to settle it"):
        bench.write(BASE, on_step=at(WriteStep.SWAPPED, unmount))
    with bench.open() as store:
        assert [w.state for w in store.unfinished_writes()] == [WriteState.BEGUN]
    bench.target.rmdir()
    kept.rename(bench.target)
    bench.recover()
    check_settled(bench, BASE)


def test_displaced_file_that_cannot_be_reached_waits(bench: Bench) -> None:
    bench.write(BASE)
    temp = bench.root / ".slidebridge-w1.tmp"
    temp.rename(bench.root / "kept")
    temp.mkdir()
    with pytest.raises(WriteFailedError, match="at the next start"):
        bench.finish("w1")
    temp.rmdir()
    (bench.root / "kept").rename(temp)
    assert bench.finish("w1")


def test_store_that_fails_after_the_swap_is_made_good_at_the_next_start(bench: Bench) -> None:
    with bench.open() as store:
        store.close()

        def break_store() -> None:
            (bench.root / ".slidebridge" / "store.sqlite").rename(bench.root / ".slidebridge" / "away")
            (bench.root / ".slidebridge" / "store.sqlite").mkdir()
            store.close()

        on_step = at(WriteStep.SYNCED, break_store)
        with pytest.raises(StoreError):
            write_edits(
                bench.source, bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW, on_step=on_step
            )
    (bench.root / ".slidebridge" / "store.sqlite").rmdir()
    (bench.root / ".slidebridge" / "away").rename(bench.root / ".slidebridge" / "store.sqlite")
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    assert bench.live() == {"p1", "p2"}


def test_importing_the_workflow_brings_no_database() -> None:
    code = "import sys, bridge.export; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
