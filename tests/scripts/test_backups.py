"""``slidebridge backups``: versions listed, brought back, let go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely

from bridge.imagescope import read_imagescope
from bridge.store import Store
from lab_support import Lab

BOX = shapely.box(30, 30, 60, 60)
OTHER = shapely.box(100, 100, 140, 150)


def _listed(lab: Lab) -> list[dict[str, Any]]:
    result = lab.run("backups", "list", "case", "--json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["case"])


def _pull(lab: Lab) -> dict[str, Any]:
    result = lab.run("sync", "pull", "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def _kept(lab: Lab) -> list[bytes]:
    return [path.read_bytes() for path in (lab.root / ".slidebridge" / "backups").rglob("*") if path.is_file()]


def _outcomes(lab: Lab) -> dict[str, int]:
    return dict(json.loads(lab.run("status", "--json").stdout)["outcomes"])


def test_versions_are_listed_with_what_people_had_drawn(lab: Lab) -> None:
    lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    assert lab.run("propose").exit_code == 0
    lab.write({"Blob": [(BOX, "")]})
    _pull(lab)
    newest, before = _listed(lab)
    assert (newest["human_objects"], before["human_objects"]) == (1, 2)
    assert newest["why_kept"] == "the newest" and newest["is_there"]
    assert before["by"] == "person"
    text = lab.run("backups", "list").stdout
    assert "case: 2 versions" in text and newest["revision"][:12] in text and "1 drawn" in text


def test_a_write_of_ours_is_told_from_a_persons_save(lab: Lab) -> None:
    lab.write({"Blob": [(BOX, "")]})
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    ours, theirs = _listed(lab)
    assert (ours["by"], theirs["by"]) == ("slidebridge", "person")
    assert (ours["human_objects"], theirs["human_objects"]) == (1, 1)


def test_deleted_drawing_comes_back_byte_for_byte(lab: Lab) -> None:
    original = lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    _pull(lab)
    emptied = lab.write({"Blob": []})
    assert "lost more than half" in lab.run("sync", "pull").output
    wanted = next(v for v in _listed(lab) if v["human_objects"] == 2)
    result = lab.run("backups", "restore", "case", wanted["revision"][:8])
    assert result.exit_code == 0, result.output
    assert "reload" in result.stdout
    assert lab.xml.read_bytes() == original
    assert "lost more than half" not in lab.run("sync", "pull").output
    assert any(
        path.read_bytes() == emptied for path in (lab.root / ".slidebridge" / "backups").rglob("*") if path.is_file()
    )
    assert [p.name for p in lab.root.iterdir() if p.name.startswith(".slidebridge-")] == []


def test_restoring_counts_nothing_as_deleted_by_a_person(lab: Lab) -> None:
    lab.write({"Blob": [(BOX, "")]})
    _pull(lab)
    first = _listed(lab)[0]["revision"]
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    assert lab.run("backups", "restore", "case", first).exit_code == 0
    for _ in range(2):
        _pull(lab)
    assert {fate: n for fate, n in _outcomes(lab).items() if n} == {"added by hand": 1}
    assert lab.run("propose").exit_code == 0
    now = read_imagescope(lab.xml.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in now) == 3, "and the next pass proposes again"
    _pull(lab)
    assert {fate: n for fate, n in _outcomes(lab).items() if n} == {"added by hand": 1}


def test_our_boxes_that_come_back_with_a_version_are_ours_again(lab: Lab) -> None:
    lab.write({"Blob": [(BOX, "")]})
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    with_boxes = _listed(lab)[0]["revision"]
    lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    _pull(lab)
    assert lab.run("backups", "restore", "case", with_boxes).exit_code == 0
    _pull(lab)
    slide = json.loads(lab.run("status", "--json").stdout)["slides"][0]
    assert slide["roles"] == {"annotation": 1, "proposal": 3}
    assert lab.run("propose", "--force").exit_code == 0, "they can be taken out again"
    now = read_imagescope(lab.xml.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in now) == 3


def test_restoring_into_another_file_leaves_the_slides(lab: Lab, tmp_path: Path) -> None:
    original = lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    _pull(lab)
    later = lab.write({"Blob": [(BOX, "")]})
    out = tmp_path / "before.xml"
    revision = _listed(lab)[0]["revision"]
    assert lab.run("backups", "restore", "case", revision, "--to", str(out), "--dry-run").exit_code == 0
    assert not out.exists()
    assert lab.run("backups", "restore", "case", revision, "--to", str(out)).exit_code == 0
    assert (out.read_bytes(), lab.xml.read_bytes()) == (original, later)
    again = lab.run("backups", "restore", "case", revision, "--to", str(out))
    assert again.exit_code == 1 and "is there already" in str(again.exception)


def test_dry_run_restores_nothing(lab: Lab) -> None:
    lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    _pull(lab)
    later = lab.write({"Blob": [(BOX, "")]})
    result = lab.run("backups", "restore", "case", _listed(lab)[0]["revision"], "--dry-run", "--json")
    facts = json.loads(result.stdout)
    assert facts["dry_run"] and not facts["restored"]
    assert lab.xml.read_bytes() == later


def test_file_that_is_being_saved_is_not_restored_over(lab: Lab) -> None:
    original = lab.write({"Blob": [(BOX, "")]})
    _pull(lab)
    revision = _listed(lab)[0]["revision"]
    lab.xml.write_bytes(original[:-30])
    result = lab.run("backups", "restore", "case", revision)
    assert result.exit_code == 1
    assert "not completely written" in str(result.exception) and "move that file away" in str(result.exception)
    assert lab.xml.read_bytes() == original[:-30]
    lab.xml.unlink()
    assert lab.run("backups", "restore", "case", revision).exit_code == 0
    assert lab.xml.read_bytes() == original


@pytest.mark.parametrize(
    ("slide", "revision", "said"),
    [
        ("nobody", "abcd", "no slide 'nobody'"),
        ("case", "../../etc", "names no version"),
        ("case", "abc", "four digits"),
        ("case", "0000", "has no version 0000"),
    ],
)
def test_what_is_not_there_is_said(lab: Lab, slide: str, revision: str, said: str) -> None:
    lab.write({"Blob": [(BOX, "")]})
    _pull(lab)
    if _listed(lab)[0]["revision"].startswith("0000"):
        return
    result = lab.run("backups", "restore", slide, revision)
    assert result.exit_code == 1 and said in str(result.exception)


def test_old_versions_go_after_a_write_but_no_drawing_with_them(lab: Lab) -> None:
    lab.set("\n[store]\nkeep_backups = 2\n")
    unique = lab.write({"Blob": [(OTHER, ""), (BOX, "")]})
    for count in range(1, 5):
        _pull(lab)
        lab.write({"Blob": [(shapely.box(30, 30 * i, 50, 30 * i + 20), "") for i in range(count)]})
        assert lab.run("confirm", "case").exit_code == 0
    before = len(_listed(lab))
    assert lab.run("propose").exit_code == 0
    versions = _listed(lab)
    assert len(versions) < before
    assert len(_kept(lab)) == len(versions) and unique in _kept(lab)
    assert all(version["is_there"] and version["why_kept"] for version in versions)


def test_restoring_after_a_crash_settles_the_write_first(lab: Lab) -> None:
    original = lab.write({"Blob": [(BOX, "")]})
    _pull(lab)
    revision = _listed(lab)[0]["revision"]
    with Store.open(lab.root / ".slidebridge") as store:
        store.begin_write(
            "case.tif",
            "cut",
            base_revision=revision,
            new_revision="f" * 64,
            target=lab.xml.resolve(),
            temp_name=".slidebridge-cut.tmp",
            iteration=0,
            written=(),
            closes=(),
            now=datetime.now(UTC),
        )
    lab.write({"Blob": [(BOX, ""), (OTHER, "")]})
    assert lab.run("backups", "restore", "case", revision).exit_code == 0
    assert lab.xml.read_bytes() == original
