"""Projects to run commands on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab_support import SETTINGS, Lab, draw_slide


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A project with one slide and no annotations yet."""
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    return Lab(tmp_path)


@pytest.fixture
def new_lab(tmp_path: Path) -> Callable[[str], Lab]:
    """Makes further projects beside each other."""

    def make(name: str) -> Lab:
        root = tmp_path / name
        root.mkdir()
        draw_slide(root / "case.tif")
        (root / "slidebridge.toml").write_text(SETTINGS, "utf-8")
        return Lab(root)

    return make
