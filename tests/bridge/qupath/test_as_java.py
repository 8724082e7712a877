"""What we write, read by Java's own ObjectInputStream (without QuPath; see test_as_qupath.py for the real one)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import shapely
from shapely.geometry import Point, Polygon, box

from bridge.annotations import Edits, MachineObject, MachineRole, ObjectKind, Shape
from bridge.qupath.create import create_qpdata
from bridge.qupath.edit import apply_edits
from bridge.qupath.read import read_qpdata

_PROGRAM = Path(__file__).with_name("ReadAsJava.java")
_CLASSES = {ObjectKind.ANNOTATION: "PathAnnotationObject", ObjectKind.DETECTION: "PathDetectionObject"}


@pytest.fixture(scope="module")
def run_java():
    java = shutil.which("java")
    if java is None:
        pytest.skip("needs a Java development kit (java) on the path")

    def run(path: Path) -> list[list[str]]:
        done = subprocess.run(
            [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(_PROGRAM), str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if "jdk.compiler" in done.stderr or "release version" in done.stderr:
            pytest.skip("needs a Java development kit of version 11 or later")
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    return run


def _hex(text: str | None) -> str:
    return "null" if text is None else text.encode("utf-16-be", "surrogatepass").hex()


def _roi_text(annotation) -> str:
    geometry = annotation.geometry
    if annotation.shape is Shape.RECTANGLE:
        return "rectangle -1,0,0 {:.2f},{:.2f},{:.2f},{:.2f}".format(*geometry.bounds)
    if annotation.shape is Shape.GEOMETRY:
        return f"geometry -1,0,0 {shapely.to_wkb(geometry, hex=True, byte_order=0).lower()}"
    points = shapely.get_coordinates(geometry)[:-1]
    return "polygon -1,0,0 " + " ".join(",".join(struct.pack(">f", value).hex() for value in point) for point in points)


def _line(annotation) -> list[str]:
    probability = float("nan") if annotation.probability is None else annotation.probability
    pairs = sorted({**annotation.metadata, "Object ID": annotation.object_id}.items())
    red, green, blue = annotation.color
    return [
        "object",
        "1",
        _CLASSES[annotation.kind],
        _hex(annotation.name),
        _hex("{" + ", ".join(f"{key}={value}" for key, value in pairs) + "}"),
        str(annotation.is_locked).lower(),
        _hex(annotation.path_class),
        str((0xFF000000 | red << 16 | green << 8 | blue) - 2**32),
        struct.pack(">d", probability).hex().lstrip("0") or "0",
        _roi_text(annotation),
    ]


def _some_objects() -> tuple[MachineObject, ...]:
    holed = Polygon([(0, 0), (60, 0), (60, 60), (0, 60)], [[(10, 10), (20, 10), (20, 20)]])
    shapes = [
        (Point(50, 50).buffer(20), MachineRole.PREDICTION, "Tumor: Predicted", True, 0.25),
        (holed, MachineRole.PREDICTION, "Tumor: Predicted", True, None),
        (holed.union(box(100, 100, 110, 120)), MachineRole.PREDICTION, "Stroma: Predicted", False, 1.0),
        (box(5, 6, 300.25, 400), MachineRole.PROPOSAL, "Proposed", True, None),
        (box(0, 0, 1, 1), MachineRole.PREDICTION, "A: B: Predicted", True, 0.5),
    ]
    names = [None, "plain", "NUL \0, emoji 😀, half \ud83d", "#1 unsicher µ, 0.41", "x" * 70_000]
    return tuple(
        MachineObject(f"00000000-0000-4000-8000-{i:012d}", role, cls, geometry, (200, i, 0), name, editable, p)
        for i, ((geometry, role, cls, editable, p), name) in enumerate(zip(shapes, names, strict=True))
    )


def test_java_reads_what_we_created_and_appended(run_java, tmp_path: Path) -> None:
    first = create_qpdata(
        {"builderType": "uri", "metadata": {"name": "µ"}},
        file_path="/p/data/1/data.qpdata",
        project_path="/p/project.qpproj",
        entry_id="1",
        image_type="BRIGHTFIELD_H_E",
    )
    written = apply_edits(first, Edits("write-1", add=_some_objects()))
    path = tmp_path / "data.qpdata"
    path.write_bytes(written)
    lines = run_java(path)
    assert lines[0] == ["title", "Data file version 3"]
    assert lines[-1] == ["end", "-1"]
    assert [line for line in lines if line[0] == "object"][1:] == [_line(x) for x in read_qpdata(written).annotations]
    properties = "{PROJECT_ENTRY_ID=/p/project.qpproj::1, slidebridge.write=write-1}"
    assert ["property", _hex(properties)] in lines
