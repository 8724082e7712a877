"""What a simulation leaves behind: a CSV with a row per cycle, the figure, the tables and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.files import replace_whole
from models.active import SelectionMethod
from models.metrics import Spread
from models.simulation import CycleStep
from scripts.csv_text import csv_text
from scripts.figures import save_figure
from scripts.simulation.curves import Curve, Simulated
from scripts.simulation.efficiency import Difference, differences, least_dependent, size_dependence
from scripts.simulation.panels import draw_panels
from scripts.simulation.reached import price_table, share_table, step_name
from scripts.tables import said

_NAME = "simulation"


@dataclass(frozen=True, slots=True)
class Account:
    """A simulation on a project, done.

    Parameters
    ----------
    found
        Its runs.
    classes
        By label; the first is background.
    cell_um
        Side of a cell.
    frame
        How many slides train and judge, and what was left out: lines for people.
    folder
        Where it was written.
    """

    found: Simulated
    classes: tuple[str, ...]
    cell_um: float
    frame: tuple[str, ...]
    folder: Path

    def write(self) -> None:
        """Write ``simulation.csv``, ``.svg`` and ``.md`` into the folder; the same bytes for the same runs.

        Raises
        ------
        OSError
            The folder can't be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        table = to_csv(self.found, self.classes, self.cell_um)
        replace_whole(self.folder / f"{_NAME}.csv", table.encode())
        save_figure(draw_panels({"": self.found}, self.cell_um), self.folder / f"{_NAME}.svg")
        replace_whole(self.folder / f"{_NAME}.md", ("\n".join(self.lines()) + "\n").encode())

    def lines(self) -> list[str]:
        """Return the tables and what they say, in Markdown."""
        full = self.found.full_level
        lines = [*self.frame, f"mIoU of full annotation: {said(full)}", ""]
        lines += ["Annotated tissue in % at which a share of that was reached (/: never):", ""]
        lines += share_table({"": self.found}, self.cell_um).to_markdown().splitlines()
        lines += ["", "What it cost a person till then, by models of clicks and seconds:", ""]
        lines += price_table({"": self.found}, self.cell_um).to_markdown().splitlines()
        return [*lines, "", *(f"- {line}" for line in readings(self.found, self.cell_um))]

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "full_annotation_miou": dict(self.found.full),
            "rows": rows_of(self.found, self.classes, self.cell_um),
            "readings": readings(self.found, self.cell_um),
            "frame": list(self.frame),
            "written": [str(self.folder / f"{_NAME}.{kind}") for kind in ("csv", "svg", "md")],
        }


Row = dict[str, str | int | float]


def rows_of(found: Simulated, classes: Sequence[str], cell_um: float) -> list[Row]:
    """Return one row per cycle of every run, first those of full annotation; shares are of 1."""
    rows: list[Row] = [
        {"method": "full annotation", "seed": seed, "annotated_share": 1.0, "miou": value}
        for seed, value in sorted(found.full.items())
    ]
    return rows + [_row(curve, step, classes, cell_um) for curve in found.curves for step in curve.steps]


def _row(curve: Curve, step: CycleStep, classes: Sequence[str], cell_um: float) -> Row:
    row: Row = {
        "method": curve.arm.method.value,
        "actions": curve.arm.actions.value,
        "region_um": curve.arm.size * cell_um,
        "k": curve.arm.k,
        "seed": curve.seed,
        "cycle": step.cycle,
        "annotated_share": step.annotated_share,
        "miou": step.miou,
        "regions": step.regions,
        "clicks": step.clicks,
        "seconds": step.seconds,
    }
    return row | {f"iou {name}": step.iou[name] for name in classes[1:] if name in step.iou}


def to_csv(found: Simulated, classes: Sequence[str], cell_um: float) -> str:
    """Return `rows_of` as comma-separated values with all digits; what a row hasn't is left empty."""
    columns = ["method", "actions", "region_um", "k", "seed", "cycle", "annotated_share", "miou"]
    columns += ["regions", "clicks", "seconds", *(f"iou {name}" for name in classes[1:])]
    rows = rows_of(found, classes, cell_um)
    return csv_text(columns, ([row.get(column) for column in columns] for row in rows))


def readings(found: Simulated, cell_um: float) -> list[str]:
    """Say whether adaptive does at least as well as the other methods, and how much each depends on l."""
    methods = {arm.method for arm in found.arms}
    lines = []
    for other in SelectionMethod:
        if other is not SelectionMethod.ADAPTIVE and {other, SelectionMethod.ADAPTIVE} <= methods:
            lines.append(_compared(differences(found, SelectionMethod.ADAPTIVE, other), other, cell_um))
    return [*lines, _sizes_compared(found, [method for method in SelectionMethod if method in methods])]


def _sizes_compared(found: Simulated, methods: Sequence[SelectionMethod]) -> str:
    spreads = {method: size_dependence(found, method) for method in methods}
    least = least_dependent(found, methods)
    if least is None:
        return "dependence on l: not measured, for no k have several sizes a range of annotated tissue in common"
    listed = ", ".join(f"{name_of(method)} {said(spread)}" for method, spread in spreads.items() if spread.count)
    return (
        "dependence on l (largest less smallest mean mIoU over sizes, at one k and range of annotated tissue):"
        f" {listed}; least: {name_of(least)}"
    )


def _compared(found: Sequence[Difference], other: SelectionMethod, cell_um: float) -> str:
    measured = [d for d in found if d.gain.count]
    if not measured:
        return f"adaptive against {name_of(other)}: their curves share no range of annotated tissue"
    worse = [d for d in measured if d.is_worse]
    verdict = f"worse at {len(worse)} of {len(measured)}"
    if not worse:
        unknown = len(found) - len(measured)
        verdict = "at least as good at every k and l"
        if unknown:
            verdict = f"at least as good at {len(measured)} of {len(found)} (k, l), {unknown} share no range"
    return f"adaptive against {name_of(other)}: {verdict}; mean mIoU {differences_said(measured, cell_um)}"


def differences_said(found: Sequence[Difference], cell_um: float | None) -> str:
    """Return differences with the step and the range of shares that each was measured on."""
    return "; ".join(
        f"{said(d.gain, 3, '+') if d.gain.count else '–'}"
        f" ({step_name(d.step, cell_um)}{_range_said(d)}{_seeds_said(d.gain)})"
        for d in found
    )


def name_of(method: SelectionMethod) -> str:
    """Return a method's name for a sentence."""
    return method.value.replace("_", " ")


def _range_said(difference: Difference) -> str:
    if difference.shares is None:
        return ", no common range"
    low, high = difference.shares
    return f", {100 * low:.1f} to {100 * high:.1f} %"


def _seeds_said(gain: Spread) -> str:
    return f", {gain.count} seed{'s' if gain.count > 1 else ''}" if not math.isnan(gain.mean) else ""
