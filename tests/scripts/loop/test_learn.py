"""When a training starts, what it is told, how it stops and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
import shapely
from learn_support import NOW, classroom

from bridge.store import RunState
from lab_support import Lab, labelled
from models.training import TrainingProgress
from scripts.loop.learn import RunKind, StopCause, TrainingBar, learn, settle_training
from scripts.loop.training_due import was_stopped


def after(steps: int) -> Callable[[], bool]:
    """Return a stop that lets some steps pass."""
    asked = iter(range(10_000))
    return lambda: next(asked) >= steps


def set_train(lab: Lab, text: str) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[train]\n", f"[train]\n{text}\n"), "utf-8")


def set_schedule(lab: Lab, steps: int) -> None:
    lab.set(f"\n[schedule]\nmax_steps = {steps}\n")


def more_labels(lab: Lab, *boxes: tuple[int, int, int, int]) -> None:
    layers = labelled()
    lab.write({**layers, "ROI": [*layers["ROI"], *((shapely.box(*box), "") for box in boxes)]})


def test_a_nightly_training_begins_anew_with_the_budget_of_the_schedule(lab: Lab) -> None:
    set_schedule(lab, 9)
    lab.write(labelled())
    with classroom(lab) as room:
        first = room.learn()
        nightly = room.learn(kind=RunKind.NIGHTLY)
        runs = room.store.runs()
    assert (first.steps, nightly.steps) == (6, 9)
    assert nightly.champion_score is not None, "it is judged against the champion all the same"
    assert [(run.kind, run.parent) for run in runs] == [("incremental", None), ("nightly", None)]


def test_a_nightly_training_is_not_repeated_over_the_same_labels(lab: Lab) -> None:
    set_schedule(lab, 3)
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().iteration == 1
        assert room.learn(kind=RunKind.NIGHTLY).iteration == 2
        again = room.learn(kind=RunKind.NIGHTLY)
        assert (again.iteration, again.reason) == (None, "nothing new since the last nightly")
        assert room.learn(kind=RunKind.NIGHTLY, is_forced=True).iteration == 3
        assert room.learn().reason == "nothing new is labelled since the last training"


def test_too_little_new_area_waits_and_says_how_much_there_is(lab: Lab) -> None:
    set_train(lab, "min_new_area_um2 = 500.0")
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().iteration == 1, "the first training asks for no least area"
        more_labels(lab, (200, 20, 240, 60))
        waiting = room.learn()
        assert waiting.iteration is None
        assert "400 of 500 µm² new" in waiting.reason  # 40 x 40 px of 0.5 µm
        more_labels(lab, (200, 20, 240, 60), (300, 20, 340, 60))
        assert room.learn().iteration == 2


def test_corrected_labels_need_no_new_area(lab: Lab) -> None:
    set_train(lab, "min_new_area_um2 = 1e6")
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().iteration == 1
        layers = labelled()
        lab.write({**layers, "Blob": layers["Blob"][1:]})
        assert room.learn().iteration == 2
        lab.write(layers)
        assert room.learn().iteration == 3, "what was learned long ago and comes back is a change as well"


def test_a_stopped_training_leaves_no_trace_on_the_champion(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn()
        champion = room.champion
        more_labels(lab, (200, 20, 240, 60))
        stopped = room.learn(stop=after(2), stop_cause=lambda: StopCause.NEWER_LABELS)
        run = room.store.runs()[-1]
        assert stopped.is_superseded and not stopped.is_promoted and stopped.steps == 2
        assert stopped.reason.startswith("stopped: newer labels came")
        assert (run.state, run.reason) == (RunState.FAILED, stopped.reason)
        assert room.champion == champion
        assert room.store.running() is None
        assert not list((room.project.data_folder / "resume").rglob("*.safetensors")), "nobody asks for it any more"
        assert room.learn().iteration == 2


@pytest.mark.parametrize("kind", list(RunKind))
def test_a_training_that_was_stopped_goes_on_to_the_same_result(new_lab: Callable[[str], Lab], kind: RunKind) -> None:
    ends = []
    for name, stops in (("whole", []), ("stopped", [2, 3])):
        lab = new_lab(name)
        set_schedule(lab, 8)
        set_train(lab, "from_scratch = true")
        lab.write(labelled())
        with classroom(lab) as room:
            steps = [room.learn(kind=kind, stop=after(stop)).steps for stop in stops]
            assert steps == ([2, 5] if stops else [])
            last = room.learn(kind=kind)
            assert last.iteration == 1
            ends.append((room.champion, last.score, last.steps))
    assert ends[0] == ends[1]


def test_a_corrected_resolution_is_another_training(lab: Lab) -> None:
    """The same outlines on other pixels: what was learned at the wrong scale isn't gone on with, nor left at that."""
    set_schedule(lab, 8)
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn(kind=RunKind.NIGHTLY, is_forced=True).is_promoted
        room.learn(stop=after(5), is_forced=True)
    lab.set('\n[slides]\nmpp_of = { "case" = 0.6 }\n')
    with classroom(lab) as room:
        counted: list[int] = []
        assert room.learn(stop=lambda: bool(counted.append(1))).iteration == 2
        assert len(counted) == 6, "none of the steps at the wrong scale counts"


def test_a_slide_without_labels_is_nothing_to_learn_from(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().is_promoted
        shutil.copy(lab.root / "case.tif", lab.root / "new.tif")
        assert len(room.pull().slides) == 2
        assert "nothing new" in room.learn().reason
        lab.xml.unlink()
        assert room.learn().iteration is None, "a file that is gone is waited for"


def test_an_incremental_training_in_between_leaves_the_nightly_state_alone(lab: Lab) -> None:
    set_schedule(lab, 8)
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn(kind=RunKind.NIGHTLY, stop=after(5))
        assert room.learn(is_forced=True).steps == 6
        counted: list[int] = []
        room.learn(kind=RunKind.NIGHTLY, stop=lambda: bool(counted.append(1)), is_forced=True)
        assert len(counted) == 3, "three of eight steps were left"


def test_a_killed_run_with_nothing_to_go_on_with_is_closed(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn()
        room.store.start_run(NOW, kind="incremental", parent=room.champion, data_hash="labels that were undone since")
        assert room.learn().iteration is None
        assert room.store.running() is None
        assert "isn't gone on with" in str(room.store.runs()[-1].reason)


def test_a_killed_run_of_other_labels_gives_its_number_to_the_next(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.store.start_run(NOW, kind="incremental", parent=None, data_hash="older labels") == 1
        assert room.learn().iteration == 1
        assert [run.state for run in room.store.runs()] == [RunState.FAILED, RunState.FINISHED]


def test_nothing_to_settle_is_nothing_said(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        room.learn()
        assert settle_training(room.project, room.store, NOW) is None


def test_a_training_that_made_way_is_remembered_until_one_comes_to_its_end(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        assert not was_stopped(room.store)
        room.learn(stop=after(2), stop_cause=lambda: StopCause.NEWER_LABELS)
        assert was_stopped(room.store)
        room.learn(stop=after(2), stop_cause=lambda: StopCause.SHUTDOWN)
        assert was_stopped(room.store)  # as after a kill
        room.learn()
        assert not was_stopped(room.store)


class Bar:
    """Adds up what is shown of a training."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0

    def start(self, title: str, total: float | None) -> None:
        self.total, self.done = (total, 0.0) if title == "training" else (self.total, self.done)

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        self.done += amount


def test_the_bar_of_a_whole_training_comes_to_its_end(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        bar = Bar()
        assert learn(room.project, room.store, room.pull(), bar, lambda: NOW).steps == 6
    assert bar.total is not None and bar.done == pytest.approx(bar.total)


def test_the_bar_goes_from_where_the_training_goes_on_to_its_end_and_never_back() -> None:
    bar = Bar()
    shown = TrainingBar(bar)
    seen = []
    for share in (0.5, 0.75, 0.6, 0.8):  # begun anew in between, without a damaged slide
        shown.show(TrainingProgress("high", 1, 9, 0.5, share))
        seen.append(bar.done)
    assert seen == pytest.approx([0.0, 0.5, 0.5, 0.6])
    shown.end()  # by the hold-out
    assert bar.done == pytest.approx(1.0)
