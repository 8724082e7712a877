"""Benches for the safe write, and an image that a viewer has open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delivery_lab import Scene, new_scene

from bridge.store import Store
from write_bench import BASE, EXCHANGES, Bench, new_bench


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store to copy: faster than making one."""
    folder = tmp_path_factory.mktemp("store")
    Store.open(folder).close()
    return folder


@pytest.fixture
def bench(new_store: Path) -> Iterator[Bench]:
    with new_bench(new_store) as bench:
        yield bench


@pytest.fixture
def disk_bench(tmp_path: Path) -> Bench:
    (tmp_path / "s1.lines").write_bytes(BASE)
    return Bench(tmp_path)


@pytest.fixture(params=EXCHANGES)
def exchange(request: pytest.FixtureRequest) -> Callable[[Path, Path], None]:
    return EXCHANGES[request.param]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with new_scene(tmp_path) as scene:
        yield scene
