"""The reference pages are what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.docs.__main__ import main
from scripts.docs.pages import PAGES, old_pages, write_pages

ROOT = Path(__file__).resolve().parents[3]


def test_the_reference_pages_are_current() -> None:
    old = [path.name for path in old_pages(ROOT)]
    assert old == [], "make reference writes them anew"


def test_pages_are_written_where_they_differ_and_only_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tmp_path) == 1
    assert [path.relative_to(tmp_path).as_posix() for path in write_pages(tmp_path)] == list(PAGES)
    changed = tmp_path / "docs/reference/commands.md"
    changed.write_text(changed.read_text("utf-8") + "more\n", "utf-8")
    assert old_pages(tmp_path) == [changed]
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    assert "commands.md" in capsys.readouterr().out
