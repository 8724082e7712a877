"""The simulated ImageScope changes what a person changes, and cuts the file while it saves."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole
from bridge.imagescope import apply_edits, create_imagescope, read_imagescope
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.imagescope_editor import edit_xml, open_xml, save_xml

RED = (200, 0, 0)


class KilledError(Exception):
    pass


@pytest.fixture
def data() -> bytes:
    """A file with one region of a person's, L0R0, and one of ours, L1R0."""
    drawn = edit_xml(create_imagescope(None), Changes(add=(Annotation("", box(1, 2, 9, 8), "Tumor", name="h1"),)))
    ours = MachineObject("ours", MachineRole.PREDICTION, "Tumor: Predicted", box(20, 20, 40, 40), RED)
    return apply_edits(drawn, Edits("write-1", add=(ours,)))


def test_changes_are_made_and_all_else_is_kept(data: bytes) -> None:
    drawn = Annotation("", box(50, 50, 60, 60), "Stroma", name="h2")
    changes = Changes(
        (drawn,), frozenset(), {"L1R0": "ok", "L0R0": "h3"}, {"L0R0": "Stroma"}, {"L1R0": box(0, 0, 7, 7)}
    )
    found = read_imagescope(edit_xml(data, changes))
    named = {a.name: a for a in found.annotations}
    assert found.write_marker == "write-1"
    assert named["ok"].geometry.equals(box(0, 0, 7, 7)) and named["ok"].path_class == "Tumor: Predicted"
    assert named["h3"].path_class == "Stroma" and named["h3"].geometry.equals(box(1, 2, 9, 8))
    assert named["h2"].path_class == "Stroma" and named["h2"].geometry.equals(drawn.geometry)


def test_removed_region_is_gone(data: bytes) -> None:
    found = read_imagescope(edit_xml(data, Changes(remove=frozenset({"L1R0"})))).annotations
    assert [a.name for a in found] == ["h1"]


def test_save_replaces_every_byte(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "case.xml"
    path.write_bytes(data * 3)
    save_xml(path, data, count=4, pause=lambda: None, hold=lambda: None)
    assert path.read_bytes() == data == open_xml(path)


def test_file_counts_as_held_until_it_was_changed(tmp_path: Path, data: bytes) -> None:
    """A busy machine may stop a program between any two steps: the referee must know of every second of it."""
    path, sizes = tmp_path / "case.xml", []
    path.write_bytes(data)

    def clock() -> float:
        sizes.append(path.stat().st_size)
        return len(sizes)

    assert save_xml(path, data, count=2, pause=lambda: None, hold=lambda: None, clock=clock) == 1
    assert sizes == [len(data), 0]


def test_kill_within_a_save_leaves_a_cut_file(tmp_path: Path, data: bytes) -> None:
    def pause() -> None:
        raise KilledError

    path = tmp_path / "case.xml"
    path.write_bytes(data)
    with pytest.raises(KilledError):
        save_xml(path, data, count=4, pause=pause)
    assert 0 < path.stat().st_size < len(data)
    assert open_xml(path) is None


def test_file_that_was_replaced_while_held_open_is_the_one_written(tmp_path: Path, data: bytes) -> None:
    path, aside = tmp_path / "case.xml", tmp_path / "aside.xml"
    path.write_bytes(b"old")

    def replaced() -> None:
        path.rename(aside)
        path.write_bytes(b"new")

    save_xml(path, data, count=2, pause=lambda: None, hold=replaced)
    assert aside.read_bytes() == data and path.read_bytes() == b"new"
