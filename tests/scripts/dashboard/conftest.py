"""A dashboard of a small project, for the tests that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_lab import Board, make_project, opened


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one labelled slide; nobody changes it."""
    return make_project(tmp_path_factory.mktemp("lab") / "kidneys")


@pytest.fixture(scope="module")
def board(root: Path) -> Iterator[Board]:
    """A dashboard of it."""
    with opened(root) as board:
        yield board
