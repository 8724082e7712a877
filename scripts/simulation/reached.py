"""The paper's Table 1: what had to be annotated until a model was as good as one that learned from everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from models.metrics import Spread
from models.simulation import CycleStep
from scripts.simulation.arms import Arm, way_name
from scripts.simulation.curves import Simulated
from scripts.tables import Cell, Table, said

LEVELS = (0.99, 1.0)
"""Shares of the mIoU of full annotation."""
NEVER = "/"  # as the paper writes it
_PERCENT = 100.0


def share_table(found: Mapping[str, Simulated], cell_um: float | None, levels: Sequence[float] = LEVELS) -> Table:
    """Return annotated tissue in % at which levels were reached: a row per method and level, a column per (k, l).

    A cell is the mean ± sd over seeds of the annotated tissue at the end of the first cycle that reached the level of
    the same seed's full annotation. Where some seeds never did, the mean is of those that did and their number is said;
    ``/`` where none did.

    Parameters
    ----------
    found
        Collection of slides → its runs; with one of them, it isn't named in the table.
    cell_um
        Side of a cell in µm; None where collections differ in it: l is then given in cells.
    """
    arms = _arms(found)
    steps = sorted({arm.step for arm in arms})
    ways = list(dict.fromkeys(arm.way for arm in arms))
    is_told = len({actions for _, actions in ways}) > 1
    rows: list[tuple[Cell, ...]] = []
    for name, simulated in found.items():
        named = (name,) if len(found) > 1 else ()
        for level in levels:
            for way in ways:
                cells = [share_cell(simulated, Arm(way[0], size, k, way[1]), level) for k, size in steps]
                rows.append((*named, level_name(level), way_name(way, is_told=is_told), *cells))
    heads = ("slides",) if len(found) > 1 else ()
    columns = (*heads, "of full", "method", *(step_name(step, cell_um) for step in steps))
    return Table(columns, tuple(rows))


def price_table(found: Mapping[str, Simulated], cell_um: float | None, levels: Sequence[float] = LEVELS) -> Table:
    """Return boxes, clicks and minutes until levels were reached: a row per arm and level; cells as in `share_table`.

    Minutes are a person's, by the model of `models.metrics.cost`.
    """
    is_told = len({arm.actions for arm in _arms(found)}) > 1
    rows: list[tuple[Cell, ...]] = []
    for name, simulated in found.items():
        named = (name,) if len(found) > 1 else ()
        for level in levels:
            for arm in simulated.arms:
                cells = [_cell(simulated.reached(arm, level), of, 1) for of in _PRICES.values()]
                way = way_name(arm.way, is_told=is_told)
                rows.append((*named, level_name(level), way, step_name(arm.step, cell_um), *cells))
    heads = ("slides",) if len(found) > 1 else ()
    return Table((*heads, "of full", "method", "k, l", *_PRICES), tuple(rows))


def share_cell(found: Simulated, arm: Arm, level: float) -> str:
    """Return one cell of `share_table`; empty where the arm wasn't run."""
    return _cell(found.reached(arm, level), lambda step: _PERCENT * step.annotated_share, 1)


def step_name(step: tuple[int, int], cell_um: float | None) -> str:
    """Return k and l in words; l in cells where no one size of a cell is given."""
    k, size = step
    return f"k = {k}, l = {size} cells" if cell_um is None else f"k = {k}, l = {size * cell_um:g} µm"


def level_name(level: float) -> str:
    """Return a level in words."""
    return f"{_PERCENT * level:g} %"


_PRICES: Mapping[str, Callable[[CycleStep], float]] = {
    "annotated tissue, %": lambda step: _PERCENT * step.annotated_share,
    "boxes": lambda step: step.regions,
    "clicks": lambda step: step.clicks,
    "minutes": lambda step: step.seconds / 60,
}


def _cell(steps: Sequence[CycleStep | None], of: Callable[[CycleStep], float], digits: int) -> str:
    if not steps:
        return ""
    reached = [of(step) for step in steps if step is not None]
    if not reached:
        return NEVER
    missed = "" if len(reached) == len(steps) else f" ({len(reached)} of {len(steps)})"
    return said(Spread.of(reached), digits) + missed


def _arms(found: Mapping[str, Simulated]) -> list[Arm]:
    return list(dict.fromkeys(arm for simulated in found.values() for arm in simulated.arms))
