from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import ProjectBusyError
from bridge.store.lease import Lease, holder
from bridge.store.lease_beat import Beat


def until_beat(folder: Path, count: int) -> None:
    moment = threading.Event()
    for _ in range(2000):
        found = holder(folder)
        if found is not None and found.beat >= count:
            return
        moment.wait(0.005)
    pytest.fail("no beat in ten seconds")


def test_lease_beats_while_work_goes_on_and_is_given_back(tmp_path: Path) -> None:
    with Beat(Lease.take(tmp_path, "train"), every_seconds=0.01) as beat:
        until_beat(tmp_path, 3)
        beat.check()
    assert holder(tmp_path) is None


def test_work_is_told_when_another_took_over(tmp_path: Path) -> None:
    lease = Lease.take(tmp_path, "train")
    thief = replace(lease.holder, token="other", host="elsewhere")
    (tmp_path / "lease.json").write_bytes(thief.to_bytes())
    with pytest.raises(ProjectBusyError, match=r"lease lost.*on elsewhere"), Beat(lease, every_seconds=0.01) as beat:
        beat._thread.join(60)  # it ends with the loss
        beat.check()
    assert holder(tmp_path) == thief, "which is theirs now"


def test_block_that_fails_gives_it_back_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Beat(Lease.take(tmp_path, "train")):
        raise KeyError
    assert holder(tmp_path) is None
