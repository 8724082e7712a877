from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.store import atomic

EXCHANGES = [atomic.exchange, atomic.exchange_by_link]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    target, temp = tmp_path / "target", tmp_path / ".slidebridge-1.tmp"
    target.write_bytes(b"old")
    temp.write_bytes(b"new")
    return target, temp


def names(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_exchange_changes_names_not_files(pair: tuple[Path, Path], exchange: Callable[[Path, Path], None]) -> None:
    target, temp = pair
    inodes = target.stat().st_ino, temp.stat().st_ino
    exchange(target, temp)
    assert (temp.stat().st_ino, target.stat().st_ino) == inodes
    assert names(target.parent) == {target.name: b"new", temp.name: b"old"}
    exchange(target, temp)
    assert names(target.parent) == {target.name: b"old", temp.name: b"new"}


@pytest.mark.parametrize("exchange", [*EXCHANGES, atomic.replace_existing])
@pytest.mark.parametrize("missing", [0, 1])
def test_exchange_with_nothing_changes_nothing(
    pair: tuple[Path, Path], exchange: Callable[[Path, Path], None], missing: int
) -> None:
    pair[missing].unlink()
    with pytest.raises(FileNotFoundError):
        exchange(*pair)
    atomic.mend_exchange(*pair)
    assert names(pair[0].parent) == {pair[1 - missing].name: (b"new", b"old")[missing]}


def test_file_system_without_links_replaces(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(atomic, "_rename_with", lambda *_, **__: False)
    atomic.exchange(*pair)
    assert names(pair[0].parent) == {"target": b"new"}
    pair[1].write_bytes(b"again")
    with pytest.raises(FileExistsError):
        atomic.create_exclusively(pair[1], pair[0])
    atomic.create_exclusively(pair[1], pair[0].with_name("other"))
    assert names(pair[0].parent) == {"target": b"new", "other": b"again"}


def test_link_that_fails_for_another_reason_changes_nothing(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "bad disk")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="bad disk"):
        atomic.exchange_by_link(*pair)
    assert names(pair[0].parent) == {"target": b"old", pair[1].name: b"new"}


@pytest.mark.parametrize("system_can", [True, False])
def test_create_exclusively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system_can: bool) -> None:
    if not system_can:
        monkeypatch.setattr(atomic, "_rename_with", lambda *_, **__: False)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    atomic.create_exclusively(source, target)
    assert names(tmp_path) == {"target": b"new"}
    source.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        atomic.create_exclusively(source, target)
    assert names(tmp_path) == {"target": b"new", "source": b"newer"}


def test_mending_every_place_where_an_exchange_can_stop(tmp_path: Path) -> None:
    """Names after each step, and what they must become; ``side`` is the third name."""
    cases = [
        # linked, nothing replaced yet (the link is made below)
        ({"target": b"old", "temp": b"new", "side": "target"}, {"target": b"old", "temp": b"new"}),
        # replaced, the displaced file not yet named
        ({"target": b"new", "side": b"old"}, {"target": b"new", "temp": b"old"}),
        # ReplaceFileW: the old file moved aside, the new one not yet in place
        ({"temp": b"new", "side": b"old"}, {"target": b"old", "temp": b"new"}),
        # a person's save by rename came between: nothing is decided here
        ({"target": b"save", "temp": b"new", "side": b"old"}, {"target": b"save", "temp": b"new", "side": b"old"}),
        ({"target": b"old", "temp": b"new"}, {"target": b"old", "temp": b"new"}),
    ]
    for number, (before, after) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = {"target": folder / "target", "temp": folder / "temp", "side": folder / "temp.old"}
        for name, content in before.items():
            if isinstance(content, str):
                os.link(paths[content], paths[name])
            else:
                paths[name].write_bytes(content)
        for _ in range(2):
            atomic.mend_exchange(paths["target"], paths["temp"])
            assert {n: p.read_bytes() for n, p in paths.items() if p.exists()} == after


def test_write_new_refuses_to_replace_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write_new(path, b"one")
    with pytest.raises(FileExistsError):
        atomic.write_new(path, b"two")
    assert names(tmp_path) == {"file": b"one"}


def test_write_new_goes_over_the_part_of_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"half of some")
    atomic.write_new(tmp_path / "file", b"one")
    assert names(tmp_path) == {"file": b"one"}


def test_write_new_doesn_t_follow_a_link_laid_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "file.part").symlink_to(tmp_path / "victim")
    atomic.write_new(tmp_path / "file", b"one")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "file").is_symlink()


def test_replace_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.replace_whole(path, b"one")
    path.chmod(0o604)
    atomic.replace_whole(path, b"two")
    assert names(tmp_path) == {"file": b"two"}
    assert path.stat().st_mode & 0o777 == (0o604 if os.name == "posix" else 0o666)


def test_replace_whole_that_fails_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        atomic.replace_whole(path, b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_hash_of_a_missing_file_is_none(tmp_path: Path) -> None:
    assert atomic.sha256_of(tmp_path / "none") is None


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.chown(path, 1234, 2345)
    atomic.replace_whole(path, b"two")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)
