"""One writer at a time: what a command says while another process is at work, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.errors import ProjectBusyError, StoreError
from bridge.store.lease import Lease, holder
from bridge.store.location import MOVED_NAME, STORE_NAME
from lab_support import Lab, labelled
from scripts.loop.passes import STEPS, Request, run
from scripts.project import open_project, open_store

WRITING = [
    ("sync",),
    ("sync", "pull"),
    ("sync", "push"),
    ("train",),
    ("predict",),
    ("propose",),
    ("backups", "restore", "case.tif", "0000"),
]


@pytest.fixture
def drawn(lab: Lab) -> Lab:
    lab.write(labelled())
    return lab


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_nothing_is_written_while_a_daemon_is_at_work(drawn: Lab, command: tuple[str, ...]) -> None:
    with Lease.take(drawn.root / ".slidebridge", "watch"):
        before = files(drawn.root)
        result = drawn.run(*command)
        assert isinstance(result.exception, ProjectBusyError), result.output
        said = str(result.exception)
        assert "slidebridge watch (process" in said and "it does this by itself; stop it first" in said
        assert files(drawn.root) == before


def test_a_daemon_is_asked_to_believe_a_save_and_nobody_else_is(drawn: Lab) -> None:
    drawn.run("sync", "pull")
    with Lease.take(drawn.root / ".slidebridge", "watch"):
        assert "the daemon" in drawn.run("confirm", "case.tif").output
    with Lease.take(drawn.root / ".slidebridge", "sync"):
        assert isinstance(drawn.run("confirm", "case.tif").exception, ProjectBusyError)


def test_looking_needs_no_lease(drawn: Lab) -> None:
    with Lease.take(drawn.root / ".slidebridge", "watch"):
        for command in (("status",), ("sync", "--dry-run"), ("backups", "list"), ("confirm", "case.tif", "--dry-run")):
            result = drawn.run(*command)
            assert result.exit_code == 0, (command, result.exception)


def test_lease_bears_the_commands_name_and_is_given_back(drawn: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def look(*arguments: object, **more: object) -> None:
        seen.append(holder(drawn.root / ".slidebridge"))
        raise StoreError("enough")

    monkeypatch.setattr("scripts.loop.passes.pull", look)
    result = drawn.run("propose")
    assert str(result.exception) == "enough"
    assert seen[0] is not None and seen[0].purpose == "propose"
    assert holder(drawn.root / ".slidebridge") is None


def test_pass_that_lost_the_lease_writes_no_more(drawn: Lab) -> None:
    """As on a machine that was asleep: another one took over meanwhile."""
    before, folder = drawn.xml.read_bytes(), drawn.root / ".slidebridge"

    def lose() -> bool:  # asked between two steps
        (folder / "lease.json").unlink(missing_ok=True)
        Lease.take(folder, "watch", host="elsewhere")
        return False

    with pytest.raises(ProjectBusyError, match=r"lease lost.* on elsewhere"):
        run(drawn.root, Request(STEPS["propose"], stop=lose))
    assert drawn.xml.read_bytes() == before
    found = holder(folder)
    assert found is not None and found.host == "elsewhere"


def test_share_keeps_its_database_in_the_users_folder(
    drawn: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, user = open_project(drawn.root), tmp_path / "home"
    with open_store(project, is_dry_run=False, user=user) as store:
        store.record_predicted("case", "c1")
    share = SimpleNamespace(mountpoint=str(drawn.root), fstype="nfs4", opts="rw")
    monkeypatch.setattr("psutil.disk_partitions", lambda all: [share])
    with open_store(project, is_dry_run=True, user=user) as store:
        assert store.predicted_with("case") == "c1"
        assert store.path.parent == project.data_folder, "looking moves nothing"
    with open_store(project, is_dry_run=False, user=user) as store:
        assert store.predicted_with("case") == "c1"
        assert store.path.parent.parent == user
    assert not (project.data_folder / STORE_NAME).exists() and (project.data_folder / MOVED_NAME).is_file()
    with open_store(project, is_dry_run=True, user=user) as store:
        assert store.path.parent.parent == user


def test_looking_from_another_machine_says_where_the_records_are(
    drawn: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, share = open_project(drawn.root), SimpleNamespace(mountpoint=str(drawn.root), fstype="cifs", opts="rw")
    monkeypatch.setattr("psutil.disk_partitions", lambda all: [share])
    with open_store(project, is_dry_run=False, user=tmp_path / "home"):
        pass
    other = tmp_path / "other home"
    with pytest.raises(StoreError, match="work from there"), open_store(project, is_dry_run=True, user=other):
        pass
    assert not other.exists()


def test_database_lies_where_the_settings_say(drawn: Lab) -> None:
    drawn.set('\n[store]\npath = "records"\n')
    with open_store(open_project(drawn.root), is_dry_run=False) as store:
        assert store.path == drawn.root / "records" / STORE_NAME


def test_dry_run_of_a_fresh_project_leaves_no_trace(drawn: Lab) -> None:
    before = files(drawn.root)
    run(drawn.root, Request(STEPS["sync"], is_dry_run=True))
    assert files(drawn.root) == before


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
