"""The checks on this machine."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from qupath_lab import STAND_IN

from bridge.qupath.paquo_backend import PaquoOptions
from scripts.doctor.environment import check_device, check_libraries, check_openslide, check_python, check_qupath
from scripts.doctor.report import Level


def test_an_old_python_is_a_problem() -> None:
    assert check_python((3, 10, 9)).level is Level.PROBLEM
    assert check_python().level is Level.OK


def test_a_missing_library_is_named() -> None:
    def version_of(name: str) -> str:
        if name == "lxml":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    found = check_libraries(version_of)
    assert found.level is Level.PROBLEM and found.text == "missing: lxml"
    assert check_libraries().level is Level.OK


def test_openslide_is_loaded() -> None:
    assert check_openslide().level is Level.OK


def test_a_device_that_is_none_is_a_problem() -> None:
    assert check_device("abacus").level is Level.PROBLEM
    assert check_device("cpu").level is Level.WARNING


@pytest.mark.parametrize(("folder", "level"), [("/QuPath", Level.OK), ("/nowhere", Level.PROBLEM)])
def test_qupath_is_looked_for_where_it_should_be(folder: str, level: Level) -> None:
    path = {"PYTHONPATH": str(STAND_IN)} if level is Level.OK else {}
    assert check_qupath(PaquoOptions(), {"PAQUO_QUPATH_DIR": folder, **path}).level is level


def test_no_qupath_is_no_problem_where_none_was_named(tmp_path: Path) -> None:
    (tmp_path / "paquo").mkdir()
    (tmp_path / "paquo" / "__init__.py").write_text("raise ValueError('no valid qupath installation found')")
    found = check_qupath(PaquoOptions(), {"PYTHONPATH": str(tmp_path)})
    assert found.level is Level.OK and "PAQUO_QUPATH_DIR" in found.text
