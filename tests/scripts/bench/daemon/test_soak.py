"""The soak says what it found, and what it would call growth; a short one in full is for ``make test-long``."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench.daemon.judge import Fault, Finding
from scripts.bench.daemon.samples import Sample
from scripts.bench.daemon.soak import STOP_SECONDS, Soak, report
from scripts.bench.daemon.verdict import Verdict

ROOT = Path(__file__).parents[4]
WELL = Verdict((), ())


@pytest.fixture
def soaked(tmp_path: Path) -> Soak:
    soak = Soak(tmp_path)
    first = Sample(0.0, 800.0, 18, 40, 0, 1.0, 1.0, 1.0, 1.0, 1.0)
    soak.samples = [replace(first, seconds=10.0 * i) for i in range(180)]
    soak.stop_status, soak.stop_seconds = 0, 1.5
    return soak


def test_flat_run_that_stops_at_once_is_good(soaked: Soak) -> None:
    assert soaked.faults(WELL) == [] and report(soaked, WELL).endswith("SOAK ok")


def test_leak_of_a_mebibyte_and_a_half_a_minute_is_found(soaked: Soak) -> None:
    soaked.samples = [replace(s, rss_mib=800 + s.seconds / 40) for s in soaked.samples]
    assert soaked.faults(WELL) == ["rss_mib grows"] and report(soaked, WELL).endswith("SOAK FAILED")


def test_short_run_is_too_short_to_speak_of_slopes(soaked: Soak) -> None:
    soaked.minutes = 3.0
    soaked.samples = [replace(s, rss_mib=800 + s.seconds) for s in soaked.samples]
    assert soaked.faults(WELL) == []


def test_stop_that_takes_long_or_needs_force_is_found(soaked: Soak) -> None:
    soaked.stop_seconds = STOP_SECONDS + 1
    assert len(soaked.faults(WELL)) == 1
    soaked.stop_seconds, soaked.stop_status = 1.0, None
    assert len(soaked.faults(WELL)) == 1


def test_what_the_judge_found_counts(soaked: Soak) -> None:
    assert soaked.faults(Verdict((Finding(Fault.LOST, "lab/case", "x"),), ())) == ["label lost: lab/case: x"]


@pytest.mark.long
def test_three_minutes() -> None:
    command = [sys.executable, "-m", "scripts.bench.daemon.soak", "--minutes", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
