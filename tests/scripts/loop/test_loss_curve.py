"""The loss curve of a training: what is written while it runs, what is read of a file that grows or was spoilt."""

from __future__ import annotations

import logging
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learn_support import classroom

from lab_support import Lab, labelled
from scripts.loop.loss_curve import CURVES, KEPT, CurveWriter, LossPoint, newest_curve, read_curve, read_curves

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def write(folder: Path, steps: int, *, every: float = 0.1, kind: str = "incremental") -> Clock:
    clock = Clock()
    with CurveWriter(folder, kind, clock) as curve:
        for step in range(1, steps + 1):
            clock.pass_by(every)
            curve.add("high", step, steps, 1 / step)
    return clock


def test_a_training_leaves_its_curve(lab: Lab) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        assert room.learn().steps == 6
        curve = newest_curve(room.project.data_folder / CURVES)
    assert curve is not None and curve.kind == "incremental" and curve.last is not None
    assert [(p.step, p.planned, p.net) for p in curve.points][-1] == (6, 6, "high")
    assert all(math.isfinite(point.loss) for point in curve.points)
    assert curve.started_at == BEGIN, "the project's clock stands still in this test"


def test_a_folder_that_cant_be_written_costs_a_line_and_not_the_training(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.write(labelled())
    with classroom(lab) as room:
        room.project.data_folder.mkdir(exist_ok=True)
        (room.project.data_folder / CURVES).write_text("a file where the folder should be")
        with caplog.at_level(logging.WARNING, "scripts.loop.loss_curve"):
            assert room.learn().is_promoted
    told = [record.getMessage() for record in caplog.records if record.name == "scripts.loop.loss_curve"]
    assert len(told) == 1
    assert "the training goes on" in told[0]


def test_it_is_written_while_the_training_runs_but_not_at_every_step(tmp_path: Path) -> None:
    clock, sizes = Clock(), []
    with CurveWriter(tmp_path, "nightly", clock) as curve:
        for step in range(1, 41):
            curve.add("high", step, 40, 0.5)
            (found,) = read_curves(tmp_path)
            sizes.append(len(found.points))
            clock.pass_by(0.1)
    assert sizes[0] == 1, "the first step is seen at once"
    writes = sum(a != b for a, b in pairwise(sizes))
    assert 6 <= writes <= 8, "4 s of steps, each half second"
    (found,) = read_curves(tmp_path)
    assert found.last is not None and found.last.step == 40


def test_a_day_of_steps_stays_a_small_file(tmp_path: Path) -> None:
    write(tmp_path, 60_000, every=0.5)
    (found,) = read_curves(tmp_path)
    assert found.path.stat().st_size < 2_000_000
    assert found.last is not None and found.last.step == 60_000


def test_a_clock_that_is_set_back_does_not_stop_the_curve(tmp_path: Path) -> None:
    clock = Clock()
    with CurveWriter(tmp_path, "nightly", clock) as curve:
        clock.pass_by(3600)
        curve.add("high", 1, 9, 0.5)
        clock.pass_by(-3000)
        curve.add("high", 2, 9, 0.4)
        (found,) = read_curves(tmp_path)
        assert [point.step for point in found.points] == [1, 2]


def test_trainings_of_the_same_second_have_files_of_their_own(tmp_path: Path) -> None:
    for steps in (2, 3, 4):
        write(tmp_path, steps)
    assert [curve.last.step for curve in read_curves(tmp_path) if curve.last is not None] == [2, 3, 4]


def test_the_oldest_curves_make_room(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        began = BEGIN + timedelta(minutes=number)
        with CurveWriter(tmp_path, "nightly", lambda now=began: now) as curve:
            curve.add("high", 1, 1, 0.5)
    (tmp_path / "notes.csv").write_text("of a person's")
    found = read_curves(tmp_path)
    assert [curve.started_at for curve in found] == [BEGIN + timedelta(minutes=n) for n in range(3, KEPT + 3)]
    assert len(list(tmp_path.glob("*-nightly.csv"))) == KEPT
    assert read_curves(tmp_path, 2) == found[-2:]


def test_a_training_without_steps_leaves_no_file(tmp_path: Path) -> None:
    write(tmp_path / "curves", 0)
    assert not (tmp_path / "curves").exists()


@given(cut=st.integers(0, 400))
def test_a_file_that_is_cut_anywhere_gives_a_beginning_of_the_curve(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("curves")
    write(folder, 12)
    (whole,) = read_curves(folder)
    whole.path.write_bytes(whole.path.read_bytes()[:cut])
    part = read_curve(whole.path)
    assert part is not None
    assert part.points == whole.points[: len(part.points)]


def test_rows_that_a_full_disk_spoilt_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "20260301T120000Z-nightly.csv"
    path.write_bytes(
        b"step,planned,loss,seconds,net\n1,9,0.5,0.1,high\n2,9,0.\n\xff\xfe\n\n3,9,nan,inf,high\n4,9,nan,0.4,high\n5,9"
    )
    curve = read_curve(path)
    assert curve is not None
    assert [(p.step, p.net) for p in curve.points] == [(1, "high"), (4, "high")]


@pytest.mark.parametrize(
    "row", [f"{10**400},9,0.5,1,high", f"{2**70},9,0.5,1,high", f"1,{10**400},0.5,1,high", "1,-9,0.5,1,high",
            "1,9,0.5,-1,high", "1,9,0.5,1e300,high"]
)  # fmt: skip
def test_rows_whose_numbers_no_training_has_are_left_out(row: str) -> None:
    assert LossPoint.parse(row) is None


def test_nets_have_curves_of_their_own_and_one_that_began_anew_forgets_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "20260301T120000Z-nightly.csv"
    rows = [("low", 1), ("low", 2), ("high", 1), ("high", 2), ("high", 3), ("high", 2), ("high", 3)]
    path.write_text("".join(LossPoint(s, 3, 0.1 * i, i, net).line() for i, (net, s) in enumerate(rows)))
    curve = read_curve(path)
    assert curve is not None
    nets = {net: [(p.step, p.seconds) for p in points] for net, points in curve.by_net().items()}
    assert nets == {"low": [(1, 0), (2, 1)], "high": [(1, 2), (2, 5), (3, 6)]}


def test_other_files_are_no_curves(tmp_path: Path) -> None:
    for name in ("curve.csv", "20269901T120000Z-nightly.csv", "20260301T120000Z-Nightly.csv"):
        (tmp_path / name).write_text("1,9,0.5,0.1,high\n")
    assert read_curves(tmp_path) == ()
    assert newest_curve(tmp_path / "none") is None
