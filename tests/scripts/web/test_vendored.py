"""Files of other projects are those of their packages, with their licences."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

import scripts.web

_FOLDER = Path(scripts.web.__file__).with_name("vendor")
_LIBRARIES: list[dict[str, Any]] = tomllib.loads((_FOLDER / "vendored.toml").read_text("utf-8"))["library"]


@pytest.mark.parametrize("library", _LIBRARIES, ids=lambda library: library["name"])
def test_files_have_the_sums_that_were_written_down(library: dict[str, Any]) -> None:
    for name, (_, digest) in library["files"].items():
        assert hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("library", _LIBRARIES, ids=lambda library: library["name"])
def test_files_say_the_version_and_bring_their_licence(library: dict[str, Any]) -> None:
    heads = [(_FOLDER / name).read_text("utf-8")[:200] for name in library["files"] if name.endswith(".js")]
    assert heads and all(library["version"] in head for head in heads)
    licence = next((_FOLDER / name).read_text("utf-8") for name in library["files"] if "LICENSE" in name)
    assert "Copyright (c)" in licence or "Copyright (C)" in licence


def test_nothing_else_lies_beside_them() -> None:
    named = {name for library in _LIBRARIES for name in library["files"]}
    assert {path.name for path in _FOLDER.iterdir()} == named | {"vendored.toml"}
