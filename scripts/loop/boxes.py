"""Boxes to label next on one slide: where they may lie, which ones, and in what words they are asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.annotations import PROPOSED, MachineRole, Proposal
from bridge.annotations.roles import Fate, Outcome, Reconciliation, Role
from bridge.coords import Region, Window, um_to_px
from bridge.ingest import SlideReading
from bridge.store import Store
from models.active import SelectionMethod, SelectionOptions, select_regions
from models.active.overview import reason_for
from scripts.loop.slide_work import SlidePrediction, SlideResult
from scripts.options import ProposeOptions

Bounds = tuple[float, float, float, float]
_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Where no box may lie, as level-0 bounds: each kind for its own reason.

    Parameters
    ----------
    labelled
        ROIs and patch labels.
    ignored
        Areas that are never learned from.
    proposed
        Boxes that a person moved or renamed, so that they aren't ours to replace. Our own open ones are: they don't
        count.
    declined
        Boxes that a person deleted.
    """

    labelled: tuple[Bounds, ...] = ()
    ignored: tuple[Bounds, ...] = ()
    proposed: tuple[Bounds, ...] = ()
    declined: tuple[Bounds, ...] = ()

    @property
    def all(self) -> tuple[Bounds, ...]:
        """All of them."""
        return (*self.labelled, *self.ignored, *self.proposed, *self.declined)

    def counts(self) -> Mapping[str, int]:
        """Return how many there are, by kind."""
        return {
            "labelled": len(self.labelled),
            "ignored": len(self.ignored),
            "proposed": len(self.proposed),
            "declined": len(self.declined),
        }


def taken_areas(store: Store, reading: SlideReading, *, asks_again: bool = False) -> Taken:
    """Return where no proposal may lie on a slide as people left it.

    Parameters
    ----------
    asks_again
        Boxes that were declined may be asked for once more.
    """
    reconciled = reading.reconciled

    def of(*roles: Role) -> tuple[Bounds, ...]:
        return _bounds([o.annotation.geometry for role in roles for o in reconciled.of(role)])

    changed = {id(outcome.annotation) for outcome in changed_by_people(reconciled)}
    others = (o.annotation for o in reconciled.of(Role.OTHER))
    moved = _bounds([a.geometry for a in others if a.path_class == PROPOSED or id(a) in changed])
    declined = () if asks_again else _bounds([w.geometry for w in store.declined(reading.entry.key)])
    return Taken(of(Role.ROI, Role.PATCH_LABEL), of(Role.IGNORE), moved, declined)


def changed_by_people(reconciled: Reconciliation) -> tuple[Outcome, ...]:
    """Return our boxes that a person moved or renamed without answering them: theirs now, and still open."""
    as_written = {id(o.annotation) for o in reconciled.of(Role.PROPOSAL)}
    found = (o for o in reconciled.with_fate(Fate.OPEN) if o.written.role is MachineRole.PROPOSAL)
    return tuple(o for o in found if id(o.annotation) not in as_written)


def _bounds(shapes: Sequence[shapely.Geometry]) -> tuple[Bounds, ...]:
    """Return the bounds of shapes; an empty one, left where a tool lost its points, has none."""
    bounds = shapely.bounds(np.array(shapes, dtype=object)) if shapes else np.zeros((0, 4))
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in bounds[np.isfinite(bounds).all(axis=1)])


@dataclass(frozen=True, slots=True)
class FoundBox:
    """A box that a slide would ask for.

    Parameters
    ----------
    proposal
        Place, rank among the slide's, score and words.
    tissue
        Share of the box.
    look
        Numbers in [0, 1] that tell boxes apart by sight: mean and spread of the colours, mean class probabilities.
    """

    proposal: Proposal
    tissue: float
    look: tuple[float, ...]

    def ranked(self, rank: int) -> FoundBox:
        """Return the same box with another rank."""
        return replace(self, proposal=replace(self.proposal, rank=rank))


@dataclass(frozen=True, slots=True)
class FoundBoxes:
    """What a slide would ask for, best first.

    Parameters
    ----------
    boxes
        Disjoint from each other and from what is taken.
    reason
        Why there are fewer than wanted; None where there are not.
    """

    boxes: tuple[FoundBox, ...] = ()
    reason: str | None = None

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """The boxes to write."""
        return tuple(box.proposal for box in self.boxes)


def find_boxes(
    result: SlideResult,
    taken: Sequence[Bounds],
    options: ProposeOptions,
    mpp: tuple[float, float],
    *,
    seed: int,
    count: int | None = None,
) -> FoundBoxes:
    """Choose the boxes to label next.

    Parameters
    ----------
    taken
        Level-0 bounds that no box may overlap.
    mpp
        Of level 0.
    seed
        Of random boxes.
    count
        How many; None: ``options.k``.
    """
    prediction = result.prediction
    cells, overview = prediction.cells, prediction.overview
    size = max(1, round(um_to_px(options.region_um, mpp) / cells.downsample))
    wanted = options.k if count is None else count
    selection = select_regions(
        overview.score if overview is not None else np.zeros(cells.shape, np.float32),
        result.open_cells,
        [_cells_of(bounds, cells.downsample) for bounds in taken],
        SelectionOptions(
            method_for(prediction, options), wanted, size, options.min_tissue, size_rule=options.size_rule
        ),
        np.random.default_rng(seed),
    )
    found = (_found(prediction, rank, one.box, one.score, options) for rank, one in enumerate(selection.boxes, 1))
    return FoundBoxes(tuple(found), None if selection.reason is None else selection.reason.partition(": ")[2])


def method_for(prediction: SlidePrediction, options: ProposeOptions) -> SelectionMethod:
    """Return how boxes are found: by chance as long as there is no champion."""
    return options.method if prediction.overview is not None else SelectionMethod.RANDOM


def look_at(prediction: SlidePrediction, bounds: Bounds) -> tuple[float, ...]:
    """Return what the cells that some level-0 bounds touch look like; empty where there are none."""
    x, y, width, height = _cells_of(bounds, prediction.cells.downsample)
    return _look(prediction, slice(max(0, y), max(0, y + height)), slice(max(0, x), max(0, x + width)))


def _found(
    prediction: SlidePrediction,
    rank: int,
    box: tuple[int, int, int, int],
    score: float,
    options: ProposeOptions,
) -> FoundBox:
    x, y, width, height = box
    rows, columns = slice(y, y + height), slice(x, x + width)
    region = _region_of(Window(x, y, width, height, prediction.cells.downsample), prediction.extent)
    overview = prediction.overview
    is_guided = overview is not None and options.method is not SelectionMethod.RANDOM
    reason = reason_for(overview, rows, columns) if is_guided and overview is not None else "random"
    tissue = float(prediction.tissue[rows, columns].mean())
    return FoundBox(Proposal(region, rank, score, reason), tissue, _look(prediction, rows, columns))


def _region_of(cells: Window, extent: Region) -> Region:
    """Return some cells in whole level-0 pixels inside the slide, each edge rounded down: neighbours share theirs.

    What is taken ends in cells that it touches, so that no box reaches into it either.
    """
    left, top, right, bottom = (math.floor(edge) for edge in cells.bounds)
    region = Region(left, top, right - left, bottom - top)
    return region.intersection(extent) or region


def _look(prediction: SlidePrediction, rows: slice, columns: slice) -> tuple[float, ...]:
    parts: list[NDArray[np.floating]] = []
    if prediction.colours is not None:
        pixels = prediction.colours[rows, columns].reshape(-1, 3) / _WHITE
        parts += [pixels.mean(axis=0), pixels.std(axis=0)] if len(pixels) else []
    if prediction.overview is not None:
        inside = prediction.overview.probabilities[:, rows, columns]
        parts += [inside.mean(axis=(1, 2), dtype=np.float64)] if inside.size else []
    return tuple(np.concatenate(parts).round(6).tolist()) if parts else ()


def _cells_of(bounds: Bounds, downsample: float) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of the cells that some level-0 bounds touch."""
    window = Window.covering(Region.from_bounds(*bounds), downsample)
    return window.x, window.y, window.width, window.height
