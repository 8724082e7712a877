"""Reading files once no save is in progress: a played clock, real files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bridge.annotations import AnnotationSet, SlideEntry
from bridge.errors import AnnotationFileError
from bridge.watch import SettledFile, SettleOptions, read_all_settled, read_settled
from write_bench import LineSource, bkp_of, lines_of

WHOLE, OTHER = lines_of(), lines_of({"id": "h", "class": "Tumor", "name": None, "ours": False, "box": [0, 0, 9, 9]})
OPTIONS = SettleOptions(settle_seconds=2.0, stale_save_seconds=600.0)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class World:
    """Time that passes only when somebody sleeps, and what happens meanwhile."""

    now: float = 0.0
    age: float = 0.0  # of everything on disk, by the wall's clock
    slept: int = 0
    events: dict[int, Callable[[], None]] = field(default_factory=dict)  # after which sleep what happens

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1
        self.events.get(self.slept, lambda: None)()

    def clock(self) -> float:
        return self.now

    @property
    def times(self) -> Mapping[str, Callable[..., float | None]]:
        return {"sleep": self.sleep, "clock": self.clock, "wall": lambda: time.time() + self.age}


@dataclass(frozen=True)
class Many(LineSource):
    """Several slides; a cut file, or a .bkp beside one, is a save in progress."""

    count: int = 1

    def slides(self) -> tuple[SlideEntry, ...]:
        return tuple(
            SlideEntry(f"s{i}", f"s{i}", self.root / f"s{i}.svs", self.root / f"s{i}" / "data.lines")
            for i in range(self.count)
        )

    def blocker(self, entry: SlideEntry) -> str | None:
        path = entry.annotation_path
        if bkp_of(path).exists():
            return "a save is going on"
        return None if not path.exists() or path.read_bytes().endswith(b"END") else "it is cut"

    def spare(self, entry: SlideEntry) -> Path | None:
        spare = bkp_of(entry.annotation_path)
        return spare if spare.is_file() and spare.read_bytes().endswith(b"END") else None


@pytest.fixture
def many(tmp_path: Path) -> Callable[[int], Many]:
    def make(count: int) -> Many:
        source = Many(tmp_path, count)
        for entry in source.slides():
            entry.annotation_path.parent.mkdir()
        return source

    return make


def read(source: Many, world: World, known_revision: str | None = None) -> SettledFile:
    return read_settled(source, source.slides()[0], OPTIONS, known_revision=known_revision, **world.times)  # type: ignore[arg-type]


def path_of(source: Many) -> Path:
    return source.slides()[0].annotation_path


def test_file_is_believed_when_it_was_still_for_long_enough(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    path_of(source).write_bytes(WHOLE)
    assert read(source, world) == SettledFile(WHOLE)
    assert 2.0 <= world.now < 3.0


def test_file_says_when_it_was_saved(many: Callable[[int], Many]) -> None:
    source = many(1)
    assert read(source, World()).modified is None
    path_of(source).write_bytes(WHOLE)
    os.utime(path_of(source), (1e9, 1e9))
    assert [read(source, World(), known).modified for known in (None, sha(WHOLE))] == [1e9, 1e9]


def test_file_that_was_believed_before_is_not_waited_for(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    path_of(source).write_bytes(WHOLE)
    assert read(source, world, sha(WHOLE)) == SettledFile(WHOLE)
    assert world.slept == 0


def test_changes_begin_the_waiting_anew(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    path_of(source).write_bytes(WHOLE)
    world.events = {i: lambda i=i: path_of(source).write_bytes(WHOLE + b"\nEND" * i) for i in range(1, 9)}
    assert read(source, world) == SettledFile(WHOLE + b"\nEND" * 8)
    assert world.now >= 8 * 0.5 + 2.0


def test_file_that_never_rests_is_an_error_that_names_it(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    path_of(source).write_bytes(WHOLE)
    world.events = {i: lambda i=i: path_of(source).write_bytes(WHOLE + b"\nEND" * i) for i in range(99)}
    with pytest.raises(AnnotationFileError, match="still being written") as caught:
        read(source, world)
    assert caught.value.path == path_of(source)
    assert world.now < 30


def test_thousand_changed_files_are_waited_for_together(many: Callable[[int], Many]) -> None:
    source, world = many(1000), World()
    for entry in source.slides():
        entry.annotation_path.write_bytes(WHOLE)
    found = {
        entry.key: file
        for entry, file in read_all_settled(source, source.slides(), OPTIONS, **world.times)  # type: ignore[arg-type]
    }
    assert found == {f"s{i}": SettledFile(WHOLE) for i in range(1000)}
    assert world.now < 3.0


def test_one_bad_file_keeps_none_of_the_others(many: Callable[[int], Many]) -> None:
    source, world = many(4), World()
    first, second, third, fourth = (entry.annotation_path for entry in source.slides())
    first.write_bytes(WHOLE[:-2])
    second.write_bytes(WHOLE)
    fourth.write_bytes(OTHER)
    known = {"s3": sha(OTHER)}
    order = list(read_all_settled(source, source.slides(), OPTIONS, known=known, **world.times))  # type: ignore[arg-type]
    assert [entry.key for entry, _ in order] == ["s2", "s3", "s1", "s0"], "as they come to rest"
    found = {entry.key: file for entry, file in order}
    assert isinstance(found["s0"], AnnotationFileError) and str(found["s0"]) == f"{first}: it is cut"
    assert found["s1"] == SettledFile(WHOLE)
    assert found["s2"] == SettledFile(None)
    assert found["s3"] == SettledFile(OTHER)
    assert not third.exists()


# ── files that are not there ─────────────────────────────────────────────────────────────────────────────────────────


def test_file_that_never_was_is_not_waited_for(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    assert read(source, world) == SettledFile(None)
    assert world.slept == 0


def test_file_that_a_tool_is_replacing_is_waited_for(many: Callable[[int], Many]) -> None:
    """For an instant of the dance (old one away, new one not yet there) nothing is at the name."""
    source, world = many(1), World()
    world.events = {2: lambda: path_of(source).write_bytes(OTHER)}
    assert read(source, world, sha(WHOLE)) == SettledFile(OTHER)


def test_file_that_is_gone_for_good_is_reported_after_a_moment(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    assert read(source, world, sha(WHOLE)) == SettledFile(None)
    assert 2.0 <= world.now < 3.0


def test_first_save_that_is_going_on_is_waited_for(many: Callable[[int], Many]) -> None:
    source, world = many(1), World()
    bkp_of(path_of(source)).write_bytes(WHOLE)

    def finish() -> None:
        path_of(source).write_bytes(OTHER)
        bkp_of(path_of(source)).unlink()

    world.events = {3: finish}
    assert read(source, world) == SettledFile(OTHER)


# ── saves that failed ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("left", [WHOLE[:-2], b"", None], ids=["cut", "empty", "none"])
def test_save_that_failed_long_ago_is_told_at_once_and_the_version_before_it_read(
    many: Callable[[int], Many], left: bytes | None
) -> None:
    source, world = many(1), World(age=601)
    bkp_of(path_of(source)).write_bytes(OTHER)
    if left is not None:
        path_of(source).write_bytes(left)
    found = read(source, world)
    assert found.data == OTHER
    assert found.failed_save is not None
    assert str(path_of(source)) in found.failed_save and "\n" not in found.failed_save
    assert "nothing is written" in found.failed_save
    assert world.slept == 0, "a one-off command must not wait for ten minutes"


def test_save_that_stopped_a_moment_ago_may_still_go_on(many: Callable[[int], Many]) -> None:
    source, world = many(1), World(age=599)
    bkp_of(path_of(source)).write_bytes(OTHER)
    path_of(source).write_bytes(WHOLE[:-2])
    with pytest.raises(AnnotationFileError, match="a save is going on"):
        read(source, world)


@pytest.mark.parametrize("moved", ["file", "folder"])
def test_age_is_that_of_the_last_sign_of_life(many: Callable[[int], Many], moved: str) -> None:
    """A save begins with a renaming, which the folder shows, and goes on with writing, which the file shows."""
    source, world = many(1), World(age=0)
    path = path_of(source)
    bkp_of(path).write_bytes(OTHER)
    path.write_bytes(WHOLE[:-2])
    old = (0.0, 0.0)
    os.utime(path.parent if moved == "file" else path, old)
    with pytest.raises(AnnotationFileError):
        read(source, world)
    os.utime(path, old)
    os.utime(path.parent, old)
    assert read(source, World()).data == OTHER


def test_file_that_is_whole_beside_a_spare_of_long_ago_is_read_itself(many: Callable[[int], Many]) -> None:
    """QuPath was killed between its last byte and the removal of the .bkp."""
    source, world = many(1), World(age=601)
    bkp_of(path_of(source)).write_bytes(WHOLE)
    path_of(source).write_bytes(OTHER)
    found = read(source, world)
    assert found.data == OTHER
    assert found.failed_save is not None and "very end" in found.failed_save


def test_spare_that_is_cut_as_well_is_no_help(many: Callable[[int], Many]) -> None:
    source, world = many(1), World(age=601)
    bkp_of(path_of(source)).write_bytes(WHOLE[:-2])
    path_of(source).write_bytes(WHOLE[:-2])
    with pytest.raises(AnnotationFileError, match="a save is going on"):
        read(source, world)


# ── files that can't be read ─────────────────────────────────────────────────────────────────────────────────────────


class Careless(Many):
    """A source that looks at nothing."""

    def blocker(self, entry: SlideEntry) -> str | None:
        return None


def _hold_open(path: Path, patch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have a file refuse to be read, as Windows does while another program has it open; return what lets go of it."""
    is_held = True

    def let_go() -> None:
        nonlocal is_held
        is_held = False

    def read_plain(asked: Path) -> bytes:
        if is_held and asked == path:
            raise PermissionError(13, "Permission denied", str(path))
        return asked.read_bytes()

    patch.setattr("bridge.watch.settled.read_plain", read_plain)
    path.write_bytes(WHOLE)
    return let_go


def test_file_that_cannot_be_read_is_an_error_in_one_line(
    many: Callable[[int], Many], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Careless(many(1).root)
    _hold_open(path_of(source), monkeypatch)
    with pytest.raises(AnnotationFileError, match="can't be read") as caught:
        read(source, World())
    assert "\n" not in str(caught.value) and caught.value.path == path_of(source)


def test_file_that_is_held_open_for_a_moment_is_read_after_it(
    many: Callable[[int], Many], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, world = Careless(many(1).root), World()
    world.events = {2: _hold_open(path_of(source), monkeypatch)}
    assert read(source, world) == SettledFile(WHOLE)


def test_parsing_is_left_to_the_reader(many: Callable[[int], Many]) -> None:
    class Strict(Many):
        def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
            raise AssertionError("a healthy file is not parsed twice")

    source = Strict(many(1).root)
    path_of(source).write_bytes(WHOLE)
    assert read(source, World()) == SettledFile(WHOLE)
