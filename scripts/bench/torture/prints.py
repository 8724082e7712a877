"""How the referee knows an object again, exactly: id where the format keeps one, class, name, and every vertex."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation
from bridge.annotations.scheme import plain_class

OWN = "h"  # names of what a person draws begin with it
_TAB = "\t"


def print_of(annotation: Annotation) -> str:
    """Return what names an object in exactly this state."""
    object_id = annotation.object_id if annotation.layer is None else ""  # ImageScope numbers anew at every save
    shape = hashlib.blake2b(shapely.to_wkb(annotation.geometry), digest_size=8).hexdigest()
    return _TAB.join((object_id, annotation.path_class or "", annotation.name or "", shape))


def prints_of(annotations: Iterable[Annotation]) -> set[str]:
    """Return the prints of some objects."""
    return {print_of(annotation) for annotation in annotations}


def made_plain(item: str) -> str:
    """Return the print after the one change that we make to a person's object: ``X: Predicted`` becomes X."""
    object_id, path_class, *rest = item.split(_TAB)
    return _TAB.join((object_id, plain_class(path_class) or path_class, *rest))


def where_now(item: str, found: Collection[str]) -> str | None:
    """Return the print by which an object is in a file, as it was or made plain; None when it isn't."""
    return next((now for now in (item, made_plain(item)) if now in found), None)


def place_of(geometry: BaseGeometry) -> str:
    """Return what names a machine-made object over its life: bounds in whole pixels, which no two of them share."""
    return " ".join(str(round(value)) for value in geometry.bounds)


def drawn_by_hand(item: str) -> bool:
    """Say whether the object of a print was drawn by a person from nothing."""
    return item.split(_TAB)[2].startswith(OWN)
