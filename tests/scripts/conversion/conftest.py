"""``slidebridge convert`` to run, and files, a slide and a project to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from click.testing import Result
from convert_lab import OBJECTS, SIZE
from PIL import Image
from typer.testing import CliRunner

from bridge.errors import BridgeError
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import (
    NewImage,
    create_project,
)
from scripts.commands import convert


def app() -> typer.Typer:
    built = typer.Typer()
    built.command()(convert.convert)
    return built


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command; a file that was displaced is not waited for."""

    def invoke(*arguments: object) -> Result:
        environment = {"SLIDEBRIDGE_WATCH__SETTLE_SECONDS": "0", "COLUMNS": "200"}
        return CliRunner().invoke(app(), [str(a) for a in arguments], env=environment)

    return invoke


@pytest.fixture
def facts(run: Callable[..., Result]) -> Callable[..., dict[str, object]]:
    """Run the command with ``--json`` and return what it says."""

    def invoke(*arguments: object) -> dict[str, object]:
        result = run(*arguments, "--json")
        assert result.exception is None, result.exception
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def refusal(run: Callable[..., Result]) -> Callable[..., str]:
    """Run the command, which must refuse in one line."""

    def invoke(*arguments: object) -> str:
        result = run(*arguments)
        assert isinstance(result.exception, BridgeError), result.output
        assert "\n" not in str(result.exception)
        return str(result.exception)

    return invoke


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    path = tmp_path / "drawn.xml"
    path.write_bytes(write_imagescope(OBJECTS, (0.5, 0.5)))
    return path


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.png"
    Image.new("RGB", SIZE, (230, 200, 220)).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path, slide: Path) -> Path:
    """A QuPath project of two images of the slide, without annotations."""
    image = NewImage(slide, "slide.png", *SIZE, (SIZE,), (0.5, 0.5), None, SIZE, is_openslide=False)
    twin = NewImage(slide, "twin", *SIZE, (SIZE,), (0.5, 0.5), None, SIZE, is_openslide=False)
    made = create_project(tmp_path / "project", [image, twin], {}, now=datetime(2025, 1, 1, tzinfo=UTC))
    return made.path
