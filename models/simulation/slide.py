"""A fully annotated slide as the simulation sees it: a grid of cells, the patches of the paper's map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from bridge.annotations import IGNORE_LABEL

Grid = NDArray[np.bool_]
"""A yes or no per cell, shape (rows, columns)."""

Times = NDArray[np.uint8]
"""How many boxes hold each cell, shape (rows, columns); 0 is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSlide:
    """Cells of one slide with what is seen of them and what is true of them.

    Parameters
    ----------
    key
        The slide within its collection.
    group
        Stratum: subsets and the validation share are drawn from each alike; "" for none.
    features
        (rows, columns, features): what a frozen encoder sees, averaged over each cell.
    labels
        (rows, columns): the class that a cell teaches, by a named rule; 255 where nothing is labelled.
    truth
        (rows × parts, columns × parts): what predictions are judged on; 255 is not judged.
    tissue
        (rows, columns): cells that are predicted, selected for and learned from.
    objects
        (label, outline in cell coordinates) of what an expert draws; half-open, (0, 0) is the corner of the first cell.
    tissue_share
        (rows, columns): how much of each cell is tissue, 0 to 1; None where ``tissue`` says all.

    Raises
    ------
    ValueError
        Shapes that don't belong together.
    """

    key: str
    group: str
    features: NDArray[np.float32]
    labels: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    tissue: Grid
    objects: tuple[tuple[int, Polygon], ...] = ()
    tissue_share: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        shape = self.tissue.shape
        share = shape if self.tissue_share is None else self.tissue_share.shape
        if self.features.shape[:2] != shape or self.labels.shape != shape or share != shape:
            raise ValueError(f"slide {self.key}: features, labels and tissue need one grid of cells, {shape}")
        parts = self.truth.shape[0] // shape[0]
        if parts < 1 or self.truth.shape != (shape[0] * parts, shape[1] * parts):
            raise ValueError(
                f"slide {self.key}: a truth of shape {self.truth.shape} is no whole parts of {shape} cells"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.labels.shape[0], self.labels.shape[1]

    @property
    def parts(self) -> int:
        """Pixels of the truth per cell and side."""
        return int(self.truth.shape[0] // self.shape[0])

    @property
    def tissue_area(self) -> NDArray[np.float64]:
        """Tissue in each cell, in cells; (rows, columns)."""
        return np.asarray(self.tissue if self.tissue_share is None else self.tissue_share, np.float64)

    @property
    def teaches(self) -> Grid:
        """Cells with tissue and a label."""
        return np.asarray(self.tissue & (self.labels != IGNORE_LABEL))

    @property
    def is_known(self) -> Grid:
        """Cells of which any part is labelled; the others are ignored, or nobody has said anything of them."""
        rows, columns = self.shape
        seen = self.truth.reshape(rows, self.parts, columns, self.parts) != IGNORE_LABEL
        return np.asarray(seen.any(axis=(1, 3)))
