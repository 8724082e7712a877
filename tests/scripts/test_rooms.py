"""A package of another's that is named like one of ours is told of before it does harm."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from scripts.rooms import stranger

ROOT = Path(__file__).resolve().parents[2]


def test_our_own_rooms_are_no_strangers() -> None:
    assert stranger() is None


def test_room_that_is_missing_is_told() -> None:
    assert "the package bridge is missing" in str(stranger(lambda name: None))


def test_folder_without_init_is_told_as_well() -> None:
    spec = ModuleSpec("models", None, is_package=True)
    spec.submodule_search_locations = ["/elsewhere/models"]
    ours = ModuleSpec("bridge", None, origin=str(ROOT / "bridge" / "__init__.py"))
    assert "another package named models" in str(stranger({"bridge": ours, "models": spec}.get))


def test_models_of_another_in_the_python_path_end_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "models"
    other.mkdir()
    (other / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", "from scripts.cli import main; main()", "doctor"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"slidebridge: another package named models is found before SlideBridge's: {other}")
    assert done.stderr.count("\n") == 1
