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
from scripts.processes import Launch, refusal

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


def scored(told: str) -> float:
    return float(json.loads(told)["learned"]["score"])


def test_what_torchrun_says_is_read() -> None:
    assert Launch.read(GIVEN) == Launch(1, 4, 1, 2)


@pytest.mark.parametrize("without", sorted(GIVEN.keys() - {"LOCAL_WORLD_SIZE"}))
def test_a_cluster_that_sets_only_some_of_it_means_nothing(without: str) -> None:
    assert Launch.read({name: value for name, value in GIVEN.items() if name != without}) is None


def test_a_single_process_is_none_of_several() -> None:
    assert Launch.read({**GIVEN, "RANK": "0", "WORLD_SIZE": "1"}) is None


def test_nonsense_from_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match="torchrun"):
        Launch.read({**GIVEN, "RANK": "first"})


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


@needs_gloo
def test_two_processes_make_one_champion_that_is_as_good_as_ones(ready: Lab, tmp_path: Path) -> None:
    process = started(ready, "train", "--json")
    told, logged = process.communicate()
    assert process.returncode == 0, logged[-3000:]
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
    assert scored(told) == pytest.approx(scored(single.stdout), abs=0.02)  # told once: else it were no JSON


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


@needs_gloo
def test_a_night_is_led_by_one_of_two(ready: Lab) -> None:
    ready.set("\n[schedule]\nmax_steps = 4\n")
    process = started(ready, "nightly", "--json")
    told, logged = process.communicate()
    assert process.returncode == 0, logged[-3000:]
    (night,) = json.loads(told)["projects"]
    assert night["state"] == "done"
    assert night["pass"]["learned"]["iteration"] == 1
    lines = (ready.root / ".slidebridge" / "log" / "nightly.log").read_text("utf-8")
    assert lines.count("the project's night begins") == 1
