from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge import files
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
    monkeypatch.setattr(files, "rename_in_one_step", lambda *_, **__: False)
    atomic.exchange(*pair)
    assert names(pair[0].parent) == {"target": b"new"}
    pair[1].write_bytes(b"again")
    with pytest.raises(FileExistsError):
        files.create_exclusively(pair[1], pair[0])
    files.create_exclusively(pair[1], pair[0].with_name("other"))
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
