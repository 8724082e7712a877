"""FROC as in the CAMELYON16 challenge: which lesions are found, at how many false positives per slide.

The challenge's rules (Ehteshami Bejnordi et al., JAMA 2017), its constants in `FrocOptions`:

* A lesion is grown by 75 µm in diameter (half of it on each side: five tumour cells), its holes are filled; lesions
  that then touch are one.
* One whose longest diameter is then below 275 µm (isolated tumour cells: 200 µm and the growth) is left out: a
  detection in it is neither a hit nor a false positive. The longest diameter is the major axis of the ellipse with the
  same second moments.
* A detection is a place with a score. It hits the lesion it lies in; the best of several in one counts, and no other. A
  detection in no lesion is a false positive.
* A threshold on the score runs from high to low; the FROC score is the mean sensitivity at 1/4, 1/2, 1, 2, 4 and 8
  false positives per slide, interpolated between thresholds: what is found at no further false positive is a step
  straight up. Beyond the last threshold the curve goes on level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True, slots=True)
class FrocOptions:
    """The rules' numbers.

    Parameters
    ----------
    grown_um
        By how much a lesion's diameter grows.
    least_um
        Longest diameter, once grown, from which a lesion counts.
    rates
        False positives per slide at which sensitivities are averaged.
    """

    grown_um: float = 75.0
    least_um: float = 275.0
    rates: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Lesions:
    """The lesions of one slide, ready to be hit.

    Parameters
    ----------
    areas
        Grown and filled; they don't touch each other.
    counts
        Which of them are large enough to count.
    """

    areas: tuple[Polygon, ...]
    counts: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SlideDetections:
    """What one slide adds to a FROC curve.

    Parameters
    ----------
    lesions
        How many count.
    hits
        Best score in each of those that were found.
    false_positives
        Scores of detections in no lesion.
    """

    lesions: int
    hits: tuple[float, ...] = ()
    false_positives: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Froc:
    """A FROC curve.

    Parameters
    ----------
    slides, lesions
        That it is of.
    false_positives
        Per slide, from 0, never falling: where the curve has its corners; two at one place are a step straight up.
    sensitivities
        Share of lesions found there.
    rates, at_rates
        The rates of the options, and the sensitivity at each.
    """

    slides: int
    lesions: int
    false_positives: tuple[float, ...]
    sensitivities: tuple[float, ...]
    rates: tuple[float, ...]
    at_rates: tuple[float, ...]

    @property
    def score(self) -> float:
        """Mean sensitivity at the rates."""
        return sum(self.at_rates) / len(self.at_rates)


def find_lesions(outlines: Sequence[BaseGeometry], um_per_px: float, options: FrocOptions | None = None) -> Lesions:
    """Return the lesions that some outlines make by the rules.

    Parameters
    ----------
    outlines
        Of the lesion class, in pixels.
    um_per_px
        Of their frame.
    """
    options = options or FrocOptions()
    grown = shapely.buffer(np.array(outlines, dtype=object), options.grown_um / 2 / um_per_px)
    joined = shapely.get_parts(shapely.union_all(grown))
    filled = shapely.polygons(shapely.get_exterior_ring(joined)) if joined.size else joined
    areas = tuple(shapely.get_parts(shapely.union_all(filled)).tolist())  # one may have lain in another's hole
    return Lesions(areas, tuple(major_axis(area) * um_per_px >= options.least_um for area in areas))


def detect(lesions: Lesions, places: ArrayLike, scores: Sequence[float]) -> SlideDetections:
    """Return what detections on a slide hit.

    Parameters
    ----------
    places
        (n, 2), x and y in the frame of the lesions.
    scores
        One each, higher is surer.

    Raises
    ------
    ValueError
        There are more scores than places, or fewer.
    """
    points = np.asarray(places, np.float64).reshape(-1, 2)
    if len(points) != len(scores):
        raise ValueError(f"{len(points)} places and {len(scores)} scores")
    in_lesion = np.full(len(points), -1)
    if lesions.areas and len(points):
        tree = shapely.STRtree(np.asarray(shapely.points(points), dtype=object))
        areas, found = tree.query(np.array(lesions.areas, dtype=object), predicate="intersects")
        in_lesion[found] = areas
    best: dict[int, float] = {}
    for lesion, score in zip(in_lesion.tolist(), scores, strict=True):
        if lesion >= 0 and lesions.counts[lesion]:
            best[lesion] = max(best.get(lesion, -math.inf), score)
    false = tuple(score for lesion, score in zip(in_lesion.tolist(), scores, strict=True) if lesion < 0)
    return SlideDetections(sum(lesions.counts), tuple(best[lesion] for lesion in sorted(best)), false)


def froc(slides: Sequence[SlideDetections], options: FrocOptions | None = None) -> Froc:
    """Return the FROC curve of a set of slides, those without lesions among them.

    Raises
    ------
    ValueError
        No slide has a lesion: there is nothing to be sensitive to.
    """
    options = options or FrocOptions()
    lesions = sum(slide.lesions for slide in slides)
    if not lesions:
        raise ValueError("a FROC curve needs lesions; none of the slides has one that counts")
    hits = np.array([score for slide in slides for score in slide.hits], np.float64)
    false = np.array([score for slide in slides for score in slide.false_positives], np.float64)
    thresholds = np.unique(np.concatenate([hits, false]))[::-1]
    rates = np.array([0.0, *_at_least(false, thresholds) / len(slides)])
    found = np.array([0.0, *_at_least(hits, thresholds) / lesions])
    rises = np.diff(rates) > 0
    is_corner = np.append(True, rises) | np.append(rises, True)  # of thresholds at one rate the first and the last
    rates, found = rates[is_corner], found[is_corner]
    at_rates = _along(rates, found, np.array(options.rates))
    return Froc(
        len(slides), lesions, tuple(rates.tolist()), tuple(found.tolist()), options.rates, tuple(at_rates.tolist())
    )


def major_axis(area: Polygon) -> float:
    """Return the length of the major axis of the ellipse with an outline's second moments; holes don't count.

    Exact, by the sums over the outline's edges; of a picture of the area it is what ``regionprops`` says, up to pixels.
    """
    x, y = shapely.get_coordinates(area.exterior).T
    x, y = x - x.mean(), y - y.mean()  # large coordinates would cost the digits of the moments
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    size = cross.sum() / 2
    centre_x, centre_y = (((v[:-1] + v[1:]) * cross).sum() / (6 * size) for v in (x, y))
    xx, yy = ((cross * (v[:-1] ** 2 + v[:-1] * v[1:] + v[1:] ** 2)).sum() / (12 * size) for v in (x, y))
    mixed = x[:-1] * y[1:] + 2 * x[:-1] * y[:-1] + 2 * x[1:] * y[1:] + x[1:] * y[:-1]
    xy = (cross * mixed).sum() / (24 * size) - centre_x * centre_y
    moments = np.array([[xx - centre_x**2, xy], [xy, yy - centre_y**2]])
    return 4 * math.sqrt(float(np.linalg.eigvalsh(moments)[-1]))


def _along(rates: NDArray[np.float64], found: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the height of the curve at some rates; at a step straight up, its upper end."""
    before = np.searchsorted(rates, wanted, side="right") - 1
    after = np.minimum(before + 1, len(rates) - 1)
    width = rates[after] - rates[before]
    share = np.where(width > 0, (wanted - rates[before]) / np.where(width > 0, width, 1), 0)
    return np.asarray(found[before] + share * (found[after] - found[before]), np.float64)


def _at_least(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many scores reach each threshold."""
    return np.asarray(len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left"), np.float64)
