"""Commands that torchrun starts in several processes: one leads, writes and tells, the others train with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
import torch.distributed as dist
from learn_support import classroom
from ranked_trainings import after, torchrun

from bridge.errors import ConfigError
from lab_support import RUNNER, Lab, labelled
from scripts.cli import app
from scripts.processes import Launch, open_ranks, refusal

pytestmark = pytest.mark.heavy
GIVEN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "there"}
needs_gloo = pytest.mark.skipif(
    not dist.is_available() or not dist.is_gloo_available(), reason="this build of torch has no gloo"
)


@pytest.fixture
def ready(lab: Lab) -> Lab:
    lab.write(labelled())
    return lab


def started(lab: Lab, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in two processes; it is killed should it hang."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = torchrun("-m", "scripts.cli", *arguments, "--project", str(lab.root))
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    guard = Timer(100, process.kill)
    guard.daemon = True
    guard.start()
    return process


def test_what_torchrun_says_is_read() -> None:
    assert Launch.read(GIVEN) == Launch(1, 4, 1, 2)


@pytest.mark.parametrize("without", sorted(GIVEN.keys() - {"LOCAL_WORLD_SIZE"}))
def test_a_cluster_that_sets_only_some_of_it_means_nothing(without: str) -> None:
    assert Launch.read({name: value for name, value in GIVEN.items() if name != without}) is None


def test_a_single_process_is_none_of_several() -> None:
    assert Launch.read({**GIVEN, "RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize("rank", ["first", "4", "-1"])
def test_nonsense_from_the_environment_is_refused(rank: str) -> None:
    with pytest.raises(ConfigError, match="torchrun"):
        Launch.read({**GIVEN, "RANK": rank})


@needs_gloo
def test_processes_that_have_nothing_to_meet_by_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(ConfigError) as caught, open_ranks(Launch(0, 2, 0, 2)):
        pytest.fail("it met nobody")
    assert "MASTER_PORT" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_trainings_are_for_several_processes() -> None:
    launch = Launch(0, 2, 0, 2)
    assert refusal(launch, "train") is None
    assert refusal(launch, "nightly") is None
    assert refusal(None, "predict") is None
    assert "run `slidebridge predict` by itself" in str(refusal(launch, "predict"))


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
def test_another_command_is_refused_once(ready: Lab, rank: str, lines: int) -> None:
    result = RUNNER.invoke(app, ["status", "--project", str(ready.root)], env={**GIVEN, "RANK": rank})
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("by itself") == lines


@pytest.mark.long
@needs_gloo
def test_a_night_of_two_processes_is_led_by_one_and_makes_as_good_a_champion(ready: Lab, tmp_path: Path) -> None:
    ready.set("\n[schedule]\nmax_steps = 6\n")
    process = started(ready, "nightly", "--json")
    told, logged = process.communicate()
    assert process.returncode == 0, logged[-3000:]
    (night,) = json.loads(told)["projects"]  # told once: else it were no JSON
    assert night["state"] == "done"
    lines = (ready.root / ".slidebridge" / "log" / "nightly.log").read_text("utf-8")
    assert lines.count("the project's night begins") == 1
    with classroom(ready) as room:
        together, champion = room.store.runs(), room.champion
    assert [run.iteration for run in together] == [1]
    assert champion == together[0].checkpoint_id
    assert [path.name for path in (ready.root / ".slidebridge" / "resume").glob("*/*/resume.json")] == []

    alone = Lab(tmp_path / "alone")
    alone.root.mkdir()
    for path in (ready.slide, ready.xml, ready.root / "slidebridge.toml"):
        (alone.root / path.name).write_bytes(path.read_bytes())
    single = alone.run("train", "--json")
    assert night["pass"]["learned"]["score"] == pytest.approx(json.loads(single.stdout)["learned"]["score"], abs=0.02)


@needs_gloo
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that asks politely")
def test_all_stop_when_asked_and_one_goes_on_from_there(ready: Lab) -> None:
    settings = ready.root / "slidebridge.toml"
    settings.write_text(settings.read_text("utf-8").replace("max_steps = 6", "max_steps = 100000"), "utf-8")
    process = started(ready, "--verbose", "train", "--json")
    assert process.stderr is not None
    next(line for line in process.stderr if "look net=" in line)
    process.send_signal(signal.SIGTERM)
    told, logged = process.communicate()
    assert "stopping all 2 processes" in logged
    assert logged.count("stopping all") == 1
    learned = json.loads(told)["learned"]
    assert learned["superseded"]
    with classroom(ready) as room:
        assert room.learn(stop=after(2)).steps == learned["steps"] + 2
