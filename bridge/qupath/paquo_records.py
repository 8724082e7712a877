"""An object as QuPath itself reads it: what the child sends, checked and made geometry.

A record is a JSON object: ``id``, ``type`` (Java class), ``name``, ``roi`` (Java class), ``plane`` [c, z, t], ``wkb``
(hexadecimal), ``bounds`` [x, y, width, height], ``path_class``, ``color`` and ``object_color`` (signed ARGB),
``probability``, ``locked``, ``parent`` (id, or ``"root"``), ``measurements``, ``metadata`` (null where that QuPath
shows none), ``nucleus_wkb``, ``missing``; of polygons whose ``wkb`` has other vertices than the file, ``n_points`` and
``points`` [x, y, x, y …] (``nucleus_points``). Numbers that are not finite are texts. What doesn't apply may lack.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Plane, Rgb
from bridge.errors import QuPathBackendError
from bridge.qupath.path_classes import rgb_of

ROOT = "root"
Record = Mapping[str, Any]  # what the child sent


@dataclass(frozen=True, slots=True)
class QuPathObject:
    """One object as QuPath shows it.

    Parameters
    ----------
    kind, roi
        Simple names of the Java classes: ``"PathAnnotationObject"``, ``"GeometryROI"``; no ROI: None.
    geometry
        Level-0 pixels; QuPath 0.6 and later have it on a 0.01 px grid. Of polygons the stored vertices, where known:
        QuPath's own geometry of a polygon is cleaned, and may lose much of one with many vertices close together.
    bounds
        (min x, min y, max x, max y) of the ROI, level-0 pixels.
    parent_id
        None below the root.
    metadata
        None where that version of QuPath doesn't show it (0.4).
    n_points
        Vertices that the ROI stores; None where not told.
    """

    object_id: str
    kind: str
    roi: str | None
    geometry: BaseGeometry
    bounds: tuple[float, float, float, float]
    name: str | None
    plane: Plane
    path_class: str | None
    color: Rgb | None
    own_color: Rgb | None
    probability: float | None
    is_locked: bool
    is_missing: bool
    parent_id: str | None
    nucleus: BaseGeometry | None
    measurements: Mapping[str, float]
    metadata: Mapping[str, str] | None
    n_points: int | None = None


@dataclass(frozen=True, slots=True)
class QuPathImage:
    """What QuPath reads of one image: its objects, parents first, and the TMA grid, row by row."""

    objects: tuple[QuPathObject, ...] = ()
    grid_width: int = 0
    grid: tuple[str, ...] = ()


def read_image(records: Iterable[Record], grid: Record | None = None) -> QuPathImage:
    """Return the image that the records make.

    Parameters
    ----------
    grid
        ``width`` and ``cores``, ids row by row; None for none.

    Raises
    ------
    QuPathBackendError
        A record is not one.
    """
    try:
        listed = list(records)
        outlines = _outlines(listed, "wkb", "points")
        nuclei = _outlines(listed, "nucleus_wkb", "nucleus_points")
        objects = tuple(
            _object(record, outline, nucleus) for record, outline, nucleus in zip(listed, outlines, nuclei, strict=True)
        )
        if grid is None:
            return QuPathImage(objects)
        return QuPathImage(objects, int(grid["width"]), tuple(str(core) for core in grid["cores"]))
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise QuPathBackendError(
            f"the QuPath process sent an object that is none ({type(error).__name__}: {str(error)[:100]});"
            " this QuPath may be too new, 0.4 to 0.7 are known"
        ) from error


def _outlines(records: Sequence[Record], wkb: str, points: str) -> list[BaseGeometry | None]:
    outlines = _geometries(record.get(wkb) for record in records)
    for number, record in enumerate(records):
        if record.get(points):
            outlines[number] = shapely.Polygon(np.array(record[points], dtype=float).reshape(-1, 2))
    return outlines


def _geometries(texts: Iterable[object]) -> list[BaseGeometry | None]:
    return list(shapely.from_wkb(np.array(list(texts), dtype=object)))


def _object(record: Record, outline: BaseGeometry | None, nucleus: BaseGeometry | None) -> QuPathObject:
    x, y, width, height = (float(side) for side in record["bounds"]) if record.get("bounds") else (math.nan,) * 4
    probability = float(record["probability"])
    metadata = record.get("metadata")
    parent = record["parent"]
    return QuPathObject(
        object_id=str(record["id"]),
        kind=str(record["type"]),
        roi=_text(record["roi"]),
        geometry=shapely.Point() if outline is None else outline,
        bounds=(x, y, x + width, y + height),
        name=_text(record["name"]),
        plane=Plane(*(int(index) for index in record["plane"])),
        path_class=_text(record["path_class"]),
        color=_rgb(record["color"]),
        own_color=_rgb(record.get("object_color")),
        probability=None if math.isnan(probability) else probability,
        is_locked=bool(record["locked"]),
        is_missing=bool(record.get("missing")),
        parent_id=None if parent == ROOT else str(parent),
        nucleus=nucleus,
        measurements={str(name): float(value) for name, value in record["measurements"].items()},
        metadata=None if metadata is None else {str(key): str(value) for key, value in metadata.items()},
        n_points=None if record.get("n_points") is None else int(record["n_points"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _rgb(argb: object) -> Rgb | None:
    return None if argb is None else rgb_of(int(str(argb)))
