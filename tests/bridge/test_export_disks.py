"""The safe write on disks and shares that don't take it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.errors import StoreError, WriteFailedError
from bridge.export import Recovery, WriteStep, write_edits
from bridge.store import Backups, Store, WriteState, atomic
from write_bench import AGAIN, BASE, BIG, EDITS, NOW, Bench, LineSource, at, check_settled, in_child, needs_fork


def expect(kind: type[Exception], said: str, act: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(kind, match=said):
            act()

    return run


@needs_fork
@pytest.mark.parametrize("base", [BASE, None], ids=["rewrite", "create"])
def test_disk_that_fills_up_while_writing(bench: Bench, base: bytes | None) -> None:
    """The kernel refuses what goes beyond a size: the same error path as a full disk, half way through the file."""
    if base is None:
        bench.target.unlink()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    def write() -> None:
        bench.write(base, BIG, on_step=at(WriteStep.JOURNALLED, limit))

    def journal_survives() -> None:  # SQLite's own file is beyond the limit by then: lift it as a person frees space
        expect((WriteFailedError, StoreError), "free some disk space", write)()

    assert in_child(journal_survives) == 0
    assert (bench.target.read_bytes() if base else bench.target.exists()) == (base or False)
    assert [name for name in bench.names() if name.startswith(".")] == []
    bench.recover()
    check_settled(bench, base)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; needs root on Linux."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("can't mount a tmpfs here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_full_disk(tiny_disk: Path, tmp_path: Path) -> None:
    bench = SimpleNamespace(source=LineSource(tiny_disk), entry=LineSource(tiny_disk).slides()[0])
    target = bench.entry.annotation_path
    target.write_bytes(BASE)
    with Store.open(tmp_path / "records") as store:
        backups = Backups(tmp_path / "records" / "backups")
        with pytest.raises(WriteFailedError, match=r"No space left.*free some disk space.*the file is as it was"):
            write_edits(bench.source, bench.entry, BASE, BIG, store, backups, iteration=0, now=NOW)
        assert target.read_bytes() == BASE
        assert [p.name for p in tiny_disk.iterdir()] == ["s1.lines"]
        assert store.live_objects("s1") == store.unfinished_writes() == ()
        write_edits(bench.source, bench.entry, BASE, AGAIN, store, backups, iteration=0, now=NOW)
        with pytest.raises(StoreError, match="No space left"):
            Backups(tiny_disk / "backups").keep(os.urandom(100_000))


@contextmanager
def open_to_nobody() -> Iterator[Path]:
    """A folder that an account without rights can walk into (pytest's own are root's alone)."""
    root = Path(tempfile.mkdtemp(dir="/tmp" if os.name == "posix" else None))
    root.chmod(0o777)
    try:
        yield root
    finally:
        shutil.rmtree(root)


def lose_rights() -> None:
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


@needs_fork
@pytest.mark.parametrize("what", ["folder", "file"])
def test_read_only(what: str) -> None:
    with open_to_nobody() as root:
        bench, folder = Bench(root), root / "slides"
        folder.mkdir()
        entry = replace(bench.entry, annotation_path=folder / "s1.lines")
        entry.annotation_path.write_bytes(BASE)
        entry.annotation_path.chmod(0o666 if what == "folder" else 0o444)
        folder.chmod(0o555 if what == "folder" else 0o777)

        def write() -> None:
            lose_rights()
            with bench.open() as store:
                expect(
                    WriteFailedError,
                    "make the file and its folder writable",
                    lambda: write_edits(bench.source, entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW),
                )()
                assert store.unfinished_writes() == ()

        code = in_child(write)
        folder.chmod(0o777)
        assert code == 0
        assert entry.annotation_path.read_bytes() == BASE
        assert [p.name for p in folder.iterdir()] == ["s1.lines"]


def bad_disk() -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_disk_that_fails_right_after_the_swap(bench: Bench) -> None:
    with pytest.raises(WriteFailedError, match=r"check the disk.*the file is as it was"):
        bench.write(BASE, on_step=at(WriteStep.VERIFIED, bad_disk))
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()
    bench.recover()
    check_settled(bench, BASE)


def test_disk_that_doesn_t_even_let_us_put_back(bench: Bench) -> None:
    calls = iter(range(9))

    def exchange(target: Path, temp: Path) -> None:
        atomic.exchange(target, temp) if next(calls) == 0 else bad_disk()

    with pytest.raises(WriteFailedError, match="start again to settle it"):
        bench.write(BASE, on_step=at(WriteStep.VERIFIED, bad_disk), exchange=exchange)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    check_settled(bench, BASE)


def test_share_that_goes_away_while_writing(bench: Bench) -> None:
    """Every look at the file is an error then; what holds is found out when it is back."""
    kept = bench.root / "kept"

    def unmount() -> None:
        bench.target.rename(kept)
        bench.target.mkdir()

    with pytest.raises(WriteFailedError, match="start again to settle it"):
        bench.write(BASE, on_step=at(WriteStep.SWAPPED, unmount))
    with bench.open() as store:
        assert [w.state for w in store.unfinished_writes()] == [WriteState.BEGUN]
    bench.target.rmdir()
    kept.rename(bench.target)
    bench.recover()
    check_settled(bench, BASE)


def test_store_that_fails_after_the_swap_is_made_good_at_the_next_start(bench: Bench) -> None:
    with bench.open() as store:
        store.close()

        def break_store() -> None:
            (bench.root / ".slidebridge" / "store.sqlite").rename(bench.root / ".slidebridge" / "away")
            (bench.root / ".slidebridge" / "store.sqlite").mkdir()
            store.close()

        on_step = at(WriteStep.SYNCED, break_store)
        with pytest.raises(StoreError):
            write_edits(
                bench.source, bench.entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW, on_step=on_step
            )
    (bench.root / ".slidebridge" / "store.sqlite").rmdir()
    (bench.root / ".slidebridge" / "away").rename(bench.root / ".slidebridge" / "store.sqlite")
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    assert bench.live() == {"p1", "p2"}
