"""A dashboard of a small project, for the tests that change nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard_lab import BEFORE, Board, make_project, opened

from bridge.store import Store
from scripts.loop.loss_curve import CURVES, CurveWriter


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one labelled slide; nobody changes it."""
    return make_project(tmp_path_factory.mktemp("lab") / "kidneys")


@pytest.fixture(scope="module")
def board(root: Path) -> Iterator[Board]:
    """A dashboard of it."""
    with opened(root) as board:
        yield board


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was trained once; copy it before changing it."""
    root = make_project(tmp_path_factory.mktemp("trained") / "lab")
    with Store.open(root / ".slidebridge") as store:
        store.record_read("case.tif", "a", BEFORE, human_count=12, name="case")
        store.start_run(BEFORE, kind="incremental", parent=None, data_hash="x")
        scores = {"score": 0.75, "champion_score": None, "fit_steps": 6, "fit_seconds": 3.0}
        reason = "promoted: the first champion"  # as earlier versions wrote it
        store.finish_run(1, BEFORE, checkpoint_id="c", promoted=True, reason=reason, metrics=scores)
    with CurveWriter(root / ".slidebridge" / CURVES, "incremental", lambda: BEFORE) as curve:
        for step in range(1, 7):
            curve.add("high", step, 6, 1 / step)
    return root


@pytest.fixture
def lab(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "lab")
