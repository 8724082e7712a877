"""What training gets to see: an open slide with its label plan, and tiles of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations import LabelPlan
from bridge.coords import Window, downsample_for
from bridge.errors import MissingResolutionError
from bridge.slides import Slide


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSlide:
    """A slide and what it teaches.

    Parameters
    ----------
    slide
        Open; the caller closes it.
    plan
        Its labels; ``plan.slide_key`` names the slide.
    metadata
        What the sampling tree may group by: grade, patient …
    revision
        SHA-256 of the annotation file that the plan was made of, for the card; empty where the caller doesn't know.
    """

    slide: Slide
    plan: LabelPlan
    metadata: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""

    @property
    def key(self) -> str:
        """The slide within its project."""
        return self.plan.slide_key

    def downsample(self, mpp: float) -> float:
        """Return level-0 pixels per pixel of a working mpp.

        Raises
        ------
        MissingResolutionError
            Nobody knows the slide's mpp.
        """
        return slide_downsample(self.slide, mpp)


def slide_downsample(slide: Slide, mpp: float) -> float:
    """Return level-0 pixels per pixel of a working mpp, on one slide.

    Raises
    ------
    MissingResolutionError
        Nobody knows the slide's mpp.
    """
    if slide.pyramid.mpp is None:
        raise MissingResolutionError(f"slide {slide.path.name} has no mpp; set [slides] mpp or add a calibration")
    return downsample_for(slide.pyramid.mpp, mpp)


def clear_of(areas: Sequence[BaseGeometry], windows: Iterable[Window]) -> list[Window]:
    """Return the windows that neither overlap nor touch any of some level-0 areas."""
    union = shapely.union_all(list(areas))
    shapely.prepare(union)
    return [window for window in windows if not union.intersects(window.to_region().to_polygon())]


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Pixels and labels of one window.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB; white beyond the slide.
    labels
        uint8, (height, width); 255 where nothing is labelled, and beyond the slide.
    slide_key
        Where it is from.
    window
        On the slide's grid of the working mpp.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    slide_key: str
    window: Window
