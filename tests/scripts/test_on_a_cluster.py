"""The loop with workers in other processes: what they predict is what this process would have, whatever dies."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster
from learn_support import NOW
from simulation_lab import CLASSES, PRICES, NumberMaterial

from bridge.errors import ConfigError, SlideError, SlideNotFoundError
from bridge.imagescope import read_imagescope
from bridge.ingest import SlideReading
from bridge.store import Backups, JobKind, JobState, Store
from cluster_lab import Door, reached, running_cluster
from cluster_work import kill, pid_in, wait_until
from daemon_lab import DaemonLab
from lab_support import SETTINGS, draw_slide
from models.active import Acquisition, SelectionMethod
from models.checkpoints import Checkpoint, promote_champion
from models.errors import CheckpointError
from models.simulation import SplitOptions
from scripts.executors import Cluster, open_cluster
from scripts.loop.computing import Computing
from scripts.loop.elsewhere import ClusterChampion
from scripts.loop.learn import load_project_champion
from scripts.loop.pass_result import PassResult
from scripts.loop.passes import STEPS, Request, run
from scripts.loop.pull import pull
from scripts.loop.slide_jobs import ChampionBands
from scripts.loop.slide_work import SlidePrediction
from scripts.loop.worker_side import Order
from scripts.project import Project, open_project
from scripts.simulation import ActionSet, RunOptions, arms_of, gather, runs_of, simulate
from scripts.simulation.account import to_csv
from tiny_checkpoint import saved

pytestmark = pytest.mark.heavy
SMALL_TILES = "\n[predict]\ntile_px = 32\noverlap_px = 8\nmin_area_um2 = 4.0\n"  # a slide of many bands


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that says whether workers may begin."""
    return tmp_path_factory.mktemp("doors")


@pytest.fixture(scope="module")
def running(doors: Path) -> Iterator[LocalCluster]:
    """A cluster of two processes."""
    with running_cluster(2) as cluster, open_cluster(reached(cluster)) as opened:
        opened.install(Door(doors), "door")
        yield cluster


@contextmanager
def shut(doors: Path) -> Iterator[Path]:
    """Have workers wait before they begin; give the file in which they say that they do."""
    waiting = doors / "waiting"
    waiting.unlink(missing_ok=True)
    (doors / "shut").touch()
    try:
        yield waiting
    finally:
        (doors / "shut").unlink(missing_ok=True)


@dataclass(frozen=True)
class Room:
    """A project of some slides with a champion."""

    root: Path

    @classmethod
    def with_slides(cls, root: Path, count: int, settings: str = SMALL_TILES) -> Room:
        root.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw_slide(root / f"case{number}.tif", seed=number)
        (root / "slidebridge.toml").write_text(SETTINGS + settings, "utf-8")
        return cls(root).with_champion()

    def with_champion(self) -> Room:
        """Give the project a champion, and the champion's class."""
        settings = self.root / "slidebridge.toml"
        settings.write_text(settings.read_text("utf-8").replace("Blob =", "Tumor ="), "utf-8")
        folder = self.project().checkpoints
        promote_champion(folder, saved(folder, seed=0))
        return self

    def project(self, scheduler: str = "", **propose: object) -> Project:
        given = {"compute.scheduler": scheduler, "compute.timeout_seconds": 30.0}
        return open_project(self.root, given=given | {f"propose.{key}": value for key, value in propose.items()})

    def readings(self) -> list[SlideReading]:
        project = self.project()
        with Store.open(project.data_folder) as store:
            found = pull(project, store, Backups(project.data_folder / "backups"), NOW)
        return [state.reading for state in found.slides]

    def push(self, scheduler: str = "", **more: object) -> PassResult:
        given = {"compute.scheduler": scheduler, "compute.timeout_seconds": 30.0}
        return run(self.root, Request(STEPS["push"], given=given, **more))  # type: ignore[arg-type]

    def written(self) -> dict[str, list[str]]:
        """Return the outlines in each slide's file, without order."""
        files = sorted(self.root.glob("*.xml"))
        return {
            file.name: sorted(one.geometry.wkt for one in read_imagescope(file.read_bytes()).annotations)
            for file in files
        }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """One slide, for those who write nothing."""
    return Room.with_slides(tmp_path_factory.mktemp("room"), 1)


@contextmanager
def champion_there(room: Room, cluster: LocalCluster, **propose: object) -> Iterator[ClusterChampion]:
    project = room.project(cluster.scheduler_address, **propose)
    champion = load_project_champion(project)
    assert champion is not None
    with open_cluster(project.settings.compute) as opened:
        there = ClusterChampion(champion, project.settings, project.checkpoints, opened)
        yield there
        there.close()


def predicted_here(room: Room, reading: SlideReading, **propose: object) -> SlidePrediction:
    project = room.project(**propose)
    champion = load_project_champion(project)
    assert champion is not None
    found = ChampionBands.of(project, champion).predict(project.settings, reading, lambda: False)
    assert found is not None
    return found


def assert_same(found: SlidePrediction | None, expected: SlidePrediction) -> None:
    """Hold two predictions against each other, bit for bit; what they cost apart."""
    assert found is not None and found.overview is not None and expected.overview is not None
    assert expected.predictions
    assert [(p.path_class, p.geometry.wkb) for p in found.predictions] == [
        (p.path_class, p.geometry.wkb) for p in expected.predictions
    ]
    assert np.array_equal(found.overview.score, expected.overview.score)
    assert np.array_equal(found.overview.probabilities, expected.overview.probabilities)
    assert np.array_equal(found.tissue, expected.tissue)
    assert found.colours is not None and expected.colours is not None
    assert np.array_equal(found.colours, expected.colours)
    assert (found.unlikeness, found.note, found.extent) == (expected.unlikeness, expected.note, expected.extent)


@pytest.mark.parametrize("asked", [{}, {"acquisition": "bald", "draws": 2}], ids=["plain", "bald"])
def test_slide_in_parts_is_predicted_bit_for_bit_as_here(
    room: Room, running: LocalCluster, asked: dict[str, object]
) -> None:
    (reading,) = room.readings()
    expected = predicted_here(room, reading, **asked)

    with champion_there(room, running, **asked) as there:
        assert len(there.cuts(reading)) > 2
        found = there.predict(there.settings, reading, lambda: False)

    assert_same(found, expected)
    assert found is not None and found.cost is not None and expected.cost is not None
    assert found.cost.tiles >= expected.cost.tiles and found.cost.network > 0
    assert found.overview is not None
    assert found.overview.acquisition is Acquisition(asked.get("acquisition", "least_confidence"))


def test_slides_asked_for_ahead_are_predicted_as_here_and_one_that_fails_stops_no_other(
    tmp_path: Path, running: LocalCluster
) -> None:
    room = Room.with_slides(tmp_path, 3)
    first, second, third = room.readings()
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 and nothing more")

    with champion_there(room, running) as there:
        coming = [first, replace(second, slide_path=broken), third]
        there.ahead(coming)
        with pytest.raises(SlideError, match=r"broken\.tif"):
            there.predict(there.settings, coming[1], lambda: False)
        found = [there.predict(there.settings, one, lambda: False) for one in (first, third)]

    for one, reading in zip(found, (first, third), strict=True):
        assert_same(one, predicted_here(room, reading))


def test_slide_that_workers_find_elsewhere_or_not_at_all(tmp_path: Path, running: LocalCluster) -> None:
    room = Room.with_slides(tmp_path, 1, settings=SMALL_TILES + "\n[slides]\nsearch = ['.']\n")
    (reading,) = room.readings()
    moved = Order(Path("/was/here/case0.tif"), reading.slide_path.stat().st_size, reading.mpp)

    with champion_there(room, running) as there:
        assert_same(there.ask_whole(moved).result(), predicted_here(room, reading))
        with pytest.raises(SlideNotFoundError, match=r"gone\.tif is not at .* search.* \(on worker tcp://"):
            there.ask_whole(replace(moved, path=Path("/was/here/gone.tif"))).result()
        with pytest.raises(SlideError, match=r"case0\.tif is another file on worker .* 7 where it was asked for"):
            there.ask_whole(replace(moved, size_bytes=7)).result()


def test_slide_that_was_replaced_between_two_predictions_is_read_anew(tmp_path: Path, running: LocalCluster) -> None:
    room = Room.with_slides(tmp_path, 1)
    (before,) = room.readings()

    with champion_there(room, running) as there:
        first = there.predict(there.settings, before, lambda: False)
        draw_slide(tmp_path / "new.tif", seed=7)
        (tmp_path / "new.tif").replace(before.slide_path)
        (after,) = room.readings()
        assert len(there.cuts(after)) > 2
        second = there.predict(there.settings, after, lambda: False)

    assert_same(second, predicted_here(room, after))
    assert first is not None and second is not None
    assert [p.geometry.wkb for p in first.predictions] != [p.geometry.wkb for p in second.predictions]


def test_model_that_no_worker_can_load_is_told_when_a_slide_is_asked_for(
    room: Room, running: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.loop.elsewhere.files_of", lambda *_: {})
    project = room.project(running.scheduler_address)
    champion = load_project_champion(project)
    assert champion is not None
    (reading,) = room.readings()

    with Computing(project) as computing:
        computing.reach(champion)
        computing.ahead([reading])
        with pytest.raises(CheckpointError):
            computing.champion(champion).predict(project.settings, reading, lambda: False)


def test_stop_ends_a_prediction_under_way_and_frees_its_worker(room: Room, running: LocalCluster, doors: Path) -> None:
    (reading,) = room.readings()

    with champion_there(room, running) as there:
        with shut(doors) as waiting:
            assert there.predict(there.settings, reading, waiting.exists) is None
        assert_same(there.predict(there.settings, reading, lambda: False), predicted_here(room, reading))


def test_worker_killed_in_the_middle_costs_nothing_but_time(tmp_path: Path, running: LocalCluster, doors: Path) -> None:
    here, there = Room.with_slides(tmp_path / "here", 3), Room.with_slides(tmp_path / "there", 3)
    here.push()

    with ThreadPoolExecutor(1) as thread, shut(doors) as waiting:
        passing = thread.submit(there.push, running.scheduler_address)
        wait_until(lambda: waiting.is_file() and len(waiting.read_text("utf-8").split()) == 2)
        killed = pid_in(waiting)
        assert killed is not None
        kill(killed)
        (doors / "shut").unlink()
        result = passing.result(60)

    assert not result.has_failed
    assert [slide.is_written for slide in result.pushed.slides] == [True] * 3 if result.pushed else False
    assert there.written() == here.written()
    assert all(len(outlines) > 5 for outlines in there.written().values())


def test_dry_run_on_a_cluster_writes_nothing(tmp_path: Path, running: LocalCluster) -> None:
    room = Room.with_slides(tmp_path, 1)

    result = room.push(running.scheduler_address, is_dry_run=True)

    assert result.pushed is not None and result.pushed.slides[0].summary is not None
    assert result.pushed.slides[0].summary.written > 0
    assert room.written() == {}


def test_when_all_workers_are_gone_this_process_goes_on(
    room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (reading,) = room.readings()
    with running_cluster(1) as small:
        install = Computing._installed

        def installed(computing: Computing, champion: Checkpoint, cluster: Cluster) -> ClusterChampion:
            small.scale(0)
            wait_until(lambda: not small.scheduler.workers)
            return install(computing, champion, cluster)

        monkeypatch.setattr(Computing, "_installed", installed)
        project = open_project(
            room.root, given={"compute.scheduler": small.scheduler_address, "compute.timeout_seconds": 0.6}
        )
        champion = load_project_champion(project)
        assert champion is not None
        with Computing(project) as computing, caplog.at_level(logging.WARNING, "scripts"):
            found = computing.champion(champion).predict(project.settings, reading, lambda: False)
            again = computing.champion(champion).predict(project.settings, reading, lambda: False)

    assert_same(found, predicted_here(room, reading))
    assert again is not None
    (told,) = [record.getMessage() for record in caplog.records if record.name == "scripts.loop.computing"]
    assert "predicted in this process" in told and "no worker is left" in told


def test_command_refuses_a_cluster_that_is_not_there_before_it_writes(tmp_path: Path) -> None:
    room = Room.with_slides(tmp_path, 1)

    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 within 0\.2 s; start it"):
        run(
            tmp_path,
            Request(STEPS["push"], given={"compute.scheduler": "tcp://127.0.0.1:1", "compute.timeout_seconds": 0.2}),
        )

    assert room.written() == {}


def test_what_is_kept_from_before_needs_no_cluster(tmp_path: Path) -> None:
    room = Room.with_slides(tmp_path, 1)
    expected = room.push(is_forced=True)

    again = room.push("tcp://127.0.0.1:1")

    assert expected.pushed is not None and again.pushed is not None
    assert not again.has_failed


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "unreachable"])
def test_daemon_predicts_on_the_cluster_or_meanwhile_alone(
    tmp_path: Path, running: LocalCluster, caplog: pytest.LogCaptureFixture, is_there: bool
) -> None:
    address = running.scheduler_address if is_there else "tcp://127.0.0.1:1"
    compute = f'\n[compute]\nscheduler = "{address}"\ntimeout_seconds = {30.0 if is_there else 0.2}\n'
    here = Room.with_slides(tmp_path / "here", 2)
    here.push()
    (tmp_path / "there").mkdir()
    lab = DaemonLab.with_slides(tmp_path / "there", 2, settings=SMALL_TILES + compute)
    room = Room(lab.root).with_champion()

    with caplog.at_level(logging.WARNING, "scripts"):
        lab.start()
        lab.run()
        runs_on = {cost.runs_on for cost in lab.store.costs()}
        lab.close()

    assert room.written() == here.written()
    told = [record.getMessage() for record in caplog.records if "predicted in this process" in record.getMessage()]
    assert len(told) == (0 if is_there else 1)
    assert all(("cluster" in one) == is_there for one in runs_on) and runs_on


def test_a_slide_that_vanished_fails_no_other_whose_turn_is_before_it(tmp_path: Path, running: LocalCluster) -> None:
    compute = f'\n[compute]\nscheduler = "{running.scheduler_address}"\ntimeout_seconds = 30.0\n'
    lab = DaemonLab.with_slides(tmp_path, 3, settings=SMALL_TILES + compute)
    Room(lab.root).with_champion()
    worker = lab.start().loop.worker
    lab.run(until=lambda: bool(lab.store.costs()))  # one is predicted: others are asked for ahead from now on
    first, second = lab.jobs(JobKind.PREDICT, JobState.WAITING)
    (lab.root / str(second.slide_key)).unlink()

    worker.do(first)
    done = lab.store.job(first.id)
    lab.close()

    assert (done.state, done.error) == (JobState.DONE, None)


def test_what_was_asked_ahead_of_a_file_that_changed_since_is_not_taken(tmp_path: Path, running: LocalCluster) -> None:
    room = Room.with_slides(tmp_path, 2)
    reading, second = room.readings()
    path, before = reading.slide_path, reading.slide_path.read_bytes()
    draw_slide(tmp_path / "other", seed=5)
    other = (tmp_path / "other").read_bytes()
    size = max(len(before), len(other))  # as of a file that is being copied: all of its size from the beginning
    path.write_bytes(before.ljust(size, b"\0"))
    os.utime(path, ns=(1, 1))

    with champion_there(room, running) as there:
        there.ahead([reading, second])
        assert all(future.result() is not None for future in there._ahead.values())
        path.write_bytes(other.ljust(size, b"\0"))
        found = there.predict(there.settings, reading, lambda: False)

    assert_same(found, predicted_here(room, reading))


def test_simulation_on_a_cluster_gives_the_same_table_and_is_kept_here(tmp_path: Path, running: LocalCluster) -> None:
    material, options = NumberMaterial(), RunOptions(2, SplitOptions(subsets=2), PRICES)
    runs = runs_of(arms_of([SelectionMethod.RANDOM, SelectionMethod.ADAPTIVE], [4], [1], [ActionSet.ALL]), [0])
    here = simulate(material, runs, options, tmp_path / "here")

    with open_cluster(reached(running)) as cluster:
        there = simulate(material, runs, options, tmp_path / "there", executor=cluster.executor)

    assert to_csv(gather(there), CLASSES, 64.0) == to_csv(gather(here), CLASSES, 64.0)
