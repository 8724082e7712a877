"""Looking at every file: real files, and drives that are away."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import SlideEntry
from bridge.imagescope import ImageScopeFolder
from bridge.watch import FileState, ScanResult, look_at, scan
from lab_support import Lab, draw_slide, labelled


def entries_in(root: Path, count: int) -> list[SlideEntry]:
    return [SlideEntry(f"s{i}", f"s{i}", root / f"s{i}.svs", root / f"s{i}.xml") for i in range(count)]


def write(path: Path, data: bytes, modified: float) -> None:
    path.write_bytes(data)
    os.utime(path, (modified, modified))


def unreachable(monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
    """Play a drive that is away: it needs a network that fails."""
    stat = Path.stat

    def fail(path: Path, **options: bool) -> os.stat_result:
        if path in paths:
            raise OSError(errno.EHOSTDOWN, os.strerror(errno.EHOSTDOWN), str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", fail)


@pytest.fixture
def known(tmp_path: Path) -> ScanResult:
    """Two slides with files, one without."""
    for i in range(2):
        write(tmp_path / f"s{i}.xml", b"one", 1000.0)
    return scan(entries_in(tmp_path, 3), {}, root=tmp_path)


def test_first_scan_finds_every_file_and_nothing_gone(known: ScanResult) -> None:
    assert known.changed == ("s0", "s1")
    assert known.gone == ()
    assert known.states == {"s0": FileState(3, 1000.0), "s1": FileState(3, 1000.0), "s2": None}


def test_second_scan_finds_nothing(tmp_path: Path, known: ScanResult) -> None:
    again = scan(entries_in(tmp_path, 3), known.states, root=tmp_path)
    assert again == ScanResult((), (), {}, known.states)


def test_scan_tells_changed_new_and_gone_apart(tmp_path: Path, known: ScanResult) -> None:
    (tmp_path / "s0.xml").unlink()
    write(tmp_path / "s1.xml", b"two", 1001.0)
    write(tmp_path / "s2.xml", b"new", 1001.0)
    found = scan(entries_in(tmp_path, 3), known.states, root=tmp_path)
    assert (found.changed, found.gone) == (("s1", "s2"), ("s0",))
    assert found.hinted == ("s1", "s2", "s0")
    assert found.states["s0"] is None


def test_slides_that_left_the_project_are_forgotten(tmp_path: Path, known: ScanResult) -> None:
    assert scan(entries_in(tmp_path, 1), known.states, root=tmp_path).states.keys() == {"s0"}


def test_file_that_cannot_be_looked_at_is_away_not_gone(
    tmp_path: Path, known: ScanResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "s1.xml", b"two", 1001.0)
    unreachable(monkeypatch, tmp_path / "s0.xml")
    found = scan(entries_in(tmp_path, 3), known.states, root=tmp_path)
    assert (found.changed, found.gone) == (("s1",), ())
    assert found.away.keys() == {"s0"} and os.strerror(errno.EHOSTDOWN) in found.away["s0"]
    assert found.states["s0"] == known.states["s0"], "what was known stays known"


def test_file_that_was_away_and_comes_back_changed_is_changed(tmp_path: Path, known: ScanResult) -> None:
    with pytest.MonkeyPatch.context() as patch:
        unreachable(patch, tmp_path / "s0.xml", tmp_path / "s1.xml")
        away = scan(entries_in(tmp_path, 3), known.states, root=tmp_path)
    write(tmp_path / "s0.xml", b"two", 1001.0)
    assert scan(entries_in(tmp_path, 3), away.states, root=tmp_path).changed == ("s0",)


def test_files_of_a_drive_that_was_unplugged_are_away_not_gone(tmp_path: Path) -> None:
    root = tmp_path / "drive" / "lab"
    root.mkdir(parents=True)
    write(root / "s0.xml", b"one", 1000.0)
    known = scan(entries_in(root, 2), {}, root=root)
    shutil.rmtree(tmp_path / "drive")
    found = scan(entries_in(root, 2), known.states, root=root)
    assert (found.changed, found.gone) == ((), ())
    assert found.away.keys() == {"s0", "s1"}
    assert found.states["s0"] == known.states["s0"]


def test_thousand_slides_take_well_under_a_second(tmp_path: Path) -> None:
    for i in range(1000):
        (tmp_path / f"s{i}.xml").write_bytes(b"x")
    began = time.perf_counter()
    assert len(scan(entries_in(tmp_path, 1000), {}, root=tmp_path).changed) == 1000
    assert time.perf_counter() - began < 0.5


states = st.one_of(st.none(), st.builds(FileState, st.integers(0, 2), st.sampled_from([1.0, 2.0])))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(states, states), max_size=4))
def test_scan_says_exactly_what_differs(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[FileState | None, FileState | None]]
) -> None:
    root = tmp_path_factory.mktemp("scan")
    for i, (_, now) in enumerate(pairs):
        if now is not None:
            write(root / f"s{i}.xml", b"x" * now.size, now.modified)
    found = scan(entries_in(root, len(pairs)), {f"s{i}": before for i, (before, _) in enumerate(pairs)}, root=root)
    assert found.states == {f"s{i}": now for i, (_, now) in enumerate(pairs)}
    assert set(found.hinted) == {f"s{i}" for i, (before, now) in enumerate(pairs) if before != now}
    assert set(found.gone) == {f"s{i}" for i, (before, now) in enumerate(pairs) if before and not now}


# ── one look ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    draw_slide(tmp_path / "case.tif")
    return Lab(tmp_path)


def test_look_says_what_the_source_says(lab: Lab) -> None:
    source = ImageScopeFolder(lab.root)
    (entry,) = source.slides()
    assert look_at(source, entry, lambda: 7.0).state is None
    whole = lab.write(labelled())
    look = look_at(source, entry, lambda: 7.0)
    assert (look.at, look.blocker, look.is_away) == (7.0, None, False)
    assert look.state is not None and look.state.size == len(whole)
    lab.xml.write_bytes(whole[:-9])
    assert look_at(source, entry, lambda: 7.0).blocker == source.blocker(entry) is not None


def test_look_at_a_folder_that_is_away_does_not_find_the_file_gone(lab: Lab) -> None:
    lab.write(labelled())
    source = ImageScopeFolder(lab.root)
    (entry,) = source.slides()
    lab.root.rename(lab.root.with_name("elsewhere"))
    look = look_at(source, entry, lambda: 7.0)
    assert look.is_away and look.blocker is not None and "folder" in look.blocker


def test_look_at_a_share_that_does_not_answer_is_no_look(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write(labelled())
    source = ImageScopeFolder(lab.root)
    (entry,) = source.slides()
    unreachable(monkeypatch, entry.annotation_path)
    look = look_at(source, entry, lambda: 7.0)
    assert look.is_away and look.blocker is not None and os.strerror(errno.EHOSTDOWN) in look.blocker
