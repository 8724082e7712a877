"""The tutorials are true: their files are put in place, their changes applied, their blocks run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs.code_blocks import Block, blocks

ROOT = Path(__file__).resolve().parents[3]
TUTORIALS = ("new-tool", "new-model")
_TITLE = re.compile(r'title="([^"]+)"')
_SKIPPED = ("bench", "experiments", "docs", "packaging", "vendor")


def page_of(name: str) -> Path:
    return ROOT / "docs" / "develop" / f"{name}.md"


def copy_source(
    target: Path, rooms: tuple[str, ...] = ("bridge", "models", "scripts"), skipped: tuple[str, ...] = _SKIPPED
) -> Path:
    """Copy what the program consists of; without ``skipped`` what belongs to the repository only, too."""
    target.mkdir()
    for room in rooms:
        shutil.copytree(ROOT / room, target / room, ignore=shutil.ignore_patterns("__pycache__", *skipped))
    shutil.copy2(ROOT / "pyproject.toml", target)
    return target


def put_in_place(block: Block, target: Path) -> None:
    """Write a block with a title to its file, apply a change."""
    title = _TITLE.search(block.info)
    if title is not None:
        path = target / title[1]
        assert not path.exists(), f"{block.place}: {path.name} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, "utf-8", newline="\n")
    elif block.language == "diff":
        done = subprocess.run(
            ["git", "apply", "--recount", "-"],
            cwd=target,
            input=block.text,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GIT_DIR": str(target / ".no-repository"), "GIT_CEILING_DIRECTORIES": str(target)},
        )
        assert done.returncode == 0, f"{block.place}: the code is not as the tutorial has it: {done.stderr}"


def script_of(path: Path, *, end: str | None = None) -> str:
    """Return the blocks that run, up to a heading, as one program whose lines have the page's numbers."""
    text = path.read_text("utf-8")
    last = text.count("\n") if end is None else text[: text.index(end)].count("\n")
    rows: list[str] = []
    for block in blocks(path):
        if block.language == "python" and _TITLE.search(block.info) is None and block.line <= last:
            rows += [""] * (block.line - 1 - len(rows)) + block.text.splitlines()
    return "\n".join(rows) + "\n"


def run_script(script: str, source: Path, folder: Path) -> str:
    """Run a program on a copy of the source; return what it said."""
    folder.mkdir()
    (folder / "tutorial.py").write_text(script, "utf-8")
    environ = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "tutorial.py"],
        cwd=folder,
        env={**environ, "XDG_DATA_HOME": str(folder / "share")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("name", TUTORIALS)
def test_files_and_changes_of_the_tutorial_fit_the_code_as_it_is(name: str, tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source")
    for block in blocks(page_of(name)):
        put_in_place(block, source)
    compile(script_of(page_of(name)), name, "exec")


def test_the_new_tool_reads_and_writes_as_the_tutorial_says(tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source", ("bridge",))
    for block in blocks(page_of("new-tool")):
        if block.language == "python":
            put_in_place(block, source)
    run_script(script_of(page_of("new-tool"), end="## Plug it in"), source, tmp_path / "here")


@pytest.mark.long
@pytest.mark.parametrize("name", TUTORIALS)
def test_the_whole_tutorial_works_as_it_is_written(name: str, tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source")
    for block in blocks(page_of(name)):
        put_in_place(block, source)
    run_script(script_of(page_of(name)), source, tmp_path / "here")


@pytest.mark.long
def test_what_the_tutorials_add_keeps_to_the_architecture(tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source", skipped=())
    for name in TUTORIALS:
        for block in blocks(page_of(name)):
            put_in_place(block, source)
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint), "--no-cache"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
