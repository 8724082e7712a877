"""The simulated QuPath leaves what the real one leaves, at every step of a save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole
from bridge.qupath import apply_edits, read_qpdata
from bridge.qupath.create import create_qpdata
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath import backup_of, edit_image, open_image, save_image

OURS, THEIRS, OTHER = (f"{number:08x}-0000-4000-8000-000000000000" for number in range(3))
RED = (200, 0, 0)


class KilledError(Exception):
    pass


def dies_at(step: int) -> Callable[[], None]:
    """A pause that ends the save, as a kill does, the n-th time."""
    left = iter(range(step))

    def pause() -> None:
        if next(left, None) is None:
            raise KilledError

    return pause


@pytest.fixture
def data() -> bytes:
    """A file with one object of a person's and one of ours."""
    empty = create_qpdata({}, file_path="f", project_path="p", entry_id="1")
    drawn = edit_image(empty, Changes(add=(Annotation(THEIRS, box(1, 2, 9, 8), "Tumor", name="h1", color=RED),)))
    ours = MachineObject(OURS, MachineRole.PREDICTION, "Tumor: Predicted", box(20, 20, 40, 40), RED)
    return apply_edits(drawn, Edits("write-1", add=(ours,)))


def test_changes_are_made_and_all_else_is_kept(data: bytes) -> None:
    drawn = Annotation(OTHER, box(50, 50, 60, 60), "Stroma", name="h2", color=RED)
    changes = Changes((drawn,), frozenset(), {THEIRS: "h3"}, {OURS: "Tumor"}, {THEIRS: box(1, 1, 5, 5)})
    found = read_qpdata(edit_image(data, changes))
    named = {a.object_id: a for a in found.annotations}
    assert found.write_marker == "write-1"
    assert named[THEIRS].name == "h3" and named[THEIRS].geometry.equals(box(1, 1, 5, 5))
    assert named[OURS].path_class == "Tumor" and named[OURS].metadata["slidebridge"] == "write-1"
    assert named[OTHER].geometry.equals(drawn.geometry) and named[OTHER].path_class == "Stroma"


def test_removed_object_is_gone(data: bytes) -> None:
    found = read_qpdata(edit_image(data, Changes(remove=frozenset({OURS})))).annotations
    assert [a.object_id for a in found] == [THEIRS]


def test_save_leaves_the_file_alone_and_whole(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(b"old")
    assert save_image(path, data, count=3, pause=lambda: None)
    assert path.read_bytes() == data and not backup_of(path).exists()
    assert (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("step", range(4))
def test_kill_within_a_save_leaves_the_pair(tmp_path: Path, data: bytes, step: int) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(data)
    with pytest.raises(KilledError):
        save_image(path, edit_image(data, Changes(remove=frozenset({OURS}))), count=4, pause=dies_at(step))
    assert backup_of(path).read_bytes() == data
    assert open_image(path) == data


def test_failed_save_moves_the_old_file_back(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(data)
    assert not save_image(path, data + data, count=4, pause=lambda: None, fails_after=2)
    assert path.read_bytes() == data and not backup_of(path).exists()


def test_two_cut_files_open_as_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(data[:50])
    backup_of(path).write_bytes(data[:60])
    assert open_image(path) is None


def test_a_save_that_fails_after_one_that_was_cut_leaves_nothing_whole(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(data)
    with pytest.raises(KilledError):
        save_image(path, data, count=4, pause=dies_at(2))
    assert open_image(path) == data, "QuPath goes on from the .bkp"
    assert not save_image(path, data, count=4, pause=lambda: None, fails_after=2)
    assert open_image(path) is None, "its place the cut file took the cut file took, and nobody but QuPath was there"
