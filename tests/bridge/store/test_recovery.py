"""Every state that a crash can leave, as a table: what is on disk against what the journal says."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.store import Backups, Store, WriteState
from bridge.store.recovery import Recovery, recover

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILES = {"none": None, "base": b"base", "ours": b"ours", "save": b"a person's save", "other": b"another save"}
JOURNAL = ["begun", "finished", "abandoned", "finished, settled", "abandoned, settled"]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Scene:
    folder: Path
    store: Store

    @property
    def target(self) -> Path:
        return self.folder / "s1.xml"

    @property
    def temp(self) -> Path:
        return self.folder / ".slidebridge-w1.tmp"

    def set_up(self, journal: str, target: str, temp: str, *, first: bool) -> None:
        for path, content in ((self.target, FILES[target]), (self.temp, FILES[temp])):
            if content is not None:
                path.write_bytes(content)
        (self.folder / "slide.svs").touch()
        self.store.begin_write(
            "s1",
            "w1",
            base_revision=None if first else sha(b"base"),
            new_revision=sha(b"ours"),
            target=self.target,
            temp_name=self.temp.name,
            iteration=1,
            written=[WrittenObject("p1", MachineRole.PREDICTION, "Tumor: Predicted", box(0, 0, 9, 9))],
            closes=(),
            now=NOW,
        )
        since = None if "settled" in journal else NOW
        if "finished" in journal:
            self.store.finish_write("w1", NOW, displaced_since=since)
        if "abandoned" in journal:
            self.store.abandon_write("w1", "a conflict", NOW, displaced_since=since)

    def contents(self) -> set[bytes]:
        return {p.read_bytes() for p in self.folder.iterdir() if p.is_file()}


@pytest.fixture
def new_scene(tmp_path: Path) -> Iterator[Callable[[], Scene]]:
    Store.open(tmp_path / "empty").close()
    numbers, stores = itertools.count(), []

    def make() -> Scene:
        root = tmp_path / str(next(numbers))
        shutil.copytree(tmp_path / "empty", root / "store")
        (root / "slides").mkdir()
        stores.append(Store.open(root / "store"))
        return Scene(root / "slides", stores[-1])

    yield make
    for store in stores:
        store.close()


@pytest.mark.parametrize("journal", JOURNAL)
@pytest.mark.parametrize("first", [False, True], ids=["rewrite", "create"])
def test_no_save_is_ever_lost_and_everything_comes_to_rest(
    new_scene: Callable[[], Scene], journal: str, first: bool
) -> None:
    for target, temp in itertools.product(FILES, FILES):
        scene = new_scene()
        scene.set_up(journal, target, temp, first=first)
        where = f"{journal}, target {target}, temp {temp}"
        machine = {b"ours"} if first else {b"base", b"ours"}
        human = {c for c in (FILES[target], FILES[temp]) if c is not None} - machine
        before = scene.contents()
        backups = Backups(scene.folder.parent / "backups")
        for seconds in (0, 5, 10):
            recover(scene.store, backups, NOW + timedelta(seconds=seconds))
            assert human <= scene.contents(), where
        at_rest = scene.contents()
        assert at_rest <= before, where
        assert scene.store.unfinished_writes() == (), where
        assert recover(scene.store, backups, NOW + timedelta(seconds=20)).writes == (), where
        assert scene.contents() == at_rest, where
        if FILES[target] in human:
            assert scene.target.read_bytes() == FILES[target], where
        elif FILES[temp] in human and "settled" not in journal:
            assert scene.target.read_bytes() == FILES[temp], where
        elif target != "none":
            assert scene.target.read_bytes() == FILES[target], where
        if "settled" not in journal and FILES[temp] not in human:
            assert not scene.temp.exists(), where
        if journal == "begun" and FILES[target] in human and not first:
            was_in_place = temp == "base"
            assert (scene.store.newest_marker("s1") == "w1") == was_in_place, where
        in_place = scene.target.exists() and scene.target.read_bytes() == b"ours"
        if journal == "begun" and in_place:
            assert scene.store.live_objects("s1"), where
        if journal == "begun" and scene.target.exists() and scene.target.read_bytes() == b"base" and temp != "base":
            assert scene.store.live_objects("s1") == (), where


def test_too_early_nothing_is_deleted(new_scene: Callable[[], Scene]) -> None:
    scene = new_scene()
    scene.set_up("begun", "ours", "base", first=False)
    backups = Backups(scene.folder.parent / "backups")
    report = recover(scene.store, backups, NOW + timedelta(seconds=1), settle_seconds=2)
    assert [w.outcome for w in report.writes] == [Recovery.FINISHED]
    assert report.messages == ()
    assert scene.temp.read_bytes() == b"base"
    assert scene.store.write("w1").state is WriteState.FINISHED


def test_both_saves_are_named(new_scene: Callable[[], Scene]) -> None:
    scene = new_scene()
    scene.set_up("begun", "other", "save", first=False)
    backups = Backups(scene.folder.parent / "backups")
    (message,) = recover(scene.store, backups, NOW + timedelta(seconds=5)).messages[:1]
    assert str(scene.target) in message
    assert str(scene.temp) in message
    assert backups.load(sha(FILES["save"] or b"")) == FILES["save"]


def test_unreadable_file_leaves_its_write_waiting_and_the_others_go_on(new_scene: Callable[[], Scene]) -> None:
    scene = new_scene()
    scene.set_up("begun", "none", "none", first=False)
    scene.target.mkdir()  # reading it is an error, for root too
    scene.store.begin_write(
        "s2",
        "w2",
        base_revision=None,
        new_revision="f" * 64,
        target=scene.folder / "s2.xml",
        temp_name=".slidebridge-w2.tmp",
        iteration=1,
        written=(),
        closes=(),
        now=NOW,
    )
    report = recover(scene.store, Backups(scene.folder.parent / "backups"), NOW + timedelta(seconds=5))
    assert [(w.slide_key, w.outcome) for w in report.writes] == [
        ("s1", Recovery.WAITING),
        ("s2", Recovery.ABANDONED),
    ]
    assert str(scene.target) in report.messages[0]
