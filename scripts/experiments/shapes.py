"""Outlines: blobs described by a radius per angle, and many small wobbly ellipses at once. All in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from scripts.experiments.chance import Floats, Sites, key_of, uniform

_GRID = 4.0  # vertices lie on quarters of a level-0 pixel: exact in GeoJSON's hundredths and in the raster rule's 1/256


@dataclass(frozen=True, slots=True)
class Blob:
    """A star-shaped area whose border is r = R(angle): the same formula gives its polygon and every point's depth.

    Parameters
    ----------
    x_um, y_um
        The middle.
    width_um, height_um
        Half of the mean extents.
    wobble
        Share of the radius by which the border swings, over all harmonics.
    seed, stream
        Of the harmonics' phases and sizes.
    harmonics
        How many; more give a border with finer teeth.
    """

    x_um: float
    y_um: float
    width_um: float
    height_um: float
    wobble: float
    seed: int
    stream: str
    harmonics: int = 12

    def relative(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return 0 in the middle, 1 on the border, more outside."""
        across, down = (x_um - self.x_um) / self.width_um, (y_um - self.y_um) / self.height_um
        angles = np.linspace(-np.pi, np.pi, 2049)
        return np.asarray(np.hypot(across, down) / np.interp(np.arctan2(down, across), angles, self._radius(angles)))

    def depth_um(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return about how far inside the border a point lies; negative outside."""
        return (1 - self.relative(x_um, y_um)) * min(self.width_um, self.height_um)

    def polygon(self, mpp: float, vertices: int = 360) -> Polygon:
        """Return the outline in level-0 pixels."""
        angles = np.linspace(-np.pi, np.pi, vertices, endpoint=False)
        radius = self._radius(angles)
        x = self.x_um + radius * np.cos(angles) * self.width_um
        y = self.y_um + radius * np.sin(angles) * self.height_um
        return on_grid(np.stack([x, y], axis=-1) / mpp)

    def _radius(self, angles: Floats) -> Floats:
        order = np.arange(2, 2 + self.harmonics)
        chance = [uniform(key_of(self.seed, f"{self.stream}/{name}"), order, order) for name in ("size", "phase")]
        sizes = (0.3 + chance[0]) / order**1.5  # finer waves are lower: an outline, not a star
        sizes *= self.wobble / max(float(np.sqrt((sizes**2).sum())), 1e-9)
        waves = np.cos(angles[:, None] * order + 2 * np.pi * chance[1])
        return np.asarray(np.clip(1 + waves @ sizes, 0.3, None))


def on_grid(ring_px: Floats) -> Polygon:
    """Return a polygon with vertices on quarters of a pixel, valid: the biggest part where rounding made it cross."""
    return largest(shapely.make_valid(Polygon(np.round(ring_px * _GRID) / _GRID)))


def largest(area: shapely.geometry.base.BaseGeometry) -> Polygon:
    """Return the biggest polygon of an area; an empty one where there is none."""
    parts = [part for part in shapely.get_parts(area).tolist() if isinstance(part, Polygon)]
    return max(parts, key=lambda part: float(part.area), default=Polygon())


@dataclass(frozen=True, slots=True)
class Ellipses:
    """How many small outlines look: one number per site.

    Parameters
    ----------
    radius_um
        Geometric mean of both half axes.
    elongation
        Long half axis over short one.
    angle
        Of the long axis, radians.
    """

    radius_um: Floats
    elongation: Floats
    angle: Floats


def rings(sites: Sites, look: Ellipses, mpp: float, seed: int, vertices: int = 14) -> NDArray[np.float64]:
    """Return wobbly ellipses in level-0 pixels, shape (sites, vertices, 2), on quarters of a pixel."""
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    phase = 2 * np.pi * np.stack([sites.uniform(seed, f"ring/{k}") for k in (2, 3)], axis=-1)
    wave = 0.07 * np.cos(2 * angles + phase[:, :1]) + 0.06 * np.cos(3 * angles + phase[:, 1:])
    long = (look.radius_um * np.sqrt(look.elongation))[:, None] * (1 + wave) * np.cos(angles)
    short = (look.radius_um / np.sqrt(look.elongation))[:, None] * (1 + wave) * np.sin(angles)
    cos, sin = np.cos(look.angle)[:, None], np.sin(look.angle)[:, None]
    x = sites.x_um[:, None] + long * cos - short * sin
    y = sites.y_um[:, None] + long * sin + short * cos
    return np.asarray(np.round(np.stack([x, y], axis=-1) / mpp * _GRID) / _GRID)


def polygons(sites: Sites, look: Ellipses, mpp: float, seed: int) -> list[Polygon]:
    """Return the same as valid polygons without those that vanish on the grid; small ones may lose their wobble."""
    if not len(sites):
        return []
    made = np.asarray(shapely.polygons(rings(sites, look, mpp, seed)), dtype=np.object_)
    invalid = ~shapely.is_valid(made)
    made[invalid] = [largest(shapely.make_valid(ring)) for ring in made[invalid]]
    return [polygon for polygon in made.tolist() if polygon.area > 0]
