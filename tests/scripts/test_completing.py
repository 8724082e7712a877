"""What the shell completes: what the commands know, the slides of the project at hand, and nothing heavy for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from qupath_lab import new_project
from typer.main import get_command

from lab_support import RUNNER, Lab, draw_slide
from models.active import SelectionMethod
from scripts.cli import app
from scripts.commands import completing
from scripts.options import Design, Preset
from scripts.set_up import Beginning, set_up


@pytest.mark.parametrize(
    ("known", "meant"),
    [(completing.DESIGNS, Design), (completing.PRESETS, Preset), (completing.METHODS, SelectionMethod)],
    ids=["designs", "presets", "methods"],
)
def test_what_is_completed_is_what_there_is(known: tuple[str, ...], meant: type) -> None:
    assert set(known) == {member.value for member in meant}


@pytest.mark.parametrize("form", completing.FORMATS)
def test_every_format_that_is_completed_is_taken(lab: Lab, tmp_path: Path, form: str) -> None:
    lab.write({})
    arguments = ["convert", str(lab.root), str(tmp_path / "out"), "--to", form, "--dry-run"]
    assert RUNNER.invoke(app, arguments).exit_code == 0


def _completed(words: str, folder: Path, code: str = "from scripts.cli import main; main()") -> list[str]:
    environ = {**os.environ, "_SLIDEBRIDGE_COMPLETE": "complete_bash", "COMP_WORDS": words}
    environ["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    command = [sys.executable, "-c", f"import sys; sys.argv = ['slidebridge']; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environ, cwd=folder)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_the_shell_is_answered_without_loading_anything_heavy(lab: Lab) -> None:
    heavy = "{'torch', 'numpy', 'shapely', 'sqlalchemy', 'openslide', 'rich.live', 'scipy'}"
    code = f"import atexit; atexit.register(lambda: print(sorted({heavy} & set(sys.modules)))); "
    found = _completed("slidebridge confirm c", lab.root, code + "from scripts.cli import main; main()")
    assert found == ["case", "[]"]


def _slides(path: Path | None, incomplete: str = "") -> list[str]:
    command = get_command(app)
    context = typer.Context(command)  # type: ignore[arg-type]  # typer's own click
    context.params = {} if path is None else {"project": path}
    return completing.slides(context, incomplete)


def test_slides_of_the_project_are_completed(lab: Lab) -> None:
    draw_slide(lab.root / "biopsy 2.tif", seed=1)
    (lab.root / "notes.txt").write_text("")
    assert _slides(lab.root) == ["biopsy 2", "case"]
    assert _slides(lab.slide, "b") == ["biopsy 2"]


def test_images_of_a_qupath_project_are_completed(tmp_path: Path) -> None:
    made = new_project(tmp_path, "a.png", "b.png")
    set_up(Beginning("qupath", made.path))
    assert _slides(made.root) == sorted(entry.name for entry in made.slides())


@pytest.mark.parametrize(
    "text", ["", "[source", "[source]\nkind = 7\n", '[source]\nkind = "qupath"\npath = "case.tif"\n']
)
def test_a_broken_project_completes_to_nothing(lab: Lab, text: str) -> None:
    (lab.root / "slidebridge.toml").write_text(text)
    assert _slides(lab.root) in ([], ["case"])


def test_hidden_and_hostile_names_are_not_offered(lab: Lab) -> None:
    if sys.platform != "win32":
        draw_slide(lab.root / "a\x1b[2J.tif", seed=1)
    assert _slides(lab.root) == ["case"]
    lab.set("\n[privacy]\nhash_names = true\n")
    assert _slides(lab.root) == [] and not (lab.root / ".slidebridge").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_a_script_for_every_shell_is_shown(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    shown = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "--show-completion", shell], capture_output=True, text=True
    )
    assert shown.returncode == 0 and "COMPLETE" in shown.stdout, shown.stderr
