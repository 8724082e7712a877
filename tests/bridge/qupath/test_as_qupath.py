"""What we write, read and saved again by the user's own QuPath; needs PAQUO_QUPATH_DIR."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import MultiPolygon, Polygon, box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole
from bridge.qupath.edit import apply_edits
from bridge.qupath.new_project import NewImage, create_project
from bridge.qupath.project import QuPathProject

pytestmark = [
    pytest.mark.qupath,
    pytest.mark.skipif("PAQUO_QUPATH_DIR" not in os.environ, reason="needs QuPath: set PAQUO_QUPATH_DIR"),
]

# In a process of its own: a Java machine can't be stopped or started again, and paquo prints to standard output.
_CHILD = """
import json, sys
from paquo.projects import QuPathProject
from shapely.geometry import box

path, mode, out = sys.argv[1:]
found = {}
with QuPathProject(path, mode=mode) as project:
    found["classes"] = [[str(c.java_object.toString()), int(c.java_object.getColor())] for c in project.path_classes]
    for entry in project.images:
        hierarchy = entry.hierarchy
        objects = [*hierarchy.annotations, *hierarchy.detections]
        found[entry.entry_id] = [
            {
                "id": str(o.java_object.getID().toString()),
                "name": None if o.name is None else str(o.name),
                "type": str(o.java_object.getClass().getSimpleName()),
                "class": str(o.java_object.getPathClass().toString()),
                "color": int(o.java_object.getPathClass().getColor()),
                "probability": float(o.path_class_probability),
                "locked": bool(o.locked),
                "wkb": o.roi.wkb_hex,
            }
            for o in objects
        ]
        if mode == "r+":
            hierarchy.add_annotation(roi=box(1, 2, 30, 40), path_class=project.path_classes[0])
with open(out, "w") as file:
    json.dump(found, file)
"""
_CLASSES = {"Tumor": (200, 0, 0), "Tumor: Predicted": (255, 120, 120), "Proposed": (255, 215, 0)}


def _run_qupath(project: QuPathProject, mode: str, out: Path) -> dict:
    command = [sys.executable, "-c", _CHILD, str(project.path), mode, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(out.read_text())


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
    path.write_bytes(data)
    for companion, content in project.companions(data, entry).items():
        companion.write_bytes(content)
    return {a.object_id: a for a in project.parse(data, entry).annotations}


def _same(annotation: Annotation, shown: dict) -> bool:
    """Compare an object as we read it with what QuPath shows; 0.6 and later move it by up to 0.005 px."""
    red, green, blue = annotation.color
    probability = math.nan if annotation.probability is None else annotation.probability
    kinds = {"annotation": "PathAnnotationObject", "detection": "PathDetectionObject"}
    return (
        shown["name"] == annotation.name
        and shown["class"] == annotation.path_class
        and shown["color"] & 0xFFFFFF == red << 16 | green << 8 | blue
        and shown["locked"] == annotation.is_locked
        and shown["type"] == kinds[annotation.kind.value]
        and np.array_equal(shown["probability"], probability, equal_nan=True)
        and shapely.hausdorff_distance(shapely.from_wkb(shown["wkb"]), annotation.geometry) < 0.01
    )


def test_qupath_reads_a_project_that_we_created(project: QuPathProject, tmp_path: Path) -> None:
    ours = _write(project, Edits("write 1", add=_objects()))
    shown = _run_qupath(project, "r", tmp_path / "shown.json")
    assert {name: color & 0xFFFFFF for name, color in shown["classes"] if name in _CLASSES} == {
        name: red << 16 | green << 8 | blue for name, (red, green, blue) in _CLASSES.items()
    }
    assert {entry["id"] for entry in shown["1"]} == ours.keys()
    assert all(_same(ours[entry["id"]], entry) for entry in shown["1"])


def test_our_objects_survive_a_save_in_qupath(project: QuPathProject, tmp_path: Path) -> None:
    ours = _write(project, Edits("write 1", add=_objects()))
    _run_qupath(project, "r+", tmp_path / "shown.json")
    (entry,) = project.slides()
    saved = project.parse(entry.annotation_path.read_bytes(), entry)
    assert len(saved) == len(ours) + 1 and saved.write_marker == "write 1"
    back = {a.object_id: a for a in saved.annotations}
    for object_id, before in ours.items():
        after = back[object_id]
        assert (after.name, after.path_class, after.is_locked) == (before.name, before.path_class, before.is_locked)
        assert shapely.hausdorff_distance(after.geometry, before.geometry) < 0.01
    assert apply_edits(entry.annotation_path.read_bytes(), Edits("write 1")) == entry.annotation_path.read_bytes()


def test_a_promoted_object_is_shown_in_its_class(project: QuPathProject, tmp_path: Path) -> None:
    _write(project, Edits("write 1", add=_objects()))
    promoted, deleted = (item.object_id for item in _objects()[:2])
    edits = Edits("write 2", frozenset({deleted}), {promoted: ("Tumor", _CLASSES["Tumor"])})
    ours = _write(project, edits)
    shown = {entry["id"]: entry for entry in _run_qupath(project, "r", tmp_path / "shown.json")["1"]}
    assert shown[promoted]["class"] == "Tumor" and deleted not in shown
    assert all(_same(ours[object_id], entry) for object_id, entry in shown.items())
