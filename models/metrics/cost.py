"""What annotating costs: clicks as in MetaBox+, and the seconds that follow from them, of each way to label a box.

Clicks are counted as MetaBox+ does (Colling et al., "MetaBox+: a new region based active learning method for semantic
segmentation using priority maps", 2020) and the published code of adaptive region selection after it:

* *polygon clicks*: the vertices, inside the box, of the outlines of its objects;
* *intersection clicks*: the places where an outline leaves the box. What runs along the box's edge needs no click;
* *box clicks*: setting the box;
* *class clicks*: one for each object.

Ours are: whose vertices count (the outline simplified at a stated tolerance; a scanner's staircase isn't clicked), the
prices of correcting, deleting and accepting predictions and of patch labels, and all seconds (``PriceOptions``).

H-AI-L's annotation time model is in the ratio of the two prices of one box: with t₀ the seconds of drawing its objects
and t those of correcting, A = t / t₀ is the paper's normalized annotation time; it falls with the regions r annotated
so far (A(r) = e^(−r/τ)), here because predictions improve, not because a curve is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from models.metrics.objects import match_objects

Outlined = tuple[int, Polygon | MultiPolygon]
"""(label, outline) of an object."""

Bounds = tuple[float, float, float, float]
"""A box as (left, top, right, bottom), in the outlines' unit."""

_ON_EDGE = 1e-6  # of a unit: clipping leaves points beside the edge by rounding


@dataclass(frozen=True, slots=True)
class Price:
    """What something costs a person; prices add up.

    Parameters
    ----------
    clicks
        Of a mouse.
    seconds
        Of attention: looking and clicking.
    """

    clicks: int = 0
    seconds: float = 0.0

    def __add__(self, other: Price) -> Price:
        return Price(self.clicks + other.clicks, self.seconds + other.seconds)


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """What each gesture costs."""

    unit_um: float = 1.0
    """µm per unit of the outlines' coordinates: the side of a cell where outlines are in cells."""
    tolerance_um: float = 4.0
    """An outline may be off by so much: half a cell's width, less than two persons' outlines differ by. Ours: MetaBox+
    had the clicks of the people who drew Cityscapes; masks have none."""
    box_clicks: int = 2
    """Two corners where a person sets the box; select it and give it the class ``ROI`` where it was proposed. The
    published code of adaptive region selection counts all four corners."""
    class_clicks: int = 1
    """To give an object its class (MetaBox+)."""
    select_clicks: int = 1
    """To take hold of an object or box that is there (ours)."""
    delete_clicks: int = 1
    """To select what is deleted; the key that deletes it is no click (ours)."""
    accept_iou: float = 0.8
    """Predictions that agree at least so well are left as they are (ours; two experts agree about so far)."""
    match_iou: float = 0.5
    """Predictions that agree at least so well are corrected, others deleted and drawn anew (ours; the usual threshold
    at which an object counts as found, and the least that makes a match unique)."""
    seconds_per_click: float = 0.9
    """Of one further click (Bearman et al., "What's the point", 2016: 0.9 s for each further point)."""
    seconds_per_object: float = 1.5
    """To look at an object, drawn or predicted, and decide (ibid.: 2.4 s until the first point, less its click)."""
    seconds_per_box: float = 5.0
    """To go to a box, take it in, and be sure that nothing in it was overlooked (ours)."""

    def __post_init__(self) -> None:
        if not self.unit_um > 0:
            raise ValueError(f"unit_um must be positive, got {self.unit_um}")
        if not 0 < self.match_iou <= self.accept_iou <= 1:
            raise ValueError(
                f"0 < match_iou <= accept_iou <= 1 must hold, got match_iou={self.match_iou},"
                f" accept_iou={self.accept_iou}"
            )

    @property
    def tolerance(self) -> float:
        """The tolerance in the outlines' unit."""
        return self.tolerance_um / self.unit_um

    def price(self, clicks: int, *, objects: int = 0, boxes: int = 0) -> Price:
        """Return the price of clicks on objects in boxes: seconds per click, per object looked at and per box."""
        seconds = clicks * self.seconds_per_click + objects * self.seconds_per_object + boxes * self.seconds_per_box
        return Price(clicks, seconds)


@dataclass(frozen=True, slots=True)
class Correction:
    """What correcting the predictions in a box takes.

    Parameters
    ----------
    price
        Of all of it, the box's confirmation included.
    accepted
        Predictions left as they are.
    corrected
        Predictions whose outline, class, or both were changed.
    missed
        Objects drawn from nothing.
    false
        Predictions deleted.
    """

    price: Price
    accepted: int
    corrected: int
    missed: int
    false: int


def clicks_in_box(outline: Polygon | MultiPolygon, box: Bounds, options: PriceOptions) -> tuple[int, int]:
    """Return (polygon clicks, intersection clicks) that draw the part of an outline inside a box.

    An object that fills the box takes neither: the box is its outline.
    """
    corners = _corners(outline, box, options)
    return int(np.count_nonzero(~corners.on_edge)), int(np.count_nonzero(corners.on_edge))


def confirmation_price(options: PriceOptions) -> Price:
    """Return what any box costs, were it empty: going there, looking it over, and setting it to ROI."""
    return options.price(options.box_clicks, boxes=1)


def patch_label_price(options: PriceOptions) -> Price:
    """Return the price of one class for a whole box: selecting it, and the class."""
    return options.price(options.select_clicks + options.class_clicks, objects=1)


def drawing_price(objects: Sequence[Outlined], box: Bounds, options: PriceOptions) -> Price:
    """Return the price of labelling a box from nothing: each object's part inside it, and confirming the box.

    Parameters
    ----------
    objects
        The truth of the slide, valid polygons; those that only touch the box cost nothing.
    box
        In the same coordinates.
    options
        Prices and the unit of the coordinates.
    """
    price = confirmation_price(options)
    for part in _inside(objects, box):
        price += _drawn(part, box, options)
    return price


def correction_price(
    truth: Sequence[Outlined], predicted: Sequence[Outlined], box: Bounds, options: PriceOptions
) -> Correction:
    """Return what turning the predictions in a box into the truth takes.

    Objects are cut by the box and matched with predictions one to one from ``match_iou`` on (``match_objects``),
    whatever their classes. From ``accept_iou`` on the outline stays, which is free as the box becomes ROI; below it is
    corrected: one takes hold of the prediction and clicks the true outline's points that lie farther from the
    predicted one than the tolerance, at least one. A wrong class costs taking hold, once, and the class. The rest is
    deleted and drawn. Every object and prediction is looked at. Where predictions are poor this may cost more than
    drawing.
    """
    true, found = _inside(truth, box), _inside(predicted, box)
    pairs = match_objects([t.area for t in true], [f.area for f in found], least_iou=options.match_iou)
    price = confirmation_price(options)
    accepted = 0
    for i, j in pairs:
        clicks = _correction_clicks(true[i], found[j], box, options)
        accepted += clicks == 0
        price += options.price(clicks, objects=1)
    matched = {i for i, _ in pairs}
    missed = [part for i, part in enumerate(true) if i not in matched]
    for part in missed:
        price += _drawn(part, box, options)
    false = len(found) - len(pairs)
    price += options.price(false * options.delete_clicks, objects=false)
    return Correction(price, accepted, len(pairs) - accepted, len(missed), false)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """An object of a slide and the area of it that lies in the box."""

    label: int
    outline: Polygon | MultiPolygon
    area: MultiPolygon


def _inside(objects: Sequence[Outlined], box: Bounds) -> list[_Part]:
    """Return the objects that share area with a box."""
    if not objects:
        return []
    window = shapely.box(*box)
    shapely.prepare(window)
    near = shapely.intersects(window, np.array([outline for _, outline in objects], dtype=object))
    parts = [
        _Part(label, outline, _areas(outline.intersection(window)))
        for (label, outline), is_near in zip(objects, near, strict=True)
        if is_near
    ]
    return [part for part in parts if not part.area.is_empty]


def _areas(shape: BaseGeometry) -> MultiPolygon:
    """Return the polygons of a shape without the points and lines where it touched."""
    parts = shapely.get_parts(shape)
    areas: MultiPolygon = shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
    return areas


def _drawn(part: _Part, box: Bounds, options: PriceOptions) -> Price:
    return options.price(sum(clicks_in_box(part.outline, box, options)) + options.class_clicks, objects=1)


def _correction_clicks(true: _Part, found: _Part, box: Bounds, options: PriceOptions) -> int:
    clicks = 0
    if not match_objects([true.area], [found.area], least_iou=options.accept_iou):
        points = shapely.points(_corners(true.outline, box, options).xy)
        away = shapely.distance(points, found.outline.boundary) > options.tolerance
        clicks += max(1, int(np.count_nonzero(away)))
    if true.label != found.label:
        clicks += options.class_clicks
    return clicks + options.select_clicks if clicks else 0


@dataclass(frozen=True, slots=True, eq=False)
class _Corners:
    """Where one clicks: (n, 2) points, and which of them lie on the box's edge."""

    xy: NDArray[np.float64]
    on_edge: NDArray[np.bool_]


def _corners(outline: Polygon | MultiPolygon, box: Bounds, options: PriceOptions) -> _Corners:
    """Return the points that draw an outline inside a box: all but those between two stretches of the box's edge."""
    clipped = shapely.normalize(_areas(_simplified(outline, options).intersection(shapely.box(*box))))
    kept = [(np.empty((0, 2)), np.empty(0, dtype=np.bool_))]
    for ring in _open_rings(clipped):
        sides = np.abs(ring[:, [0, 1, 0, 1]] - np.array(box)) <= _ON_EDGE  # left, top, right, bottom
        along = (sides & np.roll(sides, -1, axis=0)).any(axis=1)  # the stretch from this point to the next
        needed = ~(along & np.roll(along, 1))
        kept.append((ring[needed], sides.any(axis=1)[needed]))
    xy, on_edge = zip(*kept, strict=True)
    return _Corners(np.concatenate(xy), np.concatenate(on_edge))


def _simplified(outline: Polygon | MultiPolygon, options: PriceOptions) -> Polygon | MultiPolygon:
    """Simplify after Douglas and Peucker, from a point that doesn't depend on where the ring happens to start."""
    simplified: Polygon | MultiPolygon = shapely.simplify(shapely.normalize(outline), options.tolerance)
    return simplified


def _open_rings(shape: Polygon | MultiPolygon) -> list[NDArray[np.float64]]:
    """Return the rings of polygons, (n, 2), without the closing point."""
    return [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(shape))]
