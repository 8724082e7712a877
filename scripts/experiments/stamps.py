"""Thousands of small ellipses burnt at once: cells that nobody outlines, where polygons would cost too much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.experiments.chance import Floats, Sites
from scripts.experiments.frame import Frame
from scripts.experiments.scene import Materials
from scripts.experiments.shapes import Ellipses


def stamp(materials: Materials, sites: Sites, look: Ellipses, material: int, frame: Frame) -> None:
    """Paint an ellipse at every site: the pixels whose middles lie inside, or else the pixel that holds the site.

    What a pixel gets depends on the sites around it only, not on the frame, as long as sites come from a margin as wide
    as the largest ellipse.
    """
    if not len(sites):
        return
    half = int(np.ceil(float((look.radius_um * np.sqrt(look.elongation)).max()) / frame.mpp))
    steps = np.arange(-half, half + 1)
    column = np.floor(sites.x_um / frame.mpp).astype(np.int64)[:, None, None] + steps
    row = np.floor(sites.y_um / frame.mpp).astype(np.int64)[:, None, None] + steps[:, None]
    hit = _is_inside(np.asarray((column + 0.5) * frame.mpp), np.asarray((row + 0.5) * frame.mpp), sites, look)
    hit[:, half, half] = True
    column, row = column - frame.window.x, row - frame.window.y
    height, width = frame.shape
    hit &= (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = np.broadcast_arrays(column, row)
    materials[row[hit], column[hit]] = material


def _is_inside(x_um: Floats, y_um: Floats, sites: Sites, look: Ellipses) -> NDArray[np.bool_]:
    across, down = x_um - sites.x_um[:, None, None], y_um - sites.y_um[:, None, None]
    cos, sin = (f(look.angle)[:, None, None] for f in (np.cos, np.sin))
    squeeze = look.elongation[:, None, None]
    along, aside = across * cos + down * sin, down * cos - across * sin
    return np.asarray(along**2 / squeeze + aside**2 * squeeze <= np.square(look.radius_um)[:, None, None])
