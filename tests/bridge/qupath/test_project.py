from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shapely.geometry import box

from bridge.annotations import Edits, MachineObject, MachineRole, Source
from bridge.errors import QuPathFormatError
from bridge.qupath.new_project import NewImage, create_project
from bridge.qupath.project import QuPathProject

_NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> QuPathProject:
    image = NewImage(
        tmp_path / "a.svs", "a.svs", 100, 80, ((100, 80),), (0.5, 0.5), 20.0, (256, 256), is_openslide=True
    )
    return create_project(tmp_path / "p", [image], {}, now=_NOW)


def _edits(number: int = 1) -> Edits:
    item = MachineObject(
        f"0a0a0a0a-0000-4000-8000-{number:012d}", MachineRole.PREDICTION, "A: Predicted", box(0, 0, 9, 9), (1, 2, 3)
    )
    return Edits("write 1", add=(item,))


def test_it_is_a_source(project: QuPathProject) -> None:
    source: Source = project
    (entry,) = source.slides()
    first = source.create(entry)
    written = source.apply(first, _edits(), entry)
    assert source.parse(written, entry).write_marker == "write 1"
    assert source.root == project.path.parent and entry.annotation_path == source.root / "data" / "1" / "data.qpdata"


def test_companions_count_what_was_written(project: QuPathProject) -> None:
    (entry,) = project.slides()
    written = project.apply(project.create(entry), _edits(), entry)
    ((path, before),) = project.companions(written, entry).items()
    assert path == entry.annotation_path.with_name("summary.json") and json.loads(before)["timestamp"] == 0
    entry.annotation_path.write_bytes(written)
    summary = json.loads(project.companions(written, entry)[path])
    assert summary["timestamp"] == entry.annotation_path.stat().st_mtime_ns // 10**6
    assert summary["server"] == {"width": 100, "height": 80, "sizeC": 3, "sizeZ": 1, "sizeT": 1}
    assert summary["hierarchy"]["annotationClassificationCounts"] == {"A: Predicted": 1}


def test_an_image_type_that_a_summary_remembers_is_used(project: QuPathProject) -> None:
    (entry,) = project.slides()
    summary = entry.annotation_path.with_name("summary.json")
    known, odd = '{"imageType": "BRIGHTFIELD_H_E"}', '{"imageType": "BRIGHTFIELD_OF_2031"}'
    for text, stains in ((known, True), (odd, False), ('{"imageType": [1]}', False), ("{broken", False)):
        summary.write_text(text)
        assert (b"H&E default" in project.create(entry)) is stains
        assert stains or b"UNSET" in project.create(entry)


def test_a_backup_beside_the_file_blocks(project: QuPathProject) -> None:
    (entry,) = project.slides()
    assert project.blocker(entry) is None, "no file yet"
    entry.annotation_path.write_bytes(project.create(entry))
    assert project.blocker(entry) is None
    entry.annotation_path.with_name("data.qpdata.bkp").write_bytes(b"")
    assert "save the image again in QuPath" in project.blocker(entry)
    entry.annotation_path.unlink()
    assert "bkp" in project.blocker(entry)


@pytest.mark.parametrize("kept", [0, 3, 5, -1])
def test_a_cut_file_blocks(project: QuPathProject, kept: int) -> None:
    (entry,) = project.slides()
    entry.annotation_path.write_bytes(project.create(entry)[:kept])
    reason = project.blocker(entry)
    assert "EOF" in reason and "\n" not in reason and str(entry.annotation_path) not in reason


def test_a_file_that_cannot_be_read_blocks(project: QuPathProject) -> None:
    (entry,) = project.slides()
    entry.annotation_path.mkdir()
    assert "can't be read" in project.blocker(entry)


def test_errors_name_the_file(project: QuPathProject) -> None:
    (entry,) = project.slides()
    for act in (lambda: project.parse(b"", entry), lambda: project.apply(b"", Edits(""), entry)):
        with pytest.raises(QuPathFormatError) as caught:
            act()
        assert caught.value.path == entry.annotation_path and str(entry.annotation_path) in str(caught.value)


def test_an_image_that_is_gone_is_reported(project: QuPathProject, tmp_path: Path) -> None:
    (entry,) = project.slides()
    other = create_project(tmp_path / "other", [], {}, now=_NOW)
    with pytest.raises(QuPathFormatError, match="no image 1"):
        other.create(entry)


def test_real_projects_are_sources(shared_data: Path) -> None:
    blocked, read = [], 0
    for path in sorted((shared_data / "qupath_projects").glob("*/project.qpproj")):
        project = QuPathProject(path)
        for entry in project.slides():
            assert entry.slide_path.is_file(), "found where the project went"
            if project.blocker(entry):
                blocked.append(f"{path.parent.name}/{entry.key}")
                continue
            data = entry.annotation_path.read_bytes() if entry.annotation_path.exists() else project.create(entry)
            read += len(project.parse(data, entry))
    assert blocked == ["interrupted_save_070/1", "truncated_no_backup_070/1"]
    assert read > 2000


def test_entries_of_a_real_project(shared_data: Path) -> None:
    first, second = QuPathProject(shared_data / "qupath_projects" / "shapes_070" / "project.qpproj").slides()
    assert (first.key, first.name, first.mpp) == ("1", "slide_a.tif", (0.5, 0.5))
    assert first.metadata == {"case": "S-001", "split": "train", "description": "Synthetic slide A"}
    assert second.metadata == {}


def test_a_project_of_another_laboratory(shared_data: Path) -> None:
    path = shared_data / "qupath" / "qupath_to_lmd" / "demo_Qupath_project" / "project.qpproj"
    (entry,) = QuPathProject(path).slides()
    assert not entry.slide_path.exists() and entry.slide_path.name == "TD_01_verysmall_mIF.ome.tif"
    found = QuPathProject(path).parse(entry.annotation_path.read_bytes(), entry)
    assert len(found) == 131 and found.mpp == entry.mpp


def test_a_copied_project_reads_the_same(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "qupath_projects" / "shapes_051"
    shutil.copytree(source, tmp_path / "copy")
    before, after = (QuPathProject(folder / "project.qpproj").slides()[0] for folder in (source, tmp_path / "copy"))
    assert after.slide_path == Path("/data/qupath_projects/images/slide_a.tif"), "as the file says: nothing moved along"
    assert (after.key, after.mpp) == (before.key, before.mpp)
