"""A training that dies: whatever the instant, the next start ends up where an undisturbed one would have."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import shapely
from learn_support import NOW, Classroom, classroom

from bridge.errors import StoreError
from bridge.store import RunState, Store
from lab_support import SETTINGS, Lab, draw_slide, labelled
from models.checkpoints import read_pointer
from scripts.loop import ending, learn
from scripts.loop.learn import settle_training

_QUICK = SETTINGS.replace("max_steps = 6", "max_steps = 3")


class Killed(BaseException):
    """Nothing of ours catches it, as nothing catches a kill."""


def _die(*_: object, **__: object) -> Any:
    raise Killed


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that was trained once, and then labelled further."""
    root = tmp_path_factory.mktemp("trained")
    draw_slide(root / "case.tif")
    (root / "slidebridge.toml").write_text(_QUICK, "utf-8")
    lab = Lab(root)
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().is_promoted
    layers = labelled()
    lab.write({**layers, "ROI": [*layers["ROI"], (shapely.box(200, 20, 260, 80), "")]})
    return root


def _facts(room: Classroom) -> dict[str, object]:
    """Return everything that a training leaves behind."""
    pointer = read_pointer(room.project.checkpoints)
    return {
        "champion": pointer,
        "runs": [(r.iteration, r.state, r.checkpoint_id, r.promoted, r.parent) for r in room.store.runs()],
        "learned": {slide.key: room.store.learned(slide.key) for slide in room.store.slides()},
        "left": [p.name for p in (room.project.data_folder / "resume").rglob("*") if p.is_file()],
    }


@pytest.fixture(scope="module")
def undisturbed(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return what the second training leaves when nothing disturbs it."""
    root = tmp_path_factory.mktemp("undisturbed") / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room:
        assert room.learn().iteration == 2
        return _facts(room)


_INSTANTS: list[tuple[object, str]] = [
    (learn, "save_checkpoint"),
    (learn, "promote"),
    (ending, "replace_whole"),
    (Store, "record_learned"),
    (ending, "promote_champion"),
    (Store, "finish_run"),
    (ending, "forget_state"),
]


@pytest.mark.parametrize(("where", "name"), _INSTANTS, ids=[name for _, name in _INSTANTS])
def test_a_crash_at_any_instant_of_the_end_is_made_good(
    trained: Path,
    undisturbed: dict[str, object],
    tmp_path: Path,
    where: object,
    name: str,
) -> None:
    root = tmp_path / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room, pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, _die)
        with pytest.raises(Killed):
            room.learn()
    steps: list[int] = []
    with classroom(Lab(root)) as room:
        room.learn(stop=lambda: bool(steps.append(1)))
        assert not steps, "no step is done again"
        assert _facts(room) == undisturbed
        assert room.learn().iteration is None, "nothing is learned twice"


def test_what_was_left_to_do_is_done_before_anything_is_read(
    trained: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    root = tmp_path / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "finish_run", _die)
        with pytest.raises(Killed):
            room.learn()
    with classroom(Lab(root)) as room:
        assert "is finished now" in str(settle_training(room.project, room.store, NOW))
        assert _facts(room) == undisturbed


def test_a_damaged_note_of_the_end_costs_a_training_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "promote_champion", _die)
        with pytest.raises(Killed):
            room.learn()
    (root / ".slidebridge" / "resume" / "ending.json").write_bytes(b"{")
    with classroom(Lab(root)) as room:
        assert room.learn().iteration == 2
        assert [run.state for run in room.store.runs()] == [RunState.FINISHED] * 2


def test_a_candidate_that_is_gone_ends_its_training_as_failed(trained: Path, tmp_path: Path) -> None:
    root = tmp_path / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room, pytest.MonkeyPatch.context() as patch:
        before = room.champion
        patch.setattr(ending, "promote_champion", _die)
        with pytest.raises(Killed):
            room.learn()
    candidates = [p for p in (root / ".slidebridge" / "checkpoints").iterdir() if p.is_dir() and p.name != before]
    shutil.rmtree(candidates[0])
    with classroom(Lab(root)) as room:
        assert "can't be finished" in str(settle_training(room.project, room.store, NOW))
        assert (room.champion, room.store.running()) == (before, None)
        assert room.learn().iteration == 2


def test_a_store_that_is_busy_for_a_moment_at_the_very_end_never_parts_it_from_the_champion(
    trained: Path, undisturbed: dict[str, object], tmp_path: Path
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreError("database is locked")

    root = tmp_path / "lab"
    shutil.copytree(trained, root)
    with classroom(Lab(root)) as room:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "finish_run", busy)
            with pytest.raises(StoreError, match="locked"):
                room.learn()
        assert settle_training(room.project, room.store, NOW) is not None
        assert _facts(room) == undisturbed
