"""The three layers of a slide: what an expert drew or accepted, what a model predicts, and where it asks for labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, SlideEntry
from bridge.annotations.gestures import said_class
from bridge.annotations.objects import ObjectKind, Rgb
from bridge.annotations.roles import Fate, Interpreted, Role
from bridge.annotations.scheme import PROPOSED, format_color, plain_class
from bridge.ingest import SlideReading
from bridge.store import Store
from scripts.config import Settings
from scripts.loop.pull import read_entry
from scripts.project import Project

_GREY: Rgb = (128, 128, 128)  # of classes that have no colour anywhere
_NO_CLASS = "(no class)"
_LEARNS_NOTHING = "not one of the project's classes: nothing is learned from it"


class Layer(StrEnum):
    """Whose outlines they are."""

    EXPERT = "expert"
    PREDICTION = "prediction"
    PROPOSAL = "proposal"

    @property
    def said(self) -> str:
        """What people read."""
        return _SAID[self]


_SAID = {
    Layer.EXPERT: "Drawn or accepted by people",
    Layer.PREDICTION: "Predictions",
    Layer.PROPOSAL: "Proposed to be labelled next",
}


@dataclass(frozen=True, slots=True)
class Outline:
    """One outline to be shown.

    Parameters
    ----------
    path_class
        As people know it: of predictions the plain class, ``ROI``, ``Proposed``, or a name of the file's own.
    colour
        ``#rrggbb``: the class scheme's; where that has none, the file's.
    geometry
        Level-0 (x, y), as drawn: it may cross itself.
    note
        In words: a proposal's rank, reason and score; where a person's object came from; why it teaches nothing.
        Hostile text, as the class is: it may be a person's.
    """

    layer: Layer
    path_class: str
    colour: str
    geometry: BaseGeometry
    note: str = ""


def slide_outlines(project: Project, store: Store, entry: SlideEntry) -> Sequence[Outline]:
    """Return the outlines of a slide's annotation file as it is now; nothing is recorded or written.

    A save in progress is waited for; a file that is as the last pass read it is not.

    Raises
    ------
    BridgeError
        The file or the slide can't be read.
    """
    return outlines_of(read_entry(project, store, entry), project.settings)


def outlines_of(reading: SlideReading, settings: Settings) -> Sequence[Outline]:
    """Return the outlines of a slide that was read: predictions first, proposals, and people's last, to be on top."""
    outcomes = reading.reconciled.outcomes
    done = {id(o.annotation) for o in outcomes if o.annotation is not None and o.fate is not Fate.OPEN}
    found = (_outline(item, settings, is_done=id(item.annotation) in done) for item in reading.reconciled.objects)
    order = [Layer.PREDICTION, Layer.PROPOSAL, Layer.EXPERT]
    return sorted((o for o in found if o is not None), key=lambda outline: order.index(outline.layer))


def simplified(outlines: Sequence[Outline], tolerance_px: float) -> Sequence[Outline]:
    """Return the outlines for a picture in which one pixel is ``tolerance_px`` of level 0.

    None of them, nor of their holes, is moved by more than that pixel; outlines and holes that fit into one are left
    out.
    """
    if not outlines or tolerance_px <= 0:
        return outlines
    shapes = np.array([outline.geometry for outline in outlines], dtype=object)
    bounds = shapely.bounds(shapes)
    is_seen = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1]) >= tolerance_px
    places = np.flatnonzero(is_seen)
    plain = shapely.simplify(without_small_holes(shapes[places], tolerance_px), tolerance_px)
    return [replace(outlines[place], geometry=shape) for place, shape in zip(places.tolist(), plain, strict=True)]


def without_small_holes(shapes: NDArray[np.object_], side_px: float) -> NDArray[np.object_]:
    """Return areas without the holes that are smaller than a square of that side; all other vertices stay.

    Simplifying keeps four vertices of each hole, however small, and 40,000 of them take GEOS 14 seconds.
    """
    has_holes = [bool(shapely.get_num_interior_rings(shapely.get_parts(shape)).any()) for shape in shapes]
    plain = shapes.copy()
    for place in np.flatnonzero(has_holes).tolist():
        parts = [_without_small_holes(part, side_px) for part in shapely.get_parts(shapes[place])]
        plain[place] = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return plain


def _without_small_holes(polygon: shapely.Polygon, side_px: float) -> shapely.Polygon:
    holes = np.array(polygon.interiors, dtype=object)
    if not len(holes):
        return polygon
    bounds = shapely.bounds(holes)
    is_seen = (bounds[:, 2:] - bounds[:, :2]).max(axis=1) >= side_px
    return shapely.Polygon(polygon.exterior, holes[is_seen])


def _outline(item: Interpreted, settings: Settings, *, is_done: bool) -> Outline | None:
    """Return what is shown of an object; None for what is no outline, or nobody's work that we know of."""
    layer = _layer(item, is_done=is_done)
    if layer is None:
        return None
    path_class = _class(item, layer, settings)
    colour = _colour(item, layer, path_class, settings)
    return Outline(layer, path_class, format_color(colour), item.annotation.geometry, _note(item, layer))


def _layer(item: Interpreted, *, is_done: bool) -> Layer | None:
    annotation = item.annotation
    if annotation.geometry.is_empty or not annotation.shape.is_area:
        return None
    match item.role:
        case Role.PREDICTION:
            return Layer.PREDICTION
        case Role.PROPOSAL:
            return None if is_done else Layer.PROPOSAL  # one that is labelled already is asked for no more
        case Role.OTHER:
            return _layer_of_other(annotation, is_done=is_done)
        case _:
            return Layer.EXPERT


def _layer_of_other(annotation: Annotation, *, is_done: bool) -> Layer | None:
    if annotation.path_class == PROPOSED:  # a box that somebody moved, or of a write that isn't known (any more)
        return None if is_done else Layer.PROPOSAL
    if annotation.is_ours and plain_class(annotation.path_class or "") is not None:
        return Layer.PREDICTION
    # Detections, tiles and cores of the tool's own are no work of a person.
    return Layer.EXPERT if annotation.kind is ObjectKind.ANNOTATION else None


def _class(item: Interpreted, layer: Layer, settings: Settings) -> str:
    if layer is Layer.PROPOSAL:
        return PROPOSED
    if item.path_class is not None:
        return item.path_class
    said = said_class(item.annotation, settings.classes.scheme(), settings.labels)
    return said if said is not None else _NO_CLASS


def _colour(item: Interpreted, layer: Layer, path_class: str, settings: Settings) -> Rgb:
    if layer is Layer.PROPOSAL:
        return settings.write.proposed_color
    if item.role is Role.ROI:
        return settings.write.roi_color
    in_scheme = settings.classes.scheme().colors.get(path_class)
    return in_scheme or item.annotation.own_color or item.annotation.color or _GREY


def _note(item: Interpreted, layer: Layer) -> str:
    annotation = item.annotation
    match layer:
        case Layer.PROPOSAL:
            return annotation.name or ""
        case Layer.PREDICTION:
            return "" if annotation.probability is None else f"probability {annotation.probability:.2f}"
        case Layer.EXPERT:
            return _note_of_expert(item)


def _note_of_expert(item: Interpreted) -> str:
    match item.role:
        case Role.ROI:
            return "everything inside is labelled"
        case Role.IGNORE:
            return "left out of learning"
        case Role.PATCH_LABEL:
            return "a proposal that was labelled as a whole"
        case Role.OTHER:
            return _LEARNS_NOTHING
        case _:
            return "began as a prediction" if item.began_as_prediction else ""
