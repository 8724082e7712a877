"""Fixtures for all rooms."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine makes nothing wrong
settings.load_profile("untimed")

SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
_LOGGERS = ("", "bridge", "models", "scripts")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files beside the checkout; a clone elsewhere lacks it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real files (../shared/data) are not beside this checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Give logging back as the test found it: commands run in this process set it for a process of their own."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers[:]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
