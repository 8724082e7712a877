"""What a pass believes of the files it reads, and what it writes where people save at the same time."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import shapely

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, ObjectKind, SlideEntry
from bridge.errors import AnnotationFileError, WriteConflictError
from bridge.export import WriteResult, write_edits
from bridge.imagescope import ImageScopeFolder, read_imagescope
from bridge.qupath import QuPathProject, create_project, read_qpdata
from bridge.qupath.plain import append_annotations
from bridge.store import Backups, Store
from bridge.watch import SettleOptions, read_settled
from lab_support import Lab, xml_of
from scripts.loop import passes
from scripts.loop import pull as pulling
from scripts.loop.slide_jobs import write_one
from scripts.project import open_project
from scripts.set_up import new_image

BOXES = [shapely.box(30 + 40 * i, 30, 60 + 40 * i, 60) for i in range(6)]


def _drawn(count: int) -> dict[str, list[tuple[Any, str]]]:
    return {"Blob": [(box, "") for box in BOXES[:count]]}


def _pull(lab: Lab) -> pulling.Pulled:
    project = open_project(lab.root)
    with Store.open(project.data_folder) as store:
        return pulling.pull(project, store, Backups(project.data_folder / "backups"), datetime.now(UTC))


def _added(lab: Lab) -> int:
    with Store.open(lab.root / ".slidebridge") as store:
        return store.added_count()


# ── saves that lost much ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("left", "is_suspicious"), [(0, True), (1, True), (2, False), (3, False)])
def test_save_that_lost_more_than_half_is_not_learned_from(lab: Lab, left: int, is_suspicious: bool) -> None:
    lab.write(_drawn(4))
    _pull(lab)
    lab.write(_drawn(left))
    for _ in range(2):  # reading it again tells nothing new
        (state,) = _pull(lab).slides
        assert state.is_suspicious is is_suspicious
        assert state.plan.is_empty or not is_suspicious


def test_second_save_is_believed_although_it_is_small_too(lab: Lab) -> None:
    lab.write(_drawn(4))
    _pull(lab)
    for left, is_suspicious in ((1, True), (0, False)):
        lab.write(_drawn(left))
        assert _pull(lab).slides[0].is_suspicious is is_suspicious


def test_what_was_lost_and_comes_back_is_no_doubt_any_more(lab: Lab) -> None:
    lab.write(_drawn(4))
    _pull(lab)
    lab.write(_drawn(0))
    assert _pull(lab).slides[0].is_suspicious
    lab.write(_drawn(4))
    assert not _pull(lab).slides[0].is_suspicious
    lab.write(_drawn(1))
    assert _pull(lab).slides[0].is_suspicious, "and the next loss is a new doubt"


def test_file_that_is_gone_is_suspicious_until_it_is_back(lab: Lab) -> None:
    lab.write(_drawn(4))
    _pull(lab)
    lab.xml.unlink()
    pulled = _pull(lab)
    assert pulled.slides[0].is_suspicious and "is gone" in pulled.warnings[0]
    lab.write(_drawn(1))
    assert _pull(lab).slides[0].is_suspicious, "it came back with less than half"
    lab.write(_drawn(4))
    assert not _pull(lab).slides[0].is_suspicious


def test_file_of_nothing_human_may_go_to_nothing(lab: Lab) -> None:
    lab.write(_drawn(0))
    _pull(lab)
    lab.xml.write_bytes(lab.xml.read_bytes() + b"\n")
    assert not _pull(lab).slides[0].is_suspicious


# ── what people added counts once ────────────────────────────────────────────────────────────────────────────────────


def test_revision_that_comes_back_is_not_counted_again(lab: Lab) -> None:
    first = lab.write(_drawn(4))
    _pull(lab)
    assert _added(lab) == 4
    lab.write(_drawn(2))
    _pull(lab)
    lab.xml.write_bytes(first)
    for _ in range(2):
        _pull(lab)
    assert _added(lab) == 4


def test_what_was_drawn_in_a_confirmed_save_counts(lab: Lab) -> None:
    lab.write(_drawn(4))
    _pull(lab)
    lab.write({"Blob": [(shapely.box(300, 300, 340, 340), "")]})
    _pull(lab)
    assert lab.run("confirm", "case").exit_code == 0
    assert _added(lab) == 5


# ── a save that failed ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def study(lab: Lab) -> QuPathProject:
    """The lab as a QuPath project with four drawings, read once."""
    project = create_project(lab.root / "study", [new_image(lab.slide)], {}, now=datetime.now(UTC))
    entry = project.slides()[0]
    people = [
        Annotation(f"{i:08x}-0000-4000-8000-000000000000", box, "Blob", color=(200, 0, 0))
        for i, box in enumerate(BOXES[:4], 1)
    ]
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), people).data)
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")
    return project


def test_detections_that_stayed_hide_no_loss_of_drawings(lab: Lab, study: QuPathProject) -> None:
    entry = study.slides()[0]
    cells = [
        Annotation(f"{i:08x}-0000-4000-8000-00000000ce11", BOXES[5], kind=ObjectKind.DETECTION) for i in range(1, 21)
    ]
    drawn = entry.annotation_path.read_bytes()
    entry.annotation_path.write_bytes(append_annotations(drawn, cells).data)
    assert not _pull(lab).slides[0].is_suspicious
    entry.annotation_path.write_bytes(append_annotations(study.create(entry), cells).data)
    assert _pull(lab).slides[0].is_suspicious
    entry.annotation_path.write_bytes(append_annotations(drawn, cells[:19]).data)
    assert not _pull(lab).slides[0].is_suspicious


def _fail_to_save(path: Path) -> None:
    """QuPath, killed half way: the old file is the .bkp, the new one is cut; long ago."""
    whole = path.read_bytes()
    path.rename(path.with_name("data.qpdata.bkp"))
    path.write_bytes(whole[: len(whole) // 2])
    for place in (path, path.parent):
        os.utime(place, (1e9, 1e9))


def test_failed_save_of_qupath_is_read_from_its_backup_and_not_written_to(lab: Lab, study: QuPathProject) -> None:
    _pull(lab)
    path = study.slides()[0].annotation_path
    _fail_to_save(path)
    cut, spare = path.read_bytes(), path.with_name("data.qpdata.bkp").read_bytes()
    result = lab.run("propose", "--json")
    facts = json.loads(result.stdout)
    assert result.exit_code == 0 and facts["written"] == []
    assert any("data.qpdata.bkp, the version before it, is read instead" in line for line in facts["warnings"])
    assert (path.read_bytes(), path.with_name("data.qpdata.bkp").read_bytes()) == (cut, spare)
    (state,) = _pull(lab).slides
    assert state.reading.is_held and not state.is_suspicious
    assert state.reading.human_count == 4, "learned from"


def test_next_save_of_qupath_ends_the_holding(lab: Lab, study: QuPathProject) -> None:
    path = study.slides()[0].annotation_path
    _fail_to_save(path)
    assert _pull(lab).slides[0].reading.is_held
    shutil.copy(path.with_name("data.qpdata.bkp"), path)
    path.with_name("data.qpdata.bkp").unlink()
    assert lab.run("propose").exit_code == 0
    found = read_qpdata(path.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in found) == 3


def test_failed_save_is_not_restored_over(lab: Lab, study: QuPathProject) -> None:
    _pull(lab)
    path = study.slides()[0].annotation_path
    revision = json.loads(lab.run("backups", "list", "--json").stdout)
    (versions,) = revision.values()
    _fail_to_save(path)
    cut = path.read_bytes()
    result = lab.run("backups", "restore", study.slides()[0].name, versions[0]["revision"])
    assert result.exit_code == 1 and "is read instead" in str(result.exception)
    assert path.read_bytes() == cut


def test_restoring_brings_the_summary_up_to_date(lab: Lab, study: QuPathProject) -> None:
    entry = study.slides()[0]
    original = entry.annotation_path.read_bytes()
    _pull(lab)
    assert lab.run("propose").exit_code == 0
    (versions,) = json.loads(lab.run("backups", "list", "--json").stdout).values()
    assert lab.run("backups", "restore", entry.name, versions[0]["revision"]).exit_code == 0
    assert entry.annotation_path.read_bytes() == original
    summary = json.loads((entry.annotation_path.parent / "summary.json").read_text("utf-8"))
    assert summary["hierarchy"]["objectTypeCounts"] == {"Root objects": 1, "Annotations": 4}


# ── what the marker tells ────────────────────────────────────────────────────────────────────────────────────────────


def _declined(lab: Lab) -> int:
    return int(json.loads(lab.run("status", "--json").stdout)["outcomes"].get("declined", 0))


def _without_marker(text: str) -> str:
    changed = re.sub(r'<Attribute [^>]*Name="slidebridge.write"[^>]*/>', "", text)
    assert changed != text
    return changed


@pytest.mark.parametrize("keeps_marker", [True, False])
def test_box_deleted_by_somebody_who_had_seen_our_write_is_declined(lab: Lab, keeps_marker: bool) -> None:
    """Without the marker, which a viewer may drop, the outlines that are left show that it was seen."""
    lab.write(_drawn(2))
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    text = re.sub(r'\s*<Region [^>]*Text="#1 .*?</Region>', "", lab.xml.read_text("utf-8"), count=1, flags=re.DOTALL)
    lab.xml.write_text(text if keeps_marker else _without_marker(text), "utf-8", newline="")
    _pull(lab)
    assert _declined(lab) == 1


def test_all_boxes_gone_at_once_is_a_viewers_doing(lab: Lab) -> None:
    before = lab.write(_drawn(2))
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    lab.xml.write_bytes(before)
    _pull(lab)
    assert _declined(lab) == 0
    assert lab.run("propose").exit_code == 0
    assert sum(a.path_class == "Proposed" for a in read_imagescope(lab.xml.read_bytes()).annotations) == 3


def test_deletion_that_a_person_takes_back_is_none(lab: Lab) -> None:
    lab.write(_drawn(2))
    assert lab.run("propose").exit_code == 0
    _pull(lab)
    before = lab.xml.read_text("utf-8")
    gone = re.sub(r'\s*<Region [^>]*Text="#1 .*?</Region>', "", before, count=1, flags=re.DOTALL)
    lab.xml.write_text(gone, "utf-8", newline="")
    _pull(lab)
    assert _declined(lab) == 1
    lab.xml.write_text(before, "utf-8", newline="")
    _pull(lab)
    assert _declined(lab) == 0
    assert _pull(lab).slides[0].reading.reconciled.unknown == {}
    assert lab.run("propose", "--force").exit_code == 0


# ── what a format can't do ───────────────────────────────────────────────────────────────────────────────────────────


def test_promotion_that_a_format_refuses_is_tried_once_a_save(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    base = lab.write(_drawn(2))
    predicted = MachineObject(
        str(uuid.uuid4()), MachineRole.PREDICTION, "Blob: Predicted", shapely.box(210, 210, 240, 240), (200, 0, 0)
    )
    project = open_project(lab.root)
    with Store.open(project.data_folder) as store:
        backups, (entry,) = Backups(project.data_folder / "backups"), project.source.slides()
        edits = Edits("w1", add=(predicted,))
        write_edits(project.source, entry, base, edits, store, backups, iteration=0, now=datetime.now(UTC))
    roi = xml_of({"ROI": [(shapely.box(200, 200, 300, 300), "")]}).split(b"\r\n", 1)[1]
    lab.xml.write_bytes(lab.xml.read_bytes().replace(b"</Annotations>", roi))  # the person accepts it
    apply = ImageScopeFolder.apply

    def refuse(self: ImageScopeFolder, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        if edits.promote:
            raise AnnotationFileError("it can't be made plain")
        return apply(self, data, edits, entry)

    monkeypatch.setattr(ImageScopeFolder, "apply", refuse)
    facts = json.loads(lab.run("propose", "--json").stdout)
    (written,) = facts["written"]
    assert written["made_plain"] == 0 and "it can't be made plain" in written["warnings"][0]
    found = read_imagescope(lab.xml.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in found) == 3
    assert sum(a.path_class == "Blob: Predicted" for a in found) == 1
    assert json.loads(lab.run("propose", "--json").stdout)["written"] == [], "no pass writes for it alone"
    monkeypatch.undo()
    lab.xml.write_bytes(lab.xml.read_bytes() + b"\n")
    assert json.loads(lab.run("propose", "--json").stdout)["written"][0]["made_plain"] == 1


# ── saves while we write ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def save_before_writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Callable[[], object]]], None]:
    """Let a person save just before each of the next writes of ours."""

    def arrange(saves: list[Callable[[], object]]) -> None:
        def late(*given: Any, **more: Any) -> WriteResult:
            if saves:
                saves.pop(0)()
            return write_edits(*given, **more)

        monkeypatch.setattr(passes, "write_one", partial(write_one, write=late))

    return arrange


def test_save_in_between_is_merged(lab: Lab, save_before_writes: Callable[..., None]) -> None:
    lab.write(_drawn(2))
    save_before_writes([lambda: lab.write(_drawn(3)), lambda: lab.write(_drawn(4))])
    assert lab.run("propose").exit_code == 0
    found = read_imagescope(lab.xml.read_bytes()).annotations
    assert sum(a.path_class == "Blob" for a in found) == 4
    assert sum(a.path_class == "Proposed" for a in found) == 3


def test_person_who_keeps_saving_is_left_in_peace(lab: Lab, save_before_writes: Callable[..., None]) -> None:
    lab.write(_drawn(2))
    save_before_writes([lambda n=n: lab.write(_drawn(n)) for n in (3, 4, 5, 6)])
    result = lab.run("propose", "--json")
    assert result.exit_code == 1
    (said,) = json.loads(result.stdout)["problems"].values()
    assert "each of the 3 times" in said and "\n" not in said
    assert len(read_imagescope(lab.xml.read_bytes()).annotations) == 5


def test_save_in_between_that_lost_much_is_not_merged(lab: Lab, save_before_writes: Callable[..., None]) -> None:
    lab.write(_drawn(6))
    save_before_writes([lambda: lab.write(_drawn(1))])
    result = lab.run("propose", "--json")
    (said,) = json.loads(result.stdout)["problems"].values()
    assert "lost more than half" in said
    assert len(read_imagescope(lab.xml.read_bytes()).annotations) == 1
    assert _pull(lab).slides[0].is_suspicious


def test_file_that_vanishes_in_between_is_not_made_anew(lab: Lab, save_before_writes: Callable[..., None]) -> None:
    lab.write(_drawn(3))
    save_before_writes([lab.xml.unlink])
    result = lab.run("propose", "--json")
    (said,) = json.loads(result.stdout)["problems"].values()
    assert "is gone" in said
    assert not lab.xml.exists()


def test_interrupted_save_of_a_real_qupath_is_read_from_its_backup(shared_data: Path, tmp_path: Path) -> None:
    shutil.copytree(shared_data / "qupath_projects" / "interrupted_save_070", tmp_path / "project")
    source = QuPathProject(tmp_path / "project" / "project.qpproj")
    entry = replace(source.slides()[0], is_placed=True)
    options, path = SettleOptions(settle_seconds=0.01), entry.annotation_path
    for place in (path, path.parent):
        os.utime(place, (1e9, 1e9))
    found = read_settled(source, entry, options)
    assert found.failed_save is not None and found.data is not None
    assert len(source.parse(found.data, entry)) > 0
    with Store.open(tmp_path / "store") as store, pytest.raises(WriteConflictError, match="bkp is beside it"):
        backups = Backups(tmp_path / "backups")
        write_edits(source, entry, found.data, Edits("w1"), store, backups, iteration=0, now=datetime.now(UTC))
