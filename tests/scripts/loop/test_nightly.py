"""The nightly training by hand: bounded, one project after the other, one at a time, and gone on with."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.store import JobKind, JobState, Store
from bridge.store.lease import Lease
from lab_support import RUNNER, Lab, labelled
from scripts.cli import app
from scripts.daemon.schedule import night_name
from scripts.loop.nightly import Night, NightRequest, NightState, train_nightly
from scripts.options import ScheduleOptions

pytestmark = pytest.mark.heavy
HOUR = 3600.0
NOW = datetime(2026, 6, 10, 1, 30, tzinfo=UTC)
SHORT = '\n[schedule]\nmax_steps = 8\ntimezone = "Europe/Berlin"\n'


class Steps:
    """A progress that does something at the n-th training step, or when a step of the pass begins."""

    def __init__(self, act: Callable[[], None] = lambda: None, *, at_step: int = 0, at_title: str = "") -> None:
        self.act, self.at_step, self.at_title = act, at_step, at_title
        self.title = ""
        self.trained = 0

    def start(self, title: str, total: float | None) -> None:
        self.title = title
        if title == self.at_title:
            self.act()

    def advance(self, amount: float = 1.0, note: str = "") -> None:
        self.trained += self.title == "training"
        if self.title == "training" and self.trained == self.at_step:
            self.act()


def _labelled(lab: Lab, settings: str = SHORT) -> Lab:
    lab.write(labelled())
    lab.set(settings)
    return lab


@contextmanager
def _store(lab: Lab) -> Iterator[Store]:
    with Store.open(lab.root / ".slidebridge") as store:
        yield store


def _begun(lab: Lab) -> datetime | None:
    with _store(lab) as store:
        return store.marked("nightly")


def _train(
    labs: list[Lab],
    request: NightRequest | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Steps | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[Path, Night]:
    nights = train_nightly(
        [lab.root for lab in labs], request or NightRequest(), stop, progress, now=lambda: NOW, clock=clock
    )
    return {night.project: night for night in nights}


def test_everything_is_trained_on_written_and_told_once(lab: Lab) -> None:
    told = lab.root / "told.json"
    command = shlex.join([sys.executable, "-c", f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"])
    _labelled(lab, SHORT + f"[hooks]\non_nightly = {json.dumps(command)}\n[privacy]\nhash_names = true\n")
    first = lab.run("nightly")
    assert first.exit_code == 0, first.output
    assert "training 1" in first.output and "written" in first.output and "case" not in first.output
    with _store(lab) as store:
        assert [run.kind for run in store.runs()] == ["nightly"]
        assert store.marked("nightly") is not None
    event = json.loads(told.read_text())
    assert (event["event"], event["iteration"], event["project"]) == ("nightly", 1, str(lab.root))
    again = lab.run("nightly", "--json")
    night = json.loads(again.stdout)["projects"][0]
    assert (again.exit_code, night["state"], night["pass"]["learned"]["iteration"]) == (0, "done", None)


def test_a_dry_run_leaves_no_trace(lab: Lab) -> None:
    _labelled(lab)
    before = {path: path.read_bytes() for path in lab.root.rglob("*") if path.is_file()}
    done = lab.run("nightly", "--dry-run")
    assert done.exit_code == 0 and "would train on 1 slide" in done.stdout
    assert {path: path.read_bytes() for path in lab.root.rglob("*") if path.is_file()} == before


def test_one_projects_failure_never_stops_the_others(new_lab: Callable[[str], Lab]) -> None:
    broken, faulty, sound = (_labelled(new_lab(name)) for name in ("broken", "faulty", "sound"))
    (broken.root / ".slidebridge").mkdir()
    (broken.root / ".slidebridge" / "store.sqlite").write_bytes(b"no database" * 100)
    started: list[str] = []

    def trip() -> None:
        started.append("reading")
        if len(started) == 1:
            raise RuntimeError("a fault of ours")

    nights = _train([broken, faulty, sound], progress=Steps(trip, at_title="reading"))
    states = [nights[lab.root].state for lab in (broken, faulty, sound)]
    assert states == [NightState.FAILED, NightState.FAILED, NightState.DONE]
    assert nights[faulty.root].note == "a fault of ours"
    assert all("\n" not in night.note for night in nights.values())
    done = RUNNER.invoke(app, ["nightly", "-p", str(broken.root), "-p", str(sound.root)])
    assert done.exit_code == 1 and "failed: " in done.stdout and "nothing new" in done.stdout


def test_a_path_without_a_project_is_said_before_anything_begins(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _labelled(lab)
    with pytest.raises(ConfigError, match="slidebridge new"):
        train_nightly([lab.root, tmp_path_factory.mktemp("elsewhere")], NightRequest(), lambda: False)
    assert not (lab.root / ".slidebridge").exists()


def test_out_of_hours_the_rest_is_left_and_comes_first_the_next_time(new_lab: Callable[[str], Lab]) -> None:
    first, second = (_labelled(new_lab(name), SHORT.replace("8", "10")) for name in ("first", "second"))
    at = [0.0]

    def late() -> None:
        at[0] += 10 * HOUR

    progress = Steps(late, at_step=6)
    nights = _train([first, second], NightRequest(hours=4), progress=progress, clock=lambda: at[0])
    assert [night.state for night in nights.values()] == [NightState.CUT, NightState.LEFT]
    assert nights[second.root].note == "out of hours"
    assert _begun(first) is not None and not (second.root / ".slidebridge").exists()

    progress = Steps()
    nights = _train([first, second], progress=progress)
    assert list(nights) == [second.root, first.root]
    assert [night.state for night in nights.values()] == [NightState.DONE, NightState.DONE]
    assert progress.trained == 10 + 4, "the first went on where it was"


def test_a_training_that_would_take_all_the_hours_ends_in_its_share_with_a_model(lab: Lab) -> None:
    _labelled(lab, SHORT.replace("8", "3000"))
    night = _train([lab], NightRequest(hours=1e-6), clock=lambda: 0.0)[lab.root]
    assert night.state is NightState.DONE and night.passed is not None and night.passed.learned is not None
    assert night.passed.learned.is_promoted and night.passed.learned.steps < 100
    assert night.passed.pushed is not None and night.passed.pushed.slides


def test_asked_to_stop_it_keeps_its_state_and_begins_nothing_else(new_lab: Callable[[str], Lab]) -> None:
    first, second = (_labelled(new_lab(name), SHORT.replace("8", "10")) for name in ("first", "second"))
    asked: list[bool] = []
    progress = Steps(lambda: asked.append(True), at_step=6)
    nights = _train([first, second], stop=lambda: bool(asked), progress=progress)
    assert [night.state for night in nights.values()] == [NightState.CUT, NightState.LEFT]
    assert nights[first.root].note.startswith("asked to stop")
    assert not any(night.has_failed for night in nights.values())
    passed = nights[first.root].passed
    assert passed is not None and passed.pushed is None, "nothing was predicted any more"
    progress = Steps()
    assert _train([first], progress=progress)[first.root].state is NightState.DONE
    assert progress.trained == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
def test_a_real_process_keeps_its_state_at_the_first_signal(lab: Lab) -> None:
    _labelled(lab, SHORT.replace("8", "100000"))
    _checkpoint_often(lab)
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.cli", "nightly", "-p", str(lab.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    deadline = time.monotonic() + 60
    resume = lab.root / ".slidebridge" / "resume" / "nightly"
    while not any(path.is_file() for path in resume.rglob("*")):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "cut short: asked to stop; the next night goes on from there" in out
    assert err.count("stopping after the current step") == 1
    asked: list[bool] = []
    night = _train([lab], stop=lambda: bool(asked), progress=Steps(lambda: asked.append(True), at_step=2))[lab.root]
    assert night.passed is not None and night.passed.learned is not None
    assert night.passed.learned.steps >= 5 + 2


def _checkpoint_often(lab: Lab) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[train]\n", "[train]\ncheckpoint_every = 5\n"), "utf-8")


def _nightly_jobs(lab: Lab) -> list[tuple[str, JobState]]:
    with _store(lab) as store:
        return [(job.input_hash, job.state) for job in store.jobs() if job.kind is JobKind.NIGHTLY]


def test_a_daemon_is_asked_once_a_night_and_again_when_forced(lab: Lab) -> None:
    _labelled(lab)
    tonight = night_name(ScheduleOptions(timezone="Europe/Berlin"), NOW)
    with Lease.take(lab.root / ".slidebridge", "watch"), _store(lab) as daemons:
        assert _note(lab).endswith("will do it") and _note(lab).endswith("will do it")
        job = daemons.jobs()[0]
        daemons.start_job(job.id, NOW)
        assert _note(lab).endswith("is at it")
        daemons.finish_job(job.id, NOW, "done")
        assert "has done it tonight" in _note(lab)
        assert _nightly_jobs(lab) == [(tonight, JobState.DONE)]
        assert _note(lab, NightRequest(is_forced=True)).endswith("will do it")
        assert (f"forced {tonight}", JobState.WAITING) in _nightly_jobs(lab)
    assert _begun(lab) is None, "the daemon notes when it begins"


def _note(lab: Lab, request: NightRequest | None = None) -> str:
    night = _train([lab], request)[lab.root]
    assert night.state is NightState.HANDED and not night.has_failed and "the daemon (process " in night.note
    return night.note


def test_a_night_in_which_the_daemon_failed_says_why_and_that_it_is_tried_again(lab: Lab) -> None:
    _labelled(lab)
    with Lease.take(lab.root / ".slidebridge", "watch"):
        with _store(lab) as store:
            job = store.ask_job(JobKind.NIGHTLY, None, "night of 2026-06-10", NOW)
            store.start_job(job.id, NOW)
            store.retry_job(job.id, NOW, "the disk\nis full", NOW)
        assert _note(lab).endswith("will try it again; the last time it failed: the disk is full")


def test_beside_another_nightly_it_says_who_and_fails(lab: Lab) -> None:
    _labelled(lab)
    with Lease.take(lab.root / ".slidebridge", "nightly"):
        done = lab.run("nightly")
    assert done.exit_code == 1
    assert "slidebridge nightly (process " in done.stdout and "at work on this project" in done.stdout
    assert lab.run("nightly").exit_code == 0


def test_a_daemon_on_another_machine_is_named_and_not_asked(lab: Lab) -> None:
    _labelled(lab)
    with _store(lab):
        pass
    lease = Lease.take(lab.root / ".slidebridge", "watch", host="pathology-7")
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(0.05):
            lease.renew()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        night = _train([lab])[lab.root]
    finally:
        ended.set()
        thread.join()
        lease.release()
    assert night.has_failed and "on pathology-7" in night.note
    assert _nightly_jobs(lab) == []
