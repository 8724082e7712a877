"""The paper's Fig. 4: mIoU against annotated tissue, a panel per step size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from models.active import SelectionMethod
from models.simulation import CycleStep, curve_band
from scripts.figures import COLORS, new_figure
from scripts.simulation.arms import ActionSet, way_name
from scripts.simulation.curves import Simulated
from scripts.simulation.reached import step_name

_WIDTH, _HEIGHT = 3.1, 2.5  # inches of a panel
_POINTS = 24  # of an interpolated curve
_LINES = {ActionSet.DRAW: "-", ActionSet.CORRECT: "--", ActionSet.PATCH: ":", ActionSet.ALL: "-."}
_COLORS = dict(zip(SelectionMethod, COLORS, strict=False))


class Axis(Enum):
    """What mIoU is drawn against."""

    TISSUE = "annotated tissue, %"
    CLICKS = "clicks"

    def spent(self, step: CycleStep) -> float:
        """Return what had been spent at a cycle's end."""
        return 100 * step.annotated_share if self is Axis.TISSUE else step.clicks


def draw_panels(found: Mapping[str, Simulated], cell_um: float | None, axis: Axis = Axis.TISSUE) -> Any:
    """Draw mean (line) and least to most (shade) over seeds, interpolated where all seeds passed through.

    One collection of slides: a row per k, a column per l, as in the paper. Several: a row each, a column per (k, l).
    The grey line is the mean mIoU of full annotation.

    Parameters
    ----------
    found
        Collection of slides → its runs.
    cell_um
        Side of a cell in µm; None where collections differ in it: l is then given in cells.
    axis
        What mIoU is drawn against.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = _rows(found)
    figure = new_figure(_WIDTH * max(len(row) for row in rows), _HEIGHT * len(rows) + 0.4)
    grid = figure.subplots(len(rows), max(len(row) for row in rows), squeeze=False, sharey="row")
    for axes, row in zip(grid, rows, strict=True):
        for place, (title, simulated, step) in zip(axes, row, strict=False):
            _draw_panel(place, simulated, step, axis)
            place.set_title(", ".join(part for part in (title, step_name(step, cell_um)) if part), fontsize="small")
        axes[0].set_ylabel("mIoU")
        for place in axes[len(row) :]:
            place.set_axis_off()
    for place in grid[-1]:
        place.set_xlabel(axis.value)
    handles = {label: line for line, label in _labelled(grid)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    return figure


_Panel = tuple[str, Simulated, tuple[int, int]]


def _rows(found: Mapping[str, Simulated]) -> list[list[_Panel]]:
    panels = {
        name: [(name if len(found) > 1 else "", simulated, step) for step in sorted({a.step for a in simulated.arms})]
        for name, simulated in found.items()
    }
    if len(found) > 1:
        return list(panels.values())
    (one,) = panels.values()
    return [[panel for panel in one if panel[2][0] == k] for k in sorted({panel[2][0] for panel in one})]


def _draw_panel(axes: Any, found: Simulated, step: tuple[int, int], axis: Axis) -> None:
    arms = [arm for arm in found.arms if arm.step == step]
    is_told = len({arm.actions for arm in found.arms}) > 1
    for arm in arms:
        label = way_name(arm.way, is_told=is_told)
        curves = [curve.against(axis.spent) for curve in found.of(arm)]
        style = {"color": _COLORS[arm.method], "linestyle": _LINES[arm.actions], "label": label, "linewidth": 1.2}
        drawn = curve_band(curves, _POINTS)
        if len(drawn.x) < _POINTS:
            _draw_each(axes, curves, style)
            continue
        axes.plot(drawn.x, drawn.mean, **style)
        axes.fill_between(drawn.x, drawn.least, drawn.most, color=_COLORS[arm.method], alpha=0.15, linewidth=0)
    axes.axhline(found.full_level.mean, color="#888888", linewidth=0.8, linestyle=(0, (4, 3)), label="full annotation")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize="small")


def _draw_each(axes: Any, curves: Sequence[Sequence[tuple[float, float]]], style: Mapping[str, Any]) -> None:
    """Draw seeds one by one where they share no range: a mean would be of other seeds at each place."""
    for curve in curves:
        spent, values = zip(*curve, strict=True)
        axes.plot(spent, values, marker=".", markersize=3, **style)


def _labelled(grid: Any) -> list[tuple[Any, str]]:
    return [(line, label) for axes in grid.flat for line, label in zip(*axes.get_legend_handles_labels(), strict=True)]
