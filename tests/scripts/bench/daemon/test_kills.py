"""A short run of the kills: the daemon killed while it starts and while it works, and the judge finds nothing wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from scripts.bench.daemon.kills import choose_life

ROOT = Path(__file__).parents[4]


@pytest.mark.long
def test_daemon_killed_again_and_again_loses_nothing_and_doubles_nothing() -> None:
    command = [sys.executable, "-m", "scripts.bench.daemon.kills", "--kills", "3", "--slides", "1", "--seed", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed 3 times" in done.stdout and "no fault found" in done.stdout


def test_kills_come_at_every_age() -> None:
    lives = [choose_life(Random(seed)) for seed in range(400)]
    at_work = [life.seconds for life in lives if life.is_at_work]
    assert 50 < sum(not life.is_at_work for life in lives) < 150
    assert min(at_work) < 0.1 and max(at_work) > 6 and all(life.seconds < 10 for life in lives)


@pytest.mark.long
def test_hundred_kills() -> None:
    command = [sys.executable, "-m", "scripts.bench.daemon.kills", "--kills", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
