"""Fixtures for all rooms."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine makes nothing wrong
settings.load_profile("untimed")

SHARED_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files beside the checkout; a clone elsewhere lacks it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real files (../shared/data) are not beside this checkout")
    return SHARED_DATA
