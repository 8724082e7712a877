"""A person's word for a save, while a daemon has the project: it is asked, and its database stays where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
from learn_support import classroom

from bridge.errors import ProjectBusyError
from bridge.store import JobKind, Store
from bridge.store.lease import Lease
from lab_support import SETTINGS, Lab, draw_slide, labelled
from scripts.loop.confirm import confirm_slide


@pytest.fixture
def doubted(tmp_path: Path) -> Lab:
    """Return a project whose last save lost most of what was drawn."""
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    lab = Lab(tmp_path)
    lab.write(labelled())
    with classroom(lab) as room:
        room.pull()
        lab.write({"Blob": [(shapely.box(30, 30, 40, 40), "")]})
        assert room.pull().slides[0].is_suspicious
    return lab


def test_the_daemon_is_asked_where_it_looks_whatever_the_settings_say_since(doubted: Lab) -> None:
    data = doubted.root / ".slidebridge"
    with Lease.take(data, "watch"):
        (doubted.root / "slidebridge.toml").write_text(SETTINGS + '\n[store]\npath = "elsewhere"\n', "utf-8")
        assert "the daemon" in confirm_slide(doubted.root, "case", is_dry_run=False)
        assert not (doubted.root / "elsewhere").exists()
        with Store.open(data) as store:
            assert [job.kind for job in store.jobs()] == [JobKind.READ]


def test_another_command_is_not_asked(doubted: Lab) -> None:
    with Lease.take(doubted.root / ".slidebridge", "sync"), pytest.raises(ProjectBusyError, match="slidebridge sync"):
        confirm_slide(doubted.root, "case", is_dry_run=False)
    assert "is learned from" in confirm_slide(doubted.root, "case", is_dry_run=False)
