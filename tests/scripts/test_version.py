"""Which SlideBridge it says it is."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from scripts.version import program_version

ROOT = Path(__file__).resolve().parents[2]


HEAVY = {"torch", "sqlalchemy", "numpy", "shapely"}
ASK = f"""
import sys
from scripts.cli import main
sys.argv = ["slidebridge", "--version"]
try:
    main()
except SystemExit as end:
    print(end.code, sorted({HEAVY!r} & set(sys.modules)))
"""


def test_version_is_told_without_loading_anything_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"slidebridge \d\S*\n0 \[\]\n", done.stdout)


def test_sources_that_are_not_installed_have_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nothing)
    assert program_version() == ""
