"""A training whose process is killed: the next one goes on, to the same model."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from learn_support import classroom

from bridge.store import RunState
from lab_support import SETTINGS, Lab, labelled

_DEADLINE_SECONDS = 120


def _kept_step(folder: Path) -> int:
    try:
        return int(json.loads((folder / "high" / "resume.json").read_bytes())["step"])
    except (OSError, ValueError):
        return 0


def test_a_killed_process_is_gone_on_with_to_the_same_model(new_lab: Callable[[str], Lab]) -> None:
    labs = new_lab("whole"), new_lab("killed")
    for lab in labs:
        path = lab.root / "slidebridge.toml"
        path.write_text(SETTINGS.replace("max_steps = 6", "max_steps = 20\ncheckpoint_every = 1"), "utf-8")
        lab.write(labelled())
    with classroom(labs[0]) as room:
        whole = room.learn()
        expected = room.champion
    killed = labs[1]
    resume = killed.root / ".slidebridge" / "resume" / "incremental"
    command = [sys.executable, "-c", "from scripts.cli import main; main()", "train", "--project", str(killed.root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while _kept_step(resume) < 3 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    kept = _kept_step(resume)
    assert 3 <= kept < 20, "killed in the middle"
    steps: list[int] = []
    with classroom(killed) as room:
        assert room.store.running() is not None
        done = room.learn(stop=lambda: bool(steps.append(1)))
        assert (done.iteration, done.score, done.steps) == (1, whole.score, 20)
        assert room.champion == expected
        assert [run.state for run in room.store.runs()] == [RunState.FINISHED]
    assert len(steps) == 20 - kept, "what was done is not done again"
