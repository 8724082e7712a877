"""The simulated expert at QuPath: a program of its own that touches one ``data.qpdata`` and nothing else.

Reads the proposals, outlines what is inside from the true outlines, edits, reclassifies or deletes the predictions
there, gives the box the class ``ROI``, and saves as QuPath does: the old file to ``.bkp``, the new one in place,
``.bkp`` away. Objects keep their UUIDs and metadata, as they do in QuPath.

Usage: ``python -m scripts.demo.expert_qupath TRUTH.json data.qpdata IGNORE_FROM_X WIDTH HEIGHT MOST_BOXES``
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, Rgb, Shape, plain_class, predicted_class
from bridge.qupath import QuPathProject, read_qpdata
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import JavaObject
from bridge.qupath.java_values import Allowance
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import OBJECT_ID, PathObject, open_root, read_metadata, walk
from bridge.qupath.plain import append_annotations
from bridge.qupath.qpdata import open_qpdata
from scripts.demo.material import CLASSES
from scripts.demo.truth import Action, Shown, Work, load_truth, rank_of, work_off

_BLACK: Rgb = (0, 0, 0)
_GREY: Rgb = (180, 180, 180)


class _Viewer:
    """One image, open in the simulated QuPath."""

    def __init__(self, data: bytes) -> None:
        self._opened = open_qpdata(data)
        self._builder = GraphBuilder(self._opened.stream.nodes)
        self._root = open_root(self._opened.root)
        allowance = Allowance(len(data))
        self._objects: dict[str, tuple[PathObject, PathObject]] = {}
        for found, parent in walk(self._root):
            object_id = read_metadata(found.metadata, allowance).get(OBJECT_ID)
            if object_id is not None:
                self._objects[object_id] = (found, parent)

    def set_class(self, object_id: str, path_class: str, color: Rgb) -> None:
        """Choose another class for an object."""
        found, _ = self._objects[object_id]
        found.items[found.class_at] = self._builder.path_class(path_class, color)

    def reshape(self, object_id: str, outline: BaseGeometry) -> None:
        """Drag an object's outline into another shape."""
        found, _ = self._objects[object_id]
        points = _ring(outline).astype(">f4")
        found.items[found.class_at + 1] = self._builder.polygon(points[:, 0].tobytes(), points[:, 1].tobytes())

    def delete(self, object_ids: set[str]) -> None:
        """Delete objects; none of ours has children."""
        gone = {self._objects[i][0].node for i in object_ids}
        kept = [c for c in self._root.children if not (isinstance(c, JavaObject) and c in gone)]
        self._root.replace_children(kept)

    def data(self) -> bytes:
        """Return what a save writes."""
        return write_stream(self._opened.stream.items)


def _ring(geometry: BaseGeometry) -> np.ndarray:
    largest = max(shapely.get_parts(geometry), key=lambda part: part.area)
    points: np.ndarray = shapely.get_coordinates(shapely.get_exterior_ring(largest))[:-1]
    return points


def _save(path: Path, data: bytes) -> None:
    backup = path.with_name(path.name + ".bkp")
    if path.exists():
        path.replace(backup)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    backup.unlink(missing_ok=True)


def _open(path: Path) -> bytes:
    """Return the image's data; the first time, what QuPath itself would start from."""
    if path.exists():
        return path.read_bytes()
    project = QuPathProject(path.parents[2] / "project.qpproj")
    entry = next(e for e in project.slides() if e.annotation_path.resolve() == path.resolve())
    return project.create(entry)


def _drawn(path_class: str, geometry: BaseGeometry, color: Rgb) -> Annotation:
    return Annotation(str(uuid.uuid4()), geometry, path_class, Shape.POLYGON, color=color)


def _edit(viewer: _Viewer, work: Work) -> list[Annotation]:
    """Do the work on the predictions; return what is to be drawn anew."""
    gone = set()
    for step in work.steps:
        object_id = str(uuid.UUID(int=step.key))
        color = CLASSES[step.path_class]
        if step.action is Action.DELETE:
            gone.add(object_id)
        elif step.action in (Action.CONFIRM, Action.RECLASS):
            viewer.set_class(object_id, step.path_class, color)
        elif step.action is Action.RESHAPE:
            viewer.reshape(object_id, step.geometry)
            viewer.set_class(object_id, predicted_class(step.path_class), color)
    viewer.delete(gone)
    return [_drawn(name, shape, CLASSES[name]) for name, shape in work.drawn]


def _predictions(found: Mapping[str, Annotation]) -> list[Shown]:
    return [
        Shown(uuid.UUID(key).int, plain, a.geometry)
        for key, a in found.items()
        if a.path_class is not None and (plain := plain_class(a.path_class)) is not None
    ]


def label(path: Path, truth_path: Path, ignore_from_x: float, width: float, height: float, most: int = 100) -> int:
    """Work off the proposals in the file, the first ones by rank; return how many boxes were labelled.

    The first time, when the image was never saved, the part right of ``ignore_from_x`` becomes an annotation of class
    ``Ignore*``: it is never labelled, so nobody should propose boxes there.
    """
    is_first = not path.exists()
    data = _open(path)
    truth = load_truth(truth_path)
    drawn: list[Annotation] = []
    if is_first:
        drawn.append(_drawn("Ignore*", shapely.box(ignore_from_x, 0, width, height), _GREY))
    offered = [a for a in read_qpdata(data).annotations if a.path_class == "Proposed"]
    boxes = sorted(offered, key=lambda a: rank_of(a.name or ""))[:most]
    for box in boxes:
        found = {a.object_id: a for a in read_qpdata(data).annotations}
        done = [a.geometry for a in (*found.values(), *drawn) if a.path_class in CLASSES]
        viewer = _Viewer(data)
        work = work_off(box.geometry, truth, _predictions(found), shapely.union_all(done))
        drawn += _edit(viewer, work)
        viewer.set_class(box.object_id, "ROI", _BLACK)
        data = viewer.data()
    if drawn:
        data = append_annotations(data, drawn).data
    _save(path, data)
    return len(boxes)


if __name__ == "__main__":
    truth_file, data_file, from_x, slide_width, slide_height, most_boxes = sys.argv[1:]
    size = float(slide_width), float(slide_height)
    print(label(Path(data_file), Path(truth_file), float(from_x), *size, int(most_boxes)))
