"""Files put in place whole, whatever stops us half way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge import files


def names(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("system_can", [True, False])
def test_create_exclusively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system_can: bool) -> None:
    if not system_can:
        monkeypatch.setattr(files, "rename_in_one_step", lambda *_, **__: False)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"new")
    files.create_exclusively(source, target)
    assert names(tmp_path) == {"target": b"new"}
    source.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        files.create_exclusively(source, target)
    assert names(tmp_path) == {"target": b"new", "source": b"newer"}


def test_write_new_refuses_to_replace_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_new(path, b"one")
    with pytest.raises(FileExistsError):
        files.write_new(path, b"two")
    assert names(tmp_path) == {"file": b"one"}


def test_write_new_goes_over_the_part_of_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"half of some")
    files.write_new(tmp_path / "file", b"one")
    assert names(tmp_path) == {"file": b"one"}


def test_write_new_doesn_t_follow_a_link_laid_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "file.part").symlink_to(tmp_path / "victim")
    files.write_new(tmp_path / "file", b"one")
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (tmp_path / "file").is_symlink()


def test_replace_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace_whole(path, b"one")
    path.chmod(0o604)
    files.replace_whole(path, b"two")
    assert names(tmp_path) == {"file": b"two"}
    assert path.stat().st_mode & 0o777 == (0o604 if os.name == "posix" else 0o666)


def test_replace_whole_that_fails_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        files.replace_whole(path, b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_hash_of_a_missing_file_is_none(tmp_path: Path) -> None:
    assert files.sha256_of(tmp_path / "none") is None


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")
def test_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    os.chown(path, 1234, 2345)
    files.replace_whole(path, b"two")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("is_shared", [False, True], ids=["alone", "shared"])
def test_what_was_written_beside_a_file_takes_its_place_with_its_permissions(tmp_path: Path, is_shared: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    path.chmod(0o604)
    with files.replacing(path, is_shared=is_shared) as unfinished:
        unfinished.write_bytes(b"two")
        assert path.read_bytes() == b"one"
        assert unfinished.parent == tmp_path and unfinished.name.startswith(".")
    assert names(tmp_path) == {"file": b"two"}
    assert path.stat().st_mode & 0o777 == (0o604 if os.name == "posix" else 0o666)


class StoppedError(BaseException):
    """As KeyboardInterrupt: no Exception."""


@pytest.mark.parametrize("is_shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize("has_begun", [False, True])
def test_whatever_stops_the_writing_leaves_the_file_and_nothing_beside_it(
    tmp_path: Path, is_shared: bool, has_begun: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    with pytest.raises(StoppedError), files.replacing(path, is_shared=is_shared) as unfinished:
        if has_begun:
            unfinished.write_bytes(b"tw")
        raise StoppedError
    assert names(tmp_path) == {"file": b"one"}


def test_nothing_written_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one")
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "file"):
        pass
    assert names(tmp_path) == {"file": b"one"}


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"half of something longer")
    files.replace_whole(tmp_path / "file", b"one", is_shared=False)
    assert names(tmp_path) == {"file": b"one"}


def test_a_link_laid_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / ".file.part").symlink_to(tmp_path / "victim")
    files.replace_whole(tmp_path / "file", b"one", is_shared=False)
    assert names(tmp_path) == {"file": b"one", "victim": b"precious"}
    assert not (tmp_path / "file").is_symlink()


def test_two_writers_of_a_shared_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with files.replacing(path, is_shared=True) as first, files.replacing(path, is_shared=True) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert names(tmp_path) == {"file": b"first"}  # the last to end


def test_content_is_on_the_disk_before_the_name_and_the_name_before_we_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    replace: Callable[[Path, Path], Path] = Path.replace
    monkeypatch.setattr(files, "_sync", lambda descriptor: steps.append("content"))
    monkeypatch.setattr(files, "sync_folder", lambda folder: steps.append("folder"))
    monkeypatch.setattr(Path, "replace", lambda self, target: (steps.append("name"), replace(self, target))[1])
    files.replace_whole(tmp_path / "file", b"one")
    assert steps == ["content", "name", "folder"]


LENDER = """
import fcntl, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
with open(sys.argv[1], "rb+") as file:
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        sys.exit("none")
    print("lent", flush=True)
    signal.sigwait([signal.SIGIO])
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="has no leases")
def test_a_file_that_a_server_has_lent_is_waited_for(tmp_path: Path) -> None:
    """As Samba lends files to Windows: who opens one without waiting is told to come again."""
    path = tmp_path / "case.xml"
    path.write_bytes(b"drawn")
    with subprocess.Popen([sys.executable, "-c", LENDER, str(path)], stdout=subprocess.PIPE, text=True) as lender:
        assert lender.stdout is not None
        if lender.stdout.readline() != "lent\n":
            pytest.skip("this file system has none")
        assert files.read_plain(path) == b"drawn"
    assert lender.returncode == 0, "it was asked to give the file back"
