"""Fixtures for all rooms."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine makes nothing wrong
settings.load_profile("untimed")

SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
_LEVELS = {"": logging.WARNING, "bridge": logging.NOTSET, "models": logging.NOTSET, "scripts": logging.NOTSET}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that take longest: begun last, one would keep the other processes waiting."""
    items.sort(key=lambda item: item.get_closest_marker("heavy") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files beside the checkout; a clone elsewhere lacks it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real files (../shared/data) are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """Leave it to the system when what is written reaches the disk: no test cuts the power."""
    from sqlalchemy import Pool, event

    def relax(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA synchronous = OFF").close()

    event.listen(Pool, "checkout", relax)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
    event.remove(Pool, "checkout", relax)


@pytest.fixture(scope="module", autouse=True)
def collector_spared() -> None:
    """Hide from the collector what all tests' modules loaded: it would look through it again after every job."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def logging_as_before_the_file() -> Iterator[None]:
    """Give logging back after a file, too: what is made once for all its tests may run commands."""
    with _logging_kept():
        yield


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give logging back after every test: commands run in this process set it for a process of their own."""
    with _logging_kept():
        for name, level in _LEVELS.items():
            logging.getLogger(name).setLevel(level)
        yield


@contextmanager
def _logging_kept() -> Iterator[None]:
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    yield
    root.handlers[:] = handlers
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
