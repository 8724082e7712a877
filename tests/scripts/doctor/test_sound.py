"""What is sound is no trouble; where the line is; and how it is told."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from ward_lab import Ward, draw_too, into_qupath, promote_tiny

from bridge.store.holders import this_host
from bridge.store.lease import Lease
from lab_support import draw_slide
from scripts.daemon.heartbeat import Beat
from scripts.doctor.facts import gather
from scripts.doctor.project_checks import PROJECT_CHECKS
from scripts.doctor.records import Disk
from scripts.doctor.report import Level
from scripts.project import open_project

_WITHOUT = ("source", "labels", "hold-out")  # a project of one slide has too few labels for these


@pytest.mark.parametrize("is_there", [True, False], ids=["cut", "gone"])
def test_a_model_without_its_weights_is_damaged(ward: Ward, is_there: bool) -> None:
    promote_tiny(ward, 'Blob = "#c80000"')
    (weights,) = (ward.data / "checkpoints").rglob("weights.safetensors")
    whole = weights.read_bytes()
    weights.unlink()
    if is_there:
        weights.write_bytes(whole[:-100])
    assert "model-damaged" in {finding.trouble for finding in ward.findings()}


def test_a_sound_project_has_no_trouble(ward: Ward) -> None:
    assert {(f.check, f.text) for f in ward.findings() if f.level is not Level.OK and f.check not in _WITHOUT} == set()


def test_before_the_first_drawing_no_class_counts_as_unused(ward: Ward) -> None:
    ward.lab.xml.unlink()
    assert not [f for f in ward.findings() if f.check == "classes" and f.level is not Level.OK]


def test_a_mapped_spelling_is_no_trouble(ward: Ward) -> None:
    draw_too(ward, "blob")
    ward.lab.set('\n[classes.map]\nblob = "Blob"\n')
    assert not [f for f in ward.findings() if f.check == "classes" and f.level is not Level.OK]


def test_an_unknown_class_is_a_problem_where_people_want_it_so(ward: Ward) -> None:
    draw_too(ward, "Necrosis")
    ward.lab.set("\n[labels]\nstrict = true\n")
    assert [f.level for f in ward.findings() if f.trouble == "class-unknown"] == [Level.PROBLEM]


@pytest.mark.parametrize(
    ("command", "is_well"),
    [
        ("", True),
        (f'"{sys.executable}" --version', True),
        ("python-that-is-nowhere tell", False),
        ("'unclosed", False),
        ("./tell", False),
    ],
    ids=["none", "there", "not there", "not split", "not in the folder"],
)
def test_hooks_are_looked_up_as_they_are_run(ward: Ward, command: str, is_well: bool) -> None:
    ward.lab.set(f"\n[hooks]\non_training = {json.dumps(command)}\n")
    found = [f for f in ward.findings() if f.check == "hooks"]
    assert [f.level is Level.OK for f in found] == [is_well]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no bit for it")
def test_a_script_without_leave_to_run_is_told(ward: Ward) -> None:
    script = ward.root / "tell"
    script.write_text("#!/bin/sh\n")
    ward.lab.set('\n[hooks]\non_training = "./tell"\n')
    assert [f.trouble for f in ward.findings() if f.check == "hooks"] == ["hook-not-runnable"]
    script.chmod(0o755)
    assert [f.level for f in ward.findings() if f.check == "hooks"] == [Level.OK]


@pytest.mark.parametrize(
    ("free", "taken", "troubles"),
    [
        (10**12, 0, set()),
        (5 * 10**8, 0, {"disk-low"}),
        (10**7, 0, {"disk-full"}),
        (3 * 10**9, 2 * 10**9, {"backups-large"}),
    ],
    ids=["room", "low", "full", "backups take most of it"],
)  # fmt: skip
def test_room_is_judged_by_what_is_free(ward: Ward, free: float, taken: int, troubles: set[str]) -> None:
    facts = ward.facts()
    records = replace(facts.records, disks=(Disk("models", ward.root, free),), backup_bytes=taken)
    found = [f for check in PROJECT_CHECKS for f in check(replace(facts, records=records))]
    assert {f.trouble for f in found if f.check in ("disk space", "backups")} - {""} == troubles


def test_each_disk_is_told_once(ward: Ward) -> None:
    paths = [disk.path for disk in ward.facts().records.disks]
    assert len({path.stat().st_dev for path in paths}) == len(paths) >= 1


def test_a_killed_daemon_of_another_machine_is_no_second_one(ward: Ward) -> None:
    def change(found: dict) -> None:
        found["process"]["host"] = "other-room"
        found["at"] = (ward.now - timedelta(hours=1)).isoformat()

    with Lease.take(ward.data, "watch", host=this_host()):
        ward.beat(Beat(), change)
        assert [f.level for f in ward.findings() if f.check == "daemon"] == [Level.OK]


def test_an_image_that_the_script_shows_live_is_no_trouble(ward: Ward) -> None:
    root = into_qupath(ward).parent
    folder = root / ".slidebridge" / "viewer"
    folder.mkdir(parents=True)
    beat = {
        "protocol": 1, "session": "s", "pid": os.getpid(), "host": this_host(), "count": 3,
        "entries": [{"entry": "1", "changed": False, "shown": True, "marker": None}],
    }  # fmt: skip
    (folder / "open-s.json").write_text(json.dumps(beat))
    found = [f for f in ward.findings() if f.check == "open in QuPath"]
    assert [f.level for f in found] == [Level.OK]


def test_hidden_names_are_in_no_finding_and_no_key_is_made(ward: Ward) -> None:
    from scripts.doctor.environment import Machine, Torch
    from scripts.doctor.run import examine

    ward.lab.slide.rename(ward.root / "Meyer, Anna.tif")
    ward.lab.xml.rename(ward.root / "Meyer, Anna.xml")
    (ward.root / "Meyer, Anna.xml").write_text("<html></html>")
    draw_slide(ward.root / "Schulze.png", mpp=None)
    ward.lab.set("\n[privacy]\nhash_names = true\n")
    machine = Machine({}, torch=lambda: Torch("2", False), device=lambda name: "cpu", providers=lambda: ())
    report = examine(ward.root, machine=machine)
    said = "\n".join(report.lines()) + json.dumps(report.as_json())
    assert "Meyer" not in said and "Anna" not in said and "Schulze" not in said and "slide-" in said
    assert not (ward.root / ".slidebridge").exists()


def test_a_thousand_slides_are_told_of_by_a_progress_bar(ward: Ward) -> None:
    told: list[object] = []

    class Told:
        def start(self, title: str, total: float | None) -> None:
            told.append(total)

        def advance(self, amount: float = 1.0, note: str = "") -> None:
            told.append(note)

    gather(open_project(ward.root), ward.now, progress=Told())
    assert told == [1, "case"]
