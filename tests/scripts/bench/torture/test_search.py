"""What is missing from the annotation file is looked for where people were told to look, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.store import Backups
from scripts.bench.torture.options import Job, Options, Tool
from scripts.bench.torture.person import Sitting
from scripts.bench.torture.search import Searched
from scripts.bench.torture.tools import simulator_of
from scripts.bench.torture.world import make_world


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_world(tmp_path, Options(Tool.IMAGESCOPE))


def drawn(job: Job) -> tuple[bytes, frozenset[str]]:
    """A save that isn't the file any more, and the prints of what is in it."""
    sitting, simulator = Sitting(Tool.IMAGESCOPE, Random(0), "1", set()), simulator_of(Tool.IMAGESCOPE)
    data = job.target.read_bytes()
    data = simulator.edit(data, sitting.changes(simulator.parse(data).annotations))
    return data, frozenset(sitting.mine)


def told(*lines: str) -> dict[str, Any]:
    return {"event": "recovered", "at": 1.0, "outcomes": [], "messages": list(lines)}


def refused(line: str) -> dict[str, Any]:
    return {"event": "write", "at": 1.0, "outcome": "conflict", "message": line}


def test_file_that_was_named_is_looked_into(job: Job) -> None:
    data, missing = drawn(job)
    kept = job.target.with_name(".slidebridge-w1.tmp")
    kept.write_bytes(data)
    assert set(Searched(job, [told(f"the other save is kept as {kept}")]).find(missing).kept) == missing
    assert set(Searched(job, [told("another line")]).find(missing).kept) == set()


@pytest.mark.parametrize("say", [told, refused], ids=["put back later", "put back at once"])
def test_backup_that_was_named_is_looked_into(job: Job, say: Any) -> None:
    data, missing = drawn(job)
    version = Backups(job.root / ".slidebridge" / "backups").keep(data)
    assert (
        set(Searched(job, [say(f"that save is version {version[:12]} in the backups")]).find(missing).backed_up)
        == missing
    )
    assert Searched(job, [say("that save is version 0123456789ab in the backups")]).find(missing).backed_up == set()
    assert Searched(job, []).find(missing).backed_up == set()
