"""What we write, read and saved again by the user's own QuPath, 0.4 to 0.7; needs PAQUO_QUPATH_DIR."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import MultiPolygon, Polygon, box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole
from bridge.qupath.class_list import read_class_list
from bridge.qupath.edit import apply_edits
from bridge.qupath.new_project import NewImage, create_project
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from bridge.qupath.paquo_records import read_image
from bridge.qupath.paquo_verify import class_colors, compare_objects
from bridge.qupath.project import QuPathProject

pytestmark = [
    pytest.mark.qupath,
    pytest.mark.skipif("PAQUO_QUPATH_DIR" not in os.environ, reason="needs QuPath: set PAQUO_QUPATH_DIR"),
]

# Adds an object and saves, as a person would: the backend itself never does that. In a process of its own, for a Java
# machine can't be stopped or started again, and paquo prints to standard output.
_PERSON = """
import sys
from paquo.projects import QuPathProject
from shapely.geometry import box

with QuPathProject(sys.argv[1], mode="r+") as project:
    for entry in project.images:
        entry.hierarchy.add_annotation(roi=box(1, 2, 30, 40), path_class=project.path_classes[0])
"""
_CLASSES = {"Tumor": (200, 0, 0), "Tumor: Predicted": (255, 120, 120), "Proposed": (255, 215, 0)}
_SAMPLES = (
    "bigroi_070", "cells_051", "cells_070", "classes_070", "colourless_070", "deep_070", "detections_070",
    "plane_shapes_070", "planes_044", "planes_051", "planes_060", "planes_070", "shapes_051", "shapes_060",
    "shapes_070", "strings_070", "tma_051", "tma_070", "workflow_051", "workflow_070",
)  # fmt: skip


@pytest.fixture(scope="module")
def qupath() -> QuPath:
    """The user's QuPath."""
    return QuPath(PaquoOptions(timeout_seconds=300.0))


@pytest.fixture
def project(tmp_path: Path) -> QuPathProject:
    picture = tmp_path / "flache Färbung.png"
    Image.fromarray(np.full((200, 300, 3), 230, np.uint8)).save(picture)
    image = NewImage(picture, picture.name, 300, 200, ((300, 200),), (0.5, 0.5), None, (300, 200), is_openslide=False)
    return create_project(tmp_path / "a project", [image], _CLASSES, now=datetime(2030, 1, 2, tzinfo=UTC))


def _objects() -> tuple[MachineObject, ...]:
    holed = Polygon([(10, 10), (90, 10), (90, 90), (10, 90)], [[(30, 30), (50, 30), (50, 50)]])
    shapes = [box(5, 5, 60.25, 70.5), holed, MultiPolygon([box(100, 100, 110, 120), box(150, 150, 170, 190)])]
    prediction = ("Tumor: Predicted", _CLASSES["Tumor: Predicted"])
    predictions = [
        MachineObject(
            f"0a0a0a0a-0000-4000-8000-{i:012d}",
            MachineRole.PREDICTION,
            prediction[0],
            shape,
            prediction[1],
            name=f"Nr. {i} µ 😀",
            is_editable=i != 1,
            probability=0.25 * i,
        )
        for i, shape in enumerate(shapes)
    ]
    proposal = MachineObject(
        "0b0b0b0b-0000-4000-8000-000000000000",
        MachineRole.PROPOSAL,
        "Proposed",
        box(200, 20, 260, 80),
        _CLASSES["Proposed"],
        name="#1 uncertain, 0.41",
    )
    return (*predictions, proposal)


def _write(project: QuPathProject, edits: Edits) -> dict[str, Annotation]:
    (entry,) = project.slides()
    path = entry.annotation_path
    data = project.apply(path.read_bytes() if path.exists() else project.create(entry), edits, entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    for companion, content in project.companions(data, entry).items():
        companion.write_bytes(content)
    return {a.object_id: a for a in project.parse(data, entry).annotations}


def _differences(project: QuPathProject, qupath: QuPath) -> list[str]:
    """Return what QuPath reads otherwise than we do, a line each, for every image that was saved."""
    entries = [entry for entry in project.slides() if entry.annotation_path.is_file()]
    theirs = qupath.read(project, entries)
    ours = {entry.key: project.parse(entry.annotation_path.read_bytes(), entry) for entry in entries}
    colors = class_colors(ours.values(), read_class_list(project.classes_path))
    compared = {key: compare_objects(ours[key], theirs[key], colors) for key in ours}
    return [f"{key}: {d.line()}" for key, found in compared.items() for d in found.differences]


def _save_as_a_person(project: QuPathProject) -> None:
    command = [sys.executable, "-c", _PERSON, str(project.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_qupath_is_found(qupath: QuPath) -> None:
    assert qupath.find().is_dir()


def test_qupath_reads_a_project_that_we_created(project: QuPathProject, qupath: QuPath) -> None:
    ours = _write(project, Edits("write 1", add=_objects()))
    assert len(ours) == 4
    assert _differences(project, qupath) == []


def test_our_objects_survive_a_save_in_qupath(project: QuPathProject, qupath: QuPath) -> None:
    ours = _write(project, Edits("write 1", add=_objects()))
    _save_as_a_person(project)
    assert _differences(project, qupath) == []
    (entry,) = project.slides()
    saved = project.parse(entry.annotation_path.read_bytes(), entry)
    assert len(saved) == len(ours) + 1 and saved.write_marker == "write 1"
    back = {a.object_id: a for a in saved.annotations}
    for object_id, before in ours.items():
        after = back[object_id]
        assert (after.name, after.path_class, after.is_locked) == (before.name, before.path_class, before.is_locked)
        assert shapely.hausdorff_distance(after.geometry, before.geometry) < 0.01
    assert apply_edits(entry.annotation_path.read_bytes(), Edits("write 1")) == entry.annotation_path.read_bytes()


def test_edits_of_what_qupath_saved_are_read_back(project: QuPathProject, qupath: QuPath) -> None:
    _write(project, Edits("write 1", add=_objects()))
    _save_as_a_person(project)
    promoted, deleted = (item.object_id for item in _objects()[:2])
    edits = Edits("write 2", frozenset({deleted}), {promoted: ("Tumor", _CLASSES["Tumor"])})
    ours = _write(project, edits)
    shown = {other.object_id: other for other in qupath.read(project, project.slides())["1"].objects}
    assert shown[promoted].path_class == "Tumor" and deleted not in shown and len(shown) == len(ours) == 4
    assert _differences(project, qupath) == []


@pytest.mark.parametrize("name", _SAMPLES)
def test_qupath_reads_real_files_as_we_do(shared_data: Path, qupath: QuPath, name: str) -> None:
    project = QuPathProject(shared_data / "qupath_projects" / name / "project.qpproj")
    assert _differences(project, qupath) == []


@pytest.mark.parametrize("name", _SAMPLES)
def test_the_child_sends_what_qupath_was_seen_to_read(shared_data: Path, qupath: QuPath, name: str) -> None:
    """The expected lists were made by the QuPath of the name; what they say of an object, this one says, too."""
    folder = shared_data / "qupath_projects"
    project = QuPathProject(folder / name / "project.qpproj")
    expected: dict[str, Any] = json.loads((folder / "expected" / f"{name}_1.json").read_text())
    wanted = read_image(expected["objects"], expected.get("tma_grid"))
    shown = qupath.read(project, project.slides()[:1])["1"]
    assert len(shown.objects) == expected["n_objects"]
    assert (shown.grid_width, shown.grid) == (wanted.grid_width, wanted.grid)
    found = {other.object_id: other for other in shown.objects}
    plain = ("kind", "roi", "name", "plane", "path_class", "probability", "is_locked", "is_missing", "parent_id")
    for other in wanted.objects:
        told = [(field, getattr(found[other.object_id], field)) for field in plain]
        assert told == [(field, getattr(other, field)) for field in plain]


def test_qupath_creates_a_project_and_saves_it_anew(project: QuPathProject, qupath: QuPath) -> None:
    picture = project.slides()[0].slide_path
    made = qupath.create_project(picture.parent / "made by v0.7", [picture], _CLASSES)
    (entry,) = made.slides()
    assert entry.slide_path == picture
    assert read_class_list(made.classes_path) == _CLASSES
    path = entry.annotation_path
    _write(made, Edits("write 1", add=_objects()))
    before = made.parse(path.read_bytes(), entry)
    path.write_bytes(qupath.resave(made, entry))
    after = made.parse(path.read_bytes(), entry)
    assert [a.object_id for a in after.annotations] == [a.object_id for a in before.annotations]
    assert _differences(made, qupath) == []
