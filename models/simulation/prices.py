"""What a simulated expert does with a box, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from bridge.annotations import IGNORE_LABEL
from bridge.coords import Window
from bridge.raster import LabelMask, vectorize
from models.active import MapBox
from models.metrics.cost import (
    Price,
    PriceOptions,
    confirmation_price,
    correction_price,
    drawing_price,
    patch_label_price,
)
from models.simulation.options import Actions
from models.simulation.slide import SimulatedSlide

Outlines = Sequence[tuple[int, Polygon]]
"""(label, outline in cell coordinates)."""


@dataclass(frozen=True, slots=True)
class BoxWork:
    """What was done with one box.

    Parameters
    ----------
    price
        Of all of it.
    patch_label
        The one class that the box was given; None where it was drawn.
    is_corrected
        Whether it was made from a prediction.
    """

    price: Price
    patch_label: int | None = None
    is_corrected: bool = False


def outlines_of(labels: NDArray[np.uint8], classes: Sequence[str]) -> list[tuple[int, Polygon]]:
    """Return the outlines of predicted cells, in cell coordinates; background has none."""
    rows, columns = labels.shape
    return vectorize(LabelMask(labels, Window(0, 0, columns, rows), tuple(classes)))


def work_on_box(
    slide: SimulatedSlide, box: MapBox, predicted: Outlines | None, actions: Actions, prices: PriceOptions
) -> BoxWork:
    """Return the allowed way to label a box that takes the fewest clicks.

    Of equal ones a correction comes first, then drawing: an outline teaches more than one class for the whole box.

    Parameters
    ----------
    slide
        With what is true of it.
    box
        On its grid.
    predicted
        What a model has drawn on the slide; None before there is one.
    actions
        What is allowed.
    prices
        In units of cells.
    """
    bounds = (box.x, box.y, box.x + box.width, box.y + box.height)
    ways = [BoxWork(drawing_price(slide.objects, bounds, prices))]
    if predicted is not None and actions.corrections:
        corrected = correction_price(slide.objects, predicted, bounds, prices).price
        ways.insert(0, BoxWork(corrected, is_corrected=True))
    label = main_class(slide, box, actions.patch_share) if actions.patch_labels else None
    if label is not None:
        ways.append(BoxWork(patch_label_price(prices), patch_label=label))
    return min(ways, key=lambda way: way.price.clicks)


def main_class(slide: SimulatedSlide, box: MapBox, share: float) -> int | None:
    """Return the class of at least a share of a box's labelled tissue; None where there is none such.

    Glass isn't counted: it teaches nothing, and a border of it would make every box background.
    """
    parts = slide.parts
    rows, columns = slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
    truth = slide.truth[box.y * parts : rows.stop * parts, box.x * parts : columns.stop * parts]
    seen = truth[slide.tissue[rows, columns].repeat(parts, axis=0).repeat(parts, axis=1)]
    counts = np.bincount(seen[seen != IGNORE_LABEL], minlength=1)
    most = int(counts.argmax())
    return most if counts[most] > 0 and counts[most] >= share * counts.sum() else None


def look_again(prices: PriceOptions) -> BoxWork:
    """Return what a box costs in which everything is drawn already."""
    return BoxWork(confirmation_price(prices))
