from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.store import Backups


@given(data=st.binary(max_size=2000))
@settings(max_examples=20, deadline=None)
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    backups = Backups(tmp_path_factory.mktemp("b") / "backups")
    sha = backups.keep(data)
    assert sha == hashlib.sha256(data).hexdigest()
    assert backups.load(sha) == data
    assert backups.keep(data) == sha
    assert [p.name for p in backups.folder.rglob("*") if p.is_file()] == [sha]
    assert backups.path_of(sha).parent.name == sha[:2]


def test_damaged_backup_is_not_handed_out_and_is_mended_by_keeping_again(tmp_path: Path) -> None:
    backups = Backups(tmp_path)
    sha = backups.keep(b"drawing")
    backups.path_of(sha).write_bytes(b"drawinG")
    with pytest.raises(StoreError, match="damaged"):
        backups.load(sha)
    backups.keep(b"drawing")
    assert backups.load(sha) == b"drawing"


def test_missing_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        Backups(tmp_path).load("0" * 64)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "G" * 64])
def test_name_that_is_no_hash(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="names no backup"):
        Backups(tmp_path).load(name)


def test_folder_that_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "backups").write_bytes(b"")
    with pytest.raises(StoreError, match="nothing was changed"):
        Backups(tmp_path / "backups").keep(b"x")
