"""What is told of a project without reading it: word for word what reading it says; and what differs is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench.many_slides import ManySlides, make_many
from scripts.loop.passes import STEPS, Request, run
from scripts.loop.seeing import see
from scripts.loop.status import read_status
from scripts.options import SourceKind
from scripts.project import open_project, open_store

NOW = datetime(2031, 1, 1, tzinfo=UTC)
SLIDES = 4
KINDS = [SourceKind.IMAGESCOPE, SourceKind.QUPATH]


@dataclass
class Desk:
    made: ManySlides

    @property
    def root(self) -> Path:
        return self.made.project.root

    def file(self, number: int) -> Path:
        if self.made.kind is SourceKind.IMAGESCOPE:
            return self.slide(number).with_suffix(".xml")
        return self.made.project.source.slides()[number].annotation_path

    def slide(self, number: int) -> Path:
        return self.root / f"slide-{number:05d}.tif"

    def run(self, steps: str = "pull") -> None:
        run(self.root, Request(STEPS[steps]))

    def read(self) -> int:
        """Count the files that a look at the project reads."""
        project = open_project(self.root)
        with open_store(project, is_dry_run=True) as store:
            read = see(project, store, NOW).read
            return len(read.slides) + len(read.problems)

    def is_told_as_if_read(self) -> bool:
        now = datetime.now(UTC)  # of both: a second may pass between them
        seen, read = read_status(self.root, now=now), read_status(self.root, is_read=True, now=now)
        assert seen.lines() == read.lines()
        return json.dumps(seen.as_json(), default=str) == json.dumps(read.as_json(), default=str)

    def set(self, text: str) -> None:
        path = self.root / "slidebridge.toml"
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    def replace(self, number: int, old: bytes, new: bytes) -> None:
        path = self.file(number)
        path.write_bytes(path.read_bytes().replace(old, new))
        self.touch(number)

    def touch(self, number: int) -> None:
        """Let time pass for a file: two saves may fall into one tick of the file system's clock."""
        path = self.file(number)
        if path.exists():
            at = path.stat().st_mtime_ns + 10**9
            os.utime(path, ns=(at, at))


def desk_of(folder: Path, kind: SourceKind = SourceKind.IMAGESCOPE) -> Desk:
    return Desk(make_many(folder, kind, slides=SLIDES, objects=4))


def draw(desk: Desk) -> None:
    desk.made.save_one_more(desk.made.project.source.slides()[1])
    desk.touch(1)


def lose_all(desk: Desk) -> None:
    desk.file(0).write_bytes(b'<Annotations MicronsPerPixel="0.5"></Annotations>')
    desk.touch(0)


def touch_slide(desk: Desk) -> None:
    os.utime(desk.slide(3), (2e9, 2e9))


def add_a_slide(desk: Desk) -> None:
    shutil.copyfile(desk.slide(0), desk.root / "slide-new.tif")
    if desk.file(0).exists():
        shutil.copyfile(desk.file(0), desk.root / "slide-new.xml")


CHANGES: Mapping[str, Callable[[Desk], None]] = {
    "nothing": lambda desk: None,
    "touched": lambda desk: desk.touch(0),
    "drawn": draw,
    "edited with equal size": lambda desk: desk.replace(2, b'Name="Blob"', b'Name="Blub"'),
    "nothing labelled any more": lambda desk: desk.replace(1, b'Name="ROI"', b'Name="Rob"'),
    "cut": lambda desk: desk.replace(2, b"</Annotations>", b""),
    "lost": lose_all,
    "no file": lambda desk: desk.file(3).unlink(missing_ok=True),
    "slide touched": touch_slide,
    "slide gone": lambda desk: desk.slide(2).unlink(missing_ok=True),
    "slide added": add_a_slide,
    "class renamed": lambda desk: desk.set('\n[classes.map]\nBlub = "Blob"\n'),
    "mpp set": lambda desk: desk.set("\n[slides]\nmpp = 0.3\n"),
    "design": lambda desk: desk.set('\n[labels]\ncomplete = "slide"\n'),
    "boxes": lambda desk: desk.run("propose"),
    "a pass": lambda desk: desk.run(),
}
ONCE = {"class renamed", "mpp set", "design"}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES.items()])
def test_after_each_change_the_same_is_told_as_if_all_was_read(tmp_path: Path, change: Callable[[Desk], None]) -> None:
    desk = desk_of(tmp_path / "lab")
    desk.run()
    change(desk)
    assert desk.is_told_as_if_read()


@settings(max_examples=5, deadline=None)
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=2, max_size=4))
def test_after_any_changes_the_same_is_told_as_if_all_was_read(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    desk = desk_of(tmp_path_factory.mktemp("many") / "lab")
    desk.run()
    for place, name in enumerate(names):
        if name not in ONCE or name not in names[:place]:
            CHANGES[name](desk)
            assert desk.is_told_as_if_read(), names[: place + 1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
def test_only_what_differs_is_read(tmp_path: Path, kind: SourceKind) -> None:
    desk = desk_of(tmp_path / "lab", kind)
    assert desk.read() == SLIDES, "no pass has read them"
    desk.run()
    assert desk.read() == 0
    draw(desk)
    assert desk.read() == 1 and desk.read() == 1, "looking records nothing"
    assert desk.is_told_as_if_read()
    desk.run()
    assert desk.read() == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
def test_what_the_pass_itself_wrote_needs_no_reading(tmp_path: Path, kind: SourceKind) -> None:
    desk = desk_of(tmp_path / "lab", kind)
    desk.set("\n[propose]\nk = 2\nregion_um = 8\n")
    before = [desk.file(number).read_bytes() for number in range(SLIDES)]
    desk.run("propose")
    assert [desk.file(number).read_bytes() for number in range(SLIDES)] != before
    assert desk.read() == 0 and desk.is_told_as_if_read()


def test_slides_without_a_file_need_no_reading(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "lab")
    for number in range(SLIDES):
        desk.file(number).unlink()
    desk.run()
    assert desk.read() == 0 and desk.is_told_as_if_read()


def test_what_depends_on_settings_is_read_when_they_change(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "lab")
    desk.run()
    desk.set("\n[privacy]\nhash_names = true\n")
    assert desk.read() == 0, "only what is said of a file counts"
    CHANGES["class renamed"](desk)
    assert desk.read() == SLIDES


def test_first_labels_of_a_second_slide_decide_anew_about_the_first(tmp_path: Path) -> None:
    """While few slides are labelled areas are held out; from some on it is slides, the unread ones among them."""
    desk = desk_of(tmp_path / "lab")
    drawn = [desk.file(number).read_bytes() for number in range(SLIDES)]
    for number in range(1, SLIDES):
        desk.file(number).unlink()
    desk.run()
    for number in range(1, SLIDES):
        desk.file(number).write_bytes(drawn[number])
        assert desk.is_told_as_if_read()


def test_a_save_in_progress_is_not_passed_over(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "lab", SourceKind.QUPATH)
    desk.run()
    desk.file(0).with_name("data.qpdata.bkp").write_bytes(desk.file(0).read_bytes())
    assert desk.read() == 1


def test_what_a_training_learned_is_heeded(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "lab")
    desk.run()
    with open_store(open_project(desk.root), is_dry_run=False) as store:
        store.record_learned(1, "slide-00001.tif", ["area"])
    assert desk.read() == 1 and desk.is_told_as_if_read()
