"""Shapes to draw where roles are tested, and what a reading says of them."""

from __future__ import annotations

import numpy as np
import shapely
from shapely import box

from bridge.annotations.roles import Fate, Reconciliation, Role

BOX = box(1000, 1000, 1512, 1512)
CELL = box(1100, 1100, 1200, 1180)  # inside BOX
FAR = box(5000, 5000, 5100, 5080)


def moved(shape, x, y=0):
    return shapely.transform(shape, lambda xy: xy + np.array([x, y]))


def fates(reading: Reconciliation) -> list[Fate]:
    return [o.fate for o in reading.outcomes]


def roles(reading: Reconciliation) -> list[Role]:
    return [o.role for o in reading.objects]
