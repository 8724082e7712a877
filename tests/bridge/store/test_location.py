"""Where the database lies: shares told from disks, ids made once, and a move that a crash can't spoil."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store import Store, location
from bridge.store.location import (
    MOVED_NAME,
    NOTE_NAME,
    STORE_NAME,
    bring_store,
    find_store,
    known_project_id,
    project_id,
    store_folder,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "share" / "lab" / ".slidebridge"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    return tmp_path / "home" / "stores"


def bring(data: Path, user: Path, configured: Path | None = None, *, is_network: bool = True) -> Path:
    """Do what opening a store does."""
    return bring_store(data, configured, user, is_network=lambda path: is_network)


def fill(folder: Path, now: datetime, name: str = "nightly") -> None:
    with Store.open(folder) as store:
        store.mark(name, now)


def marked(folder: Path, name: str = "nightly") -> datetime | None:
    with Store.open(folder) as store:
        return store.marked(name)


def test_id_is_made_once_and_stays(data: Path) -> None:
    assert known_project_id(data) is None
    made = project_id(data)
    assert project_id(data) == known_project_id(data) == made
    assert [path.name for path in data.iterdir()] == ["project-id"]


def test_processes_that_race_agree_on_the_id(data: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from bridge.store.location import project_id
print("ready", flush=True)
sys.stdin.readline()
print(project_id(Path({str(data)!r})))
"""
    command = [sys.executable, "-c", code]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [racer.stdout and racer.stdout.readline() for racer in racers] == ["ready\n"] * 4
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = {racer.communicate(timeout=60)[0] for racer in racers}
    assert said == {f"{project_id(data)}\n"}
    assert len(list(data.iterdir())) == 1


def test_damaged_id_is_one_line(data: Path) -> None:
    data.mkdir(parents=True)
    (data / "project-id").write_text("nonsense")
    with pytest.raises(StoreError, match="project-id holds no id; put it back"):
        project_id(data)


def test_configured_goes_before_network_before_beside(data: Path, user: Path, tmp_path: Path) -> None:
    assert store_folder(data, None, user, is_network=lambda path: False) == data
    assert not data.exists()
    assert store_folder(data, tmp_path / "set", user, is_network=lambda path: True) == tmp_path / "set"
    assert store_folder(data, None, user, is_network=lambda path: True) == user / project_id(data)


def test_store_on_a_share_moves_once_with_all_it_holds(data: Path, user: Path, now: datetime) -> None:
    fill(data, now)
    folder = bring(data, user)
    assert marked(folder) == now
    assert sorted(path.name for path in data.iterdir()) == sorted(["project-id", MOVED_NAME, NOTE_NAME])
    fill(folder, now, "later")
    assert bring(data, user) == folder
    assert marked(folder, "later") == now
    assert sorted(path.name for path in folder.iterdir()) == ["project.txt", "store-id", STORE_NAME]


def test_store_beside_the_project_on_a_disk_stays(data: Path, user: Path, now: datetime) -> None:
    fill(data, now)
    assert bring(data, user, is_network=False) == data
    assert [path.name for path in data.iterdir()] == [STORE_NAME]
    assert not user.exists()


@pytest.mark.parametrize("has_note", [False, True])
def test_crash_after_the_copy_is_finished_by_the_next(
    data: Path, user: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, has_note: bool
) -> None:
    class Crash(BaseException):
        pass

    leave = location._leave_notes

    def crash(*folders: Path) -> None:
        if has_note:
            leave(*folders)
        raise Crash

    fill(data, now)
    monkeypatch.setattr(location, "_leave_notes", crash)
    with pytest.raises(Crash):
        bring(data, user)
    monkeypatch.undo()
    there = user / project_id(data)
    assert (there / STORE_NAME).is_file() and (data / STORE_NAME).is_file()
    assert find_store(data, None, user) == (there if has_note else data), "one of the two counts"
    assert marked(bring(data, user)) == now
    assert not (data / STORE_NAME).exists()


def test_move_that_fails_leaves_the_store_where_it_is(data: Path, user: Path, now: datetime) -> None:
    fill(data, now)
    user.parent.mkdir()
    user.touch()
    with pytest.raises(StoreError, match=r"not copied .*it stays where it is"):
        bring(data, user)
    assert marked(data) == now


def test_store_that_a_writer_left_in_the_middle_is_copied_as_of_the_last_whole_step(
    data: Path, user: Path, now: datetime
) -> None:
    fill(data, now)
    other = sqlite3.connect(data / STORE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM marks")
    folder = bring(data, user)
    other.close()
    assert marked(folder) == now


def test_other_machine_does_not_begin_anew(data: Path, user: Path, tmp_path: Path, now: datetime) -> None:
    """Without the records, what we wrote into people's files would pass for theirs."""
    fill(bring(data, user), now)
    elsewhere = tmp_path / "other home"
    with pytest.raises(StoreError, match=f"database is in {user}.*work from there, or copy"):
        bring(data, elsewhere)
    with pytest.raises(StoreError, match=r"work from there"):
        bring(data, elsewhere, is_network=False)  # the file server itself
    assert find_store(data, None, elsewhere) is None


def test_records_that_were_carried_over_count(data: Path, user: Path, tmp_path: Path, now: datetime) -> None:
    fill(old := bring(data, user), now)
    (old.parent).rename(tmp_path / "other home")
    assert marked(bring(data, tmp_path / "other home")) == now


def test_store_comes_back_when_the_share_is_a_disk_here(data: Path, user: Path, now: datetime) -> None:
    fill(bring(data, user), now)
    assert bring(data, user, is_network=False) == data
    fill(data, now, "later")
    assert bring(data, user, is_network=False) == data
    assert find_store(data, None, user) == data
    assert (marked(data), marked(data, "later")) == (now, now)


def test_share_again_after_it_was_a_disk_goes_on_from_the_newest(data: Path, user: Path, now: datetime) -> None:
    fill(bring(data, user), now)
    fill(bring(data, user, is_network=False), now, "later")
    assert marked(bring(data, user), "later") == now


@pytest.mark.parametrize("is_network", [True, False])
def test_copy_of_a_project_goes_its_own_way(data: Path, user: Path, now: datetime, is_network: bool) -> None:
    fill(original := bring(data, user), now)
    copied = data.parent.with_name("copy") / data.name
    shutil.copytree(data, copied)
    folder = bring(copied, user, is_network=is_network)
    assert marked(folder) == now
    fill(folder, now, "of the copy")
    assert bring(data, user) == original
    assert (marked(original), marked(original, "of the copy")) == (now, None)
    assert marked(bring(copied, user), "of the copy") == now, "on a share as well"
    assert (bring(data, user), marked(original, "of the copy")) == (original, None)


@pytest.mark.parametrize("name", ["_copy_store", "_leave_notes"])
def test_copy_of_a_project_that_finds_the_disk_full_begins_when_there_is_room(
    data: Path, user: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> None:
        raise StoreError("no space left")

    fill(original := bring(data, user), now)
    copied = data.parent.with_name("copy") / data.name
    shutil.copytree(data, copied)
    monkeypatch.setattr(location, name, full)
    with pytest.raises(StoreError, match="no space"):
        bring(copied, user)
    monkeypatch.undo()
    folder = bring(copied, user)
    assert folder != original
    assert marked(folder) == marked(bring(data, user)) == now


def test_project_that_was_moved_keeps_its_records(data: Path, user: Path, now: datetime) -> None:
    fill(original := bring(data, user), now)
    moved = data.parent.with_name("moved") / data.name
    data.parent.rename(moved.parent)
    assert bring(moved, user) == original
    assert marked(original) == now


def test_setting_that_is_taken_back_does_not_bring_old_records_back(
    data: Path, user: Path, tmp_path: Path, now: datetime
) -> None:
    fill(bring(data, user), now)
    fill(bring(data, user, tmp_path / "set"), now, "later")
    with pytest.raises(StoreError, match="work from there"):
        bring(data, user)


def test_database_that_a_setting_names_later_moves_there(data: Path, user: Path, tmp_path: Path, now: datetime) -> None:
    fill(bring(data, user), now)
    folder = bring(data, user, tmp_path / "set")
    assert folder == tmp_path / "set"
    assert marked(folder) == now


def test_setting_that_names_the_projects_own_folder_by_another_way(
    data: Path, user: Path, tmp_path: Path, now: datetime
) -> None:
    fill(data, now)
    (tmp_path / "link").symlink_to(data, target_is_directory=True)
    assert marked(bring(data, user, tmp_path / "link")) == now
    assert (data / STORE_NAME).is_file()


@pytest.mark.parametrize("has_own", [False, True])
def test_two_projects_never_share_one_database(
    data: Path, user: Path, tmp_path: Path, now: datetime, has_own: bool
) -> None:
    """A path in the environment, say, is every project's."""
    fill(bring(data, user, tmp_path / "set"), now)
    other = tmp_path / "share" / "other" / data.name
    if has_own:
        fill(bring(other, user, is_network=False), now, "of the other")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"has the database of .*lab, not of .*other; give each"):
            bring(other, user, tmp_path / "set")
    with pytest.raises(StoreError, match="give each project"):
        find_store(other, tmp_path / "set", user)
    assert marked(bring(data, user, tmp_path / "set")) == now
    assert not has_own or marked(bring(other, user, is_network=False), "of the other") == now


def test_copy_of_a_project_does_not_go_on_in_the_database_that_its_settings_name(
    data: Path, user: Path, tmp_path: Path, now: datetime
) -> None:
    fill(bring(data, user, tmp_path / "set"), now)
    copied = data.parent.with_name("copy") / data.name
    shutil.copytree(data, copied)
    with pytest.raises(StoreError, match="give each project"):
        bring(copied, user, tmp_path / "set")
    assert marked(bring(data, user, tmp_path / "set")) == now


def test_project_that_was_moved_keeps_the_database_that_its_settings_name(
    data: Path, user: Path, tmp_path: Path, now: datetime
) -> None:
    fill(bring(data, user, tmp_path / "set"), now)
    moved = data.parent.with_name("moved") / data.name
    data.parent.rename(moved.parent)
    data.mkdir(parents=True)  # another one begins in the place where it was
    for _ in range(2):
        assert marked(bring(moved, user, tmp_path / "set")) == now
    with pytest.raises(StoreError, match="give each project"):
        bring(data, user, tmp_path / "set")


def test_an_emptied_database_is_refused_where_it_had_records(data: Path, user: Path) -> None:
    (data / "backups" / "aa").mkdir(parents=True)
    (data / STORE_NAME).write_bytes(b"")
    for look in (lambda: find_store(data, None, user), lambda: bring(data, user, is_network=False)):
        with pytest.raises(StoreError, match=r"is empty, all records are lost; .* from a copy, or move it away"):
            look()
    (data / STORE_NAME).unlink()
    assert find_store(data, None, user) is None


def test_an_empty_database_of_a_killed_first_command_is_one(data: Path, user: Path, now: datetime) -> None:
    data.mkdir(parents=True)
    (data / STORE_NAME).write_bytes(b"")
    assert find_store(data, None, user) == data
    fill(data, now)


def test_a_folder_in_place_of_the_database_is_refused(data: Path, user: Path) -> None:
    (data / STORE_NAME).mkdir(parents=True)
    with pytest.raises(StoreError, match=r"it is a folder, not a database; .* move it away"):
        find_store(data, None, user)
