"""A rest of both sides, after kills at the worst moments."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from shapely import box

from bridge.annotations import Edits, MachineObject, MachineRole
from bridge.export import WriteStep, write_edits
from bridge.store import Backups, Store
from scripts.bench.torture.ledger import Ledger, read_ledger
from scripts.bench.torture.options import Job, Options, Tool
from scripts.bench.torture.referee import Referee
from scripts.bench.torture.world import make_world
from scripts.project import open_project
from write_bench import at, die, in_child, needs_fork

DRAWN = MachineObject("p1", MachineRole.PREDICTION, "Tumor: Predicted", box(10, 10, 90, 90), (1, 2, 3))


def killed_while_it_writes(job: Job) -> None:
    """Our side, ended in the moment in which its file has taken the place of the person's."""
    project = open_project(job.root)
    (entry,) = project.source.slides()
    backups, edits = Backups(project.data_folder / "backups"), Edits("w1", add=(DRAWN,))
    with Store.open(project.data_folder) as store:
        on_step = at(WriteStep.SWAPPED, die)
        now = datetime.now(UTC)
        write_edits(
            project.source,
            entry,
            job.target.read_bytes(),
            edits,
            store,
            backups,
            iteration=1,
            now=now,
            on_step=on_step,
        )


@needs_fork
def test_save_that_was_cut_in_the_file_that_we_replaced_is_mended_before_the_referee_looks(tmp_path: Path) -> None:
    """Both sides were killed: what ours puts back at the rest is cut, and that is the tool's own doing."""
    job = make_world(tmp_path, Options(Tool.IMAGESCOPE))
    with job.target.open("r+b") as opened:
        assert in_child(lambda: killed_while_it_writes(job)) == -signal.SIGKILL
        Ledger(job.tool_ledger).note("begin", state=[], acts=[])
        os.truncate(opened.fileno(), 5)
    Referee(job).rest(())
    events = [event["event"] for event in read_ledger(job.tool_ledger)]
    assert "unparsable" not in events and "restored" in events and events[-1] == "check"
