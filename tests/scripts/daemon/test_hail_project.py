"""The daemon at an H-AI-L project: it offers predictions, notices where they are moved to, and learns from there."""

from __future__ import annotations

from pathlib import Path

from bridge.store import JobKind, JobState
from daemon_lab import RESCAN, SETTLE, DaemonLab
from hail_lab import QUICK, make_hail

WATCHED = QUICK.replace("settle_seconds = 0.01", f"settle_seconds = {SETTLE}\nrescan_seconds = {RESCAN}")


def test_predictions_are_offered_and_learned_from_once_they_are_moved(tmp_path: Path) -> None:
    hail = make_hail(tmp_path, WATCHED)
    before, lab = hail.fingerprint(), DaemonLab(tmp_path)
    lab.start()
    try:
        lab.run(20 * SETTLE, until=lambda: bool(lab.jobs(JobKind.WRITE, JobState.DONE)))
        assert hail.offered.is_file()
        assert hail.fingerprint() == before

        moved = hail.take_over(2)
        before = hail.fingerprint()
        for path in (hail.offered, moved, moved.parent):
            lab.observers.tell(path)
        lab.run(20 * SETTLE, until=lambda: len(lab.jobs(JobKind.TRAIN, JobState.DONE)) == 2)
        assert len(lab.jobs(JobKind.TRAIN, JobState.DONE)) == 2
        assert hail.fingerprint() == before
        assert not hail.offered.exists()
    finally:
        lab.close()
