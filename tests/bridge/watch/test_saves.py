"""Saves as QuPath and ImageScope do them, watched from events to what may be read: real files, real observers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from deaf_observer import deaf
from qupath_lab import new_project

from bridge.annotations import Source
from bridge.imagescope import ImageScopeFolder
from bridge.watch import (
    AtRest,
    FileState,
    SettleOptions,
    Tracker,
    WatchOptions,
    index_files,
    look_at,
    observe,
    scan,
)
from bridge.watch.observed_folder import ObserverFactory, native_observer
from bridge.watch.observed_root import WatchedRoot
from bridge.watch.observers import Observers
from lab_support import draw_slide, labelled, xml_of
from scripts.bench.simulators.imagescope_editor import save_xml
from scripts.bench.simulators.qupath import save_image

SECONDS = 30.0
OWN_PREFIX = ".ours-"
OPTIONS = WatchOptions(settle_seconds=0.15, poll_seconds=0.05, rescan_seconds=1e9)


def moment() -> None:
    time.sleep(0.002)  # a slow save: what takes its time is the simulated tool, not the test


@dataclass
class Watcher:
    """As much of a daemon as watches one source."""

    source: Source
    observers: Observers
    project_file: Path | None
    tracker: Tracker = field(default_factory=lambda: Tracker(OPTIONS))
    known: dict[str, FileState | None] = field(default_factory=dict)
    found: list[AtRest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries = {entry.key: entry for entry in self.source.slides()}
        self.index = index_files(
            self.source.root, self.entries.values(), own_prefix=OWN_PREFIX, project_file=self.project_file
        )
        self.rescan(is_told=True)  # whatever happened before nobody could tell of

    def rescan(self, *, is_told: bool = False) -> None:
        result = scan(self.entries.values(), self.known, root=self.source.root)
        self.known = dict(result.states)
        self.tracker = self.tracker.hint(result.hinted, time.monotonic(), is_told=is_told)

    def step(self) -> None:
        hinted = self.index.hinted(self.observers.drain())
        now = time.monotonic()
        self.tracker = self.tracker.hint(hinted.keys, now)
        if self.observers.polls_due(now):
            self.rescan()
        looks = {key: look_at(self.source, self.entries[key], time.monotonic) for key in self.tracker.due(now)}
        self.tracker = self.tracker.look(looks)
        rested = self.tracker.settled()
        self.tracker = self.tracker.taken(slide.key for slide in rested)
        for slide in rested:
            self.known[slide.key] = slide.state
            if not slide.is_told:
                self.observers.missed(self.entries[slide.key].annotation_path)
        self.found += rested

    def run(self, is_over: Callable[[], bool] = lambda: True, *, least: int = 0) -> list[AtRest]:
        """Watch until something is over, enough was found and nothing more is waited for."""
        end = time.monotonic() + SECONDS
        is_quiet = False
        while not (is_over() and len(self.found) >= least and is_quiet):
            assert time.monotonic() < end, f"waited for {self.tracker.waiting()}, found {self.found}"
            was_told = self.observers.wait(min(self.tracker_pause(), OPTIONS.settle_seconds))
            self.step()
            is_quiet = not was_told and self.tracker.next_time() is None
        return self.found

    def tracker_pause(self) -> float:
        next_time = self.tracker.next_time()
        return OPTIONS.settle_seconds if next_time is None else max(0.0, next_time - time.monotonic())


Watch = Callable[..., Watcher]


@pytest.fixture
def watch() -> Iterator[Watch]:
    with ExitStack() as stack:

        def begin(source: Source, project_file: Path | None = None, make: ObserverFactory = native_observer) -> Watcher:
            index = index_files(source.root, source.slides(), own_prefix=OWN_PREFIX, project_file=project_file)
            roots = [WatchedRoot(source.root, index.watched)]
            observers = stack.enter_context(Observers(roots, OPTIONS, make_observer=make, tend_seconds=0.05))
            return Watcher(source, observers, project_file)

        yield begin


@dataclass
class QuPathLab:
    """A project whose images were saved once, and its bytes."""

    watcher: Watcher
    paths: list[Path]
    data: bytes


@pytest.fixture
def lab(tmp_path: Path, watch: Watch) -> QuPathLab:
    project = new_project(tmp_path, "a.png", "b.png")
    entries = project.slides()
    for entry in entries:
        entry.annotation_path.parent.mkdir(parents=True, exist_ok=True)
        save_image(entry.annotation_path, project.create(entry), count=1, pause=moment)
    watcher = watch(project, project.path)
    assert {slide.key for slide in watcher.run(least=2)} == {entry.key for entry in entries}
    watcher.found.clear()
    return QuPathLab(watcher, [entry.annotation_path for entry in entries], project.create(entries[0]))


def test_every_save_of_qupaths_is_handed_out_once(lab: QuPathLab) -> None:
    for number in range(1, 4):
        save_image(lab.paths[0], lab.data, count=5, pause=moment)
        found = lab.watcher.run(least=number)
        assert len(found) == number
        assert (found[-1].state, found[-1].blocker, found[-1].is_told) == (observe(lab.paths[0]), None, True)


def test_saves_back_to_back_are_handed_out_once_at_their_end(lab: QuPathLab) -> None:
    def saves() -> None:
        for _ in range(40):
            save_image(lab.paths[0], lab.data, count=3, pause=moment)

    saving = threading.Thread(target=saves)
    saving.start()
    found = lab.watcher.run(lambda: not saving.is_alive(), least=1)
    assert [slide.state for slide in found] == [observe(lab.paths[0])]


def test_two_slides_saved_at_once_are_two(lab: QuPathLab) -> None:
    threads = [
        threading.Thread(target=save_image, args=[path, lab.data], kwargs={"count": 20, "pause": moment})
        for path in lab.paths
    ]
    for thread in threads:
        thread.start()
    found = lab.watcher.run(lambda: not any(thread.is_alive() for thread in threads), least=2)
    assert len(found) == len({slide.key for slide in found}) == 2


def test_save_that_failed_and_was_taken_back_is_no_change(lab: QuPathLab) -> None:
    assert not save_image(lab.paths[0], lab.data, count=5, pause=moment, fails_after=2)
    assert lab.watcher.run() == []


def test_our_own_temporary_file_says_nothing_and_its_renaming_is_one_change(lab: QuPathLab) -> None:
    temp = lab.paths[0].with_name(f"{OWN_PREFIX}1.tmp")
    for _ in range(3):
        temp.write_bytes(lab.data)
    assert lab.watcher.run() == []
    temp.replace(lab.paths[0])
    assert len(lab.watcher.run(least=1)) == 1


def test_slide_that_is_deleted_is_handed_out_without_a_file(lab: QuPathLab) -> None:
    lab.paths[0].unlink()
    assert [slide.state for slide in lab.watcher.run(least=1)] == [None]


@pytest.mark.parametrize("shift", [-86400.0, 86400.0], ids=["a day back", "a day ahead"])
def test_clock_that_jumps_changes_nothing(lab: QuPathLab, shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ours nor that of the machine that holds the files."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift)
    lab.paths[0].write_bytes(lab.data)
    os.utime(lab.paths[0], (now() + shift, now() + shift))
    assert len(lab.watcher.run(least=1)) == 1


def test_every_save_of_imagescopes_is_handed_out_once(tmp_path: Path, watch: Watch) -> None:
    draw_slide(tmp_path / "case.tif")
    path, data = tmp_path / "case.xml", xml_of(labelled())
    watcher = watch(ImageScopeFolder(tmp_path))
    for number in range(1, 4):
        save_xml(path, data, count=5, pause=moment)
        assert len(watcher.run(least=number)) == number


def test_save_that_ended_in_the_middle_waits_until_it_is_stale(tmp_path: Path, watch: Watch) -> None:
    draw_slide(tmp_path / "case.tif")
    watcher = watch(ImageScopeFolder(tmp_path))
    watcher.tracker = Tracker(SettleOptions(OPTIONS.settle_seconds, stale_save_seconds=0.6))
    began = time.monotonic()
    (tmp_path / "case.xml").write_bytes(xml_of(labelled())[:-9])
    (found,) = watcher.run(least=1)
    assert found.blocker is not None
    assert time.monotonic() - began >= 0.6


def test_deaf_observer_is_found_out_and_polling_takes_over(tmp_path: Path, watch: Watch) -> None:
    for name in ("a", "b", "c"):
        draw_slide(tmp_path / f"{name}.tif")
    watcher, data = watch(ImageScopeFolder(tmp_path), make=deaf), xml_of(labelled())
    for number, name in enumerate(("a", "b"), 1):
        assert not watcher.observers.is_polling(tmp_path)
        save_xml(tmp_path / f"{name}.xml", data, count=2, pause=moment)
        watcher.rescan()
        assert len(watcher.run(least=number)) == number
    assert watcher.observers.is_polling(tmp_path)
    save_xml(tmp_path / "c.xml", data, count=2, pause=moment)
    assert [slide.key for slide in watcher.run(least=3)] == ["a.tif", "b.tif", "c.tif"], "found without a rescan"
