"""What the mutators start from: small files of every kind, and real ones where a folder of them is at hand."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import shapely
from shapely.geometry import LineString, MultiPoint, MultiPolygon, Polygon, box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, ObjectKind, Plane, Shape
from bridge.imagescope import apply_edits as apply_to_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import NewImage, apply_edits, create_project, write_geojson
from bridge.qupath import geojson_edit as geojson
from bridge.qupath.plain import append_annotations

MAX_SEED = 40_000  # bytes: larger files are mutated no better, only slower


def make_edits(number: int) -> Edits:
    """Return a write of ours, a prediction and a proposal, named after the number."""
    prediction = MachineObject(
        f"7d0a7f6e-0000-4000-8000-{number:011d}1",
        MachineRole.PREDICTION,
        "Tumor: Predicted",
        Polygon([(400, 400), (460, 410), (430, 470)]),
        (200, 0, 0),
    )
    proposal = MachineObject(
        f"7d0a7f6e-0000-4000-8000-{number:011d}2",
        MachineRole.PROPOSAL,
        "Proposed",
        box(600, 600, 800, 800),
        (0, 200, 200),
        "1 of 2, uncertain",
    )
    return Edits(f"fuzz-{number}", add=(prediction, proposal))


def make_seeds(codec: str, folder: Path | None = None) -> tuple[bytes, ...]:
    """Return files of a codec (``"xml"``, ``"geojson"``, ``"qpdata"`` or ``"qpproj"``).

    Parameters
    ----------
    folder
        With real files somewhere below it; the small ones are taken too.
    """
    made = {"xml": _xml, "geojson": _geojson, "qpdata": _qpdata, "qpproj": _qpproj}[codec]()
    return (*made, *(_real(codec, folder) if folder is not None else ()))


def _real(codec: str, folder: Path) -> tuple[bytes, ...]:
    suffixes = {"xml": (".xml",), "geojson": (".geojson", ".json"), "qpdata": (".qpdata",), "qpproj": (".qpproj",)}
    paths = sorted(p for p in folder.rglob("*") if p.suffix in suffixes[codec] and p.stat().st_size <= MAX_SEED)
    files = (path.read_bytes() for path in paths)
    return tuple(data for data in files if codec != "geojson" or b'"Feature' in data)


def _xml() -> tuple[bytes, ...]:
    plain = write_imagescope(drawn(), (0.5, 0.5))
    return plain, apply_to_imagescope(plain, make_edits(0))


def _geojson() -> tuple[bytes, ...]:
    plain = write_geojson(drawn())
    return plain, geojson.apply_edits(plain, make_edits(0)), write_geojson(drawn()[:1])


def _qpdata() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        project = create_project(Path(folder), [_image()], {"Tumor": (200, 0, 0)}, now=datetime(2026, 1, 1, tzinfo=UTC))
        empty = project.create(project.slides()[0])
    plain = append_annotations(empty, drawn()).data
    return empty, plain, apply_edits(plain, make_edits(0))


def _qpproj() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as folder:
        images = [_image(), _image()]
        project = create_project(Path(folder), images, {"Tumor": (200, 0, 0)}, now=datetime(2026, 1, 1, tzinfo=UTC))
        return (project.path.read_bytes(),)


def _image() -> NewImage:
    levels = ((2000, 1500), (500, 375))
    return NewImage(Path("/slides/a b ä.svs"), "a b ä", 2000, 1500, levels, (0.5, 0.5), 20.0, (256, 256), True)


def drawn() -> tuple[Annotation, ...]:
    """Return one object of each kind that people draw."""
    ring = shapely.buffer(shapely.Point(300, 300), 40, quad_segs=3)
    holed = Polygon(box(0, 0, 100, 100).exterior.coords, [box(20, 20, 40, 40).exterior.coords])
    bow_tie = Polygon([(0, 0), (50, 50), (50, 0), (0, 50)])
    return (
        Annotation("id-1", ring, "Tumor", Shape.POLYGON, name="first", color=(200, 0, 0), metadata={"reviewer": "ab"}),
        Annotation("id-2", holed, "Tumor: Positive", Shape.GEOMETRY, color=(250, 0, 0), measurements={"a": 1.5}),
        Annotation("id-3", MultiPolygon([box(0, 0, 9, 9), box(20, 0, 29, 9)]), "Stroma", Shape.GEOMETRY),
        Annotation("id-4", box(500, 500, 700, 640), "ROI", Shape.RECTANGLE, is_locked=True, color=(0, 0, 0)),
        Annotation("id-5", shapely.buffer(shapely.Point(900, 900), 25), None, Shape.ELLIPSE, name="ä漢😀"),
        Annotation("id-6", MultiPoint([(1, 2), (3, 4)]), "Cell", Shape.POINTS, plane=Plane(-1, 1, 2)),
        Annotation("id-7", LineString([(1, 2), (30, 4)]), None, Shape.LINE),
        Annotation("id-8", bow_tie, "Ignore*", Shape.POLYGON, probability=0.5),
        Annotation("id-9", box(5, 5, 8, 8), "Tumor", Shape.RECTANGLE, ObjectKind.DETECTION, measurements={"b": 2.0}),
    )
