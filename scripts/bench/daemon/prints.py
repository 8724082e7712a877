"""How the judge knows an object again, whatever tool saved it: by what it is called, and where its corners are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, ClassScheme, LabelOptions
from bridge.annotations.gestures import said_class

_TAB = "\t"


def shape_of(geometry: BaseGeometry) -> str:
    """Name an outline by its corners, rounded as ImageScope does; where a ring starts and how it turns don't count."""
    corners = np.unique(np.floor(shapely.get_coordinates(geometry) + 0.5).astype(np.int64), axis=0)
    return hashlib.blake2b(corners.tobytes(), digest_size=8).hexdigest()


def print_of(annotation: Annotation, scheme: ClassScheme) -> str:
    """Name an object by its outline and what it is called; an accepted prediction keeps its name when made plain."""
    said = said_class(annotation, scheme, LabelOptions()) or annotation.path_class or ""
    return f"{said}{_TAB}{shape_of(annotation.geometry)}"


def prints_of(annotations: Iterable[Annotation], scheme: ClassScheme) -> list[str]:
    """Name some objects, in their order, copies as often as they are there."""
    return [print_of(annotation, scheme) for annotation in annotations]


def place_of(geometry: BaseGeometry) -> str:
    """Name a place by its bounds in whole pixels: a written object over its life."""
    return " ".join(str(round(value)) for value in geometry.bounds)


def places_of(geometries: Sequence[BaseGeometry]) -> frozenset[str]:
    """Name some places."""
    return frozenset(map(place_of, geometries))
