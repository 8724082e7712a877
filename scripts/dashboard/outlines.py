"""Outlines of a slide for the part that is on screen: simplified for the zoom, never more than a browser can draw."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.errors import AnnotationFileError
from bridge.watch import observe
from scripts.dashboard.giants import Rings, fitted
from scripts.dashboard.looking import Look
from scripts.loop.pull import read_entry
from scripts.web.layers import Layer, Outline, outlines_of, without_small_holes

MOST_OUTLINES = 10_000
MOST_VERTICES = 200_000
_MANY_VERTICES = 20_000  # of one outline
_TOLERANCE = 0.5  # of a screen pixel
_KEPT = 4  # slides
_FINEST = 0.05  # level-0 pixels per screen pixel: nobody zooms in further


@dataclass(frozen=True, slots=True)
class View:
    """What is on screen: level-0 bounds, and level-0 pixels per screen pixel."""

    left: float
    top: float
    right: float
    bottom: float
    unit: float


class SlideOutlines:
    """The outlines of one revision of a slide's file, to be asked for parts of it.

    Parameters
    ----------
    outlines
        Hindmost first.
    mpp
        µm per level-0 pixel (x, y).
    warnings
        Of reading it, one line each.
    """

    def __init__(self, outlines: Sequence[Outline], mpp: tuple[float, float], warnings: tuple[str, ...] = ()) -> None:
        self.outlines = outlines
        self.mpp = mpp
        self.warnings = warnings
        self._shapes = np.array([outline.geometry for outline in outlines], dtype=object)
        self._bounds = shapely.bounds(self._shapes).reshape(-1, 4)
        self._tree = shapely.STRtree(self._shapes)
        names = [(outline.path_class, outline.colour) for outline in outlines]
        self._classes = list(dict.fromkeys(names))
        self._class_of = {name: number for number, name in enumerate(self._classes)}

    def counts(self) -> Mapping[str, int]:
        """Return how many outlines each layer has."""
        return {layer.value: sum(o.layer is layer for o in self.outlines) for layer in Layer}

    def within(self, view: View) -> Mapping[str, object]:
        """Return what is to be drawn, for JSON: coordinates are level-0 pixels, told from ``origin`` in ``unit``.

        Where more would be there than can be drawn in a moment the largest are taken, and those of very many vertices
        in fewer than the zoom would show; the answer says so.
        """
        found = np.sort(self._tree.query(shapely.box(view.left, view.top, view.right, view.bottom)))
        chosen = self._largest(found)
        unit = max(view.unit, _FINEST) / 4  # a quarter of a screen pixel
        shapes, coarse = _drawn(self._shapes[chosen], self._bounds[chosen], view)
        chosen, shapes = _at_most_vertices(chosen, shapes, self._extent(chosen))
        origin = (round(view.left), round(view.top))
        return {
            "origin": origin,
            "unit": unit,
            "layers": [layer.value for layer in Layer],
            "classes": [{"name": name, "colour": colour} for name, colour in self._classes],
            "objects": [
                self._object(place, rings)
                for place, rings in zip(chosen.tolist(), _rings(shapes, origin, unit), strict=True)
            ],
            "there": len(found),
            "coarse": coarse,
        }

    def _largest(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return at most so many as are drawn; boxes that ask for labels, and the largest of all others."""
        if len(found) <= MOST_OUTLINES:
            return found
        by_size = found[np.argsort(-self._extent(found), kind="stable")]
        return np.sort(by_size[:MOST_OUTLINES])

    def _extent(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what decides who is drawn: a box that asks for labels always is."""
        bounds = self._bounds[places]
        extent = np.maximum(bounds[:, 2] - bounds[:, 0], bounds[:, 3] - bounds[:, 1])
        asks = np.array([self.outlines[place].layer is Layer.PROPOSAL for place in places.tolist()], dtype=bool)
        return np.where(asks, np.inf, extent)

    def _object(self, place: int, rings: Sequence[NDArray[np.int64]]) -> Mapping[str, object]:
        outline = self.outlines[place]
        known: dict[str, object] = {
            "layer": list(Layer).index(outline.layer),
            "class": self._class_of[outline.path_class, outline.colour],
            "rings": rings,
        }
        return known | ({"note": outline.note} if outline.note else {})


def _drawn(shapes: NDArray[np.object_], bounds: NDArray[np.float64], view: View) -> tuple[NDArray[np.object_], int]:
    """Return shapes as a screen can show them: fewer vertices, and what is smaller than two pixels as its box.

    Holes smaller than that are filled. Returned with them: of how many there are fewer vertices than the screen shows.
    """
    if not len(shapes):
        return shapes, 0
    unit, plain = view.unit, shapes.copy()
    is_speck = (bounds[:, 2:] - bounds[:, :2]).max(axis=1) < 2 * unit
    is_giant = ~is_speck & (shapely.get_num_coordinates(shapes) > _MANY_VERTICES)
    centre = (bounds[:, :2] + bounds[:, 2:]) / 2
    plain[is_speck] = shapely.box(*(centre[is_speck] - unit).T, *(centre[is_speck] + unit).T)
    usual = ~is_speck & ~is_giant
    plain[usual] = shapely.simplify(without_small_holes(shapes[usual], 2 * unit), _TOLERANCE * unit)
    return _giants(shapes, view, plain, np.flatnonzero(is_giant))


def _giants(
    shapes: NDArray[np.object_], view: View, drawn: NDArray[np.object_], places: NDArray[np.int64]
) -> tuple[NDArray[np.object_], int]:
    """Return what is drawn, and of how many outlines in fewer vertices than the zoom would show.

    Of outlines of very many vertices, as a stroma's has, only what is in view is drawn, in as many vertices as there
    is room for: half of all.
    """
    found, cell = drawn.copy(), _TOLERANCE * view.unit
    whole = {n: Rings.of(shapes[n]).within(view.left, view.top, view.right, view.bottom) for n in places.tolist()}
    thin = {n: rings.thinned(cell) for n, rings in whole.items()}
    others = int(np.delete(shapely.get_num_coordinates(drawn), places).sum())
    is_much = sum(map(len, thin.values())) + others > MOST_VERTICES
    most = MOST_VERTICES // 2 // max(1, len(places)) if is_much else MOST_VERTICES
    coarse = 0
    for place, rings in whole.items():
        kept, is_coarse = (thin[place], False) if len(thin[place]) <= most else fitted(rings, cell, most)
        found[place] = kept.shape()
        coarse += is_coarse
    return found, coarse


def _at_most_vertices(
    places: NDArray[np.int64], shapes: NDArray[np.object_], extent: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Return as many as have not too many vertices together, the largest first taken; the order stays."""
    counts, room = shapely.get_num_coordinates(shapes).tolist(), MOST_VERTICES
    kept = []
    for place in np.argsort(-extent, kind="stable").tolist():
        if counts[place] <= room:  # one that is too much by itself leaves its room to the others
            room -= counts[place]
            kept.append(place)
    kept.sort()
    return places[kept], shapes[kept]


def _rings(shapes: NDArray[np.object_], origin: tuple[int, int], unit: float) -> list[list[NDArray[np.int64]]]:
    """Return each shape's rings as whole numbers x, y, x, y …, the last vertex not repeated."""
    parts, whole = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    is_last = np.diff(ring, append=-1) != 0
    points = np.rint((vertices[~is_last] - origin) / unit).astype(np.int64).ravel()
    stops = 2 * np.cumsum(np.bincount(ring[~is_last], minlength=len(rings)))
    found: list[list[NDArray[np.int64]]] = [[] for _ in shapes]
    for owner, one in zip(whole[part].tolist(), np.split(points, stops[:-1]), strict=False):
        found[owner].append(one)
    return found


@dataclass(slots=True)
class OutlineCache:
    """Outlines of the slides that are looked at, read anew after each save; threads may share it."""

    _kept: OrderedDict[tuple[str, str], SlideOutlines] = field(default_factory=OrderedDict)
    _reading: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def outlines(self, look: Look, slide_id: str) -> tuple[str, SlideOutlines]:
        """Return the revision of a slide's file, and its outlines.

        Raises
        ------
        KeyError
            There is no such slide.
        BridgeError
            Its file, or the slide, can't be read.
        """
        revision = revision_of(look, slide_id)
        with self._lock:
            reading = self._reading.setdefault(slide_id, threading.Lock())
        with reading:  # two tabs read it once
            with self._lock:
                kept = self._kept.get((slide_id, revision))
            if kept is None:
                kept = self._read(look, slide_id)
                self._keep(slide_id, revision, kept)
        return revision, kept

    def _read(self, look: Look, slide_id: str) -> SlideOutlines:
        reading = read_entry(look.project, look.store, look.entries[slide_id])
        found = outlines_of(reading, look.project.settings)
        said = {note: look.names.hide(note) for note in {outline.note for outline in found}}
        found = [replace(outline, note=said[outline.note]) for outline in found]
        return SlideOutlines(found, reading.mpp, tuple(map(look.names.hide, reading.warnings)))

    def _keep(self, slide_id: str, revision: str, found: SlideOutlines) -> None:
        with self._lock:
            for known in [key for key in self._kept if key[0] == slide_id]:
                del self._kept[known]
            self._kept[slide_id, revision] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def revision_of(look: Look, slide_id: str) -> str:
    """Return what changes with every save of a slide's file; a moment's look, the file isn't read.

    Raises
    ------
    KeyError
        There is no such slide.
    AnnotationFileError
        The project's slides can't be listed now: where its file lies isn't known.
    OSError
        Its folder can't be reached.
    """
    if look.warning is not None:
        raise AnnotationFileError(look.warning)
    state = observe(look.entries[slide_id].annotation_path)
    return "none" if state is None else f"{state.size:x}-{state.modified:.6f}"
