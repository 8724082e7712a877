from __future__ import annotations

import json
from pathlib import Path


def test_command_writes_one_file_and_prints_where(told, tmp_path: Path) -> None:
    out = tmp_path / "morning.html"
    found = told.lab.run("report", "--out", str(out), "--thumbnails", "1")
    assert found.exit_code == 0, found.output
    assert str(out) in found.stdout and out.read_text("utf-8").startswith("<!doctype html>")
    assert out.read_text("utf-8").count("data:image/jpeg") == 1
    again = told.lab.run("report", "--out", str(out), "--json")
    assert again.exit_code == 0
    facts = json.loads(again.stdout)
    assert facts["written"] == str(out.resolve()) and facts["project"] == "nuclei"
    assert len(facts["slides"]) == 3


def test_command_leaves_other_files_alone(told, tmp_path: Path) -> None:
    other = tmp_path / "notes.html"
    other.write_text("notes")
    found = told.lab.run("report", "--out", str(other))
    assert found.exit_code == 1 and other.read_text() == "notes"
