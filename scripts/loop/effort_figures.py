"""The effort as figures (H-AI-L, Fig. 7 and 2a) and tables, in a folder that a person names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridge.files import replace_whole
from scripts.figures import COLORS, new_figure, save_figure
from scripts.loop.effort import Effort
from scripts.loop.effort_account import Account, SlideEffort
from scripts.loop.effort_times import COLUMNS
from scripts.naming.slide_names import SlideNames
from scripts.tables import Cell, Table

_MOST_DOTS = 500  # slides; more are not told apart
_BASELINE, _CURVE, _MEASURED = COLORS[4], COLORS[0], COLORS[1]


def write_effort(effort: Effort, folder: Path) -> tuple[Path, ...]:
    """Write tables and figures into a folder, made if needed; files of the same names are replaced.

    ``effort_times.csv`` can be given to ``--times`` again, corrected by hand.

    Returns
    -------
    tuple
        What was written: without times there are no figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"effort.csv": iteration_table(effort.account), "effort_times.csv": time_table(effort)}
    for name, table in tables.items():
        replace_whole(folder / name, table.to_csv().encode(), is_shared=False)
    return (*(folder / name for name in tables), *_save_figures(effort.account, folder))


def iteration_table(found: Account) -> Table:
    """Return one row an iteration."""
    columns = ["iteration", *found.work.as_counts(), "regions", "timed_regions", "seconds", "seconds_per_region"]
    rows: list[tuple[Cell, ...]] = []
    for each in found.iterations:
        pace = each.seconds_per_region
        cells = (each.iteration, *each.work.as_counts().values(), each.regions, each.timed_regions, each.seconds)
        rows.append((*cells, _cell(pace), each.by_slide, _cell(found.normalized(pace)), str(each.is_measured).lower()))
    return Table((*columns, "slides", "normalized", "measured"), tuple(rows))


def time_table(effort: Effort) -> Table:
    """Return one row a slide and iteration whose time is known, as ``--times`` reads it.

    Slides that share their name stand by their keys.
    """
    called = Counter(name for name, _ in effort.names.table())
    rows = [
        (_called(slide.slide_key, effort.names, called), *_numbers(slide))
        for iteration in effort.account.iterations
        for slide in iteration.slides
        if slide.timed_regions
    ]
    return Table(COLUMNS, tuple(rows))


def savings_figure(found: Account) -> Any:
    """Return Fig. 7: normalized time per region against regions annotated, the fitted curve, and what it saves."""
    assert found.fit is not None, "only a known account is drawn"
    curve = found.fit.curve
    figure = new_figure(7.0, 4.0)
    axes = figure.add_subplot()
    places = np.linspace(0, curve.regions, 400)
    fitted = curve.time_at(places)
    axes.fill_between(
        places, fitted, 1, color=_BASELINE, alpha=0.18, linewidth=0, label=f"saved: {curve.savings:.1f} %"
    )
    axes.fill_between(places, 0, fitted, color=_CURVE, alpha=0.18, linewidth=0, label="time with predictions")
    axes.plot([0, curve.regions], [1, 1], "--", color=_BASELINE, linewidth=1, label="without predictions")
    axes.plot(places, fitted, color=_CURVE, label=_curve_name(found))
    axes.plot(*_steps(found), color=_MEASURED, linewidth=2.5, solid_capstyle="butt", label="time per region, by slide")
    for number, boundary in enumerate(_boundaries(found)):
        name = "a training" if number == 0 else None
        axes.axvline(boundary, color="0.3", linewidth=0.8, linestyle=":", label=name)
    axes.set(xlim=(0, curve.regions), xlabel="regions annotated", ylabel="annotation time per region, normalized")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return figure


def times_figure(found: Account) -> Any:
    """Return Fig. 2a: annotation time per region by iteration, mean ± sd over slides, each slide a dot."""
    figure = new_figure(5.0, 3.6)
    axes = figure.add_subplot()
    for each in found.iterations:
        if each.seconds_per_region is None:
            continue
        sd = each.by_slide.sd
        axes.bar(each.iteration, each.seconds_per_region, 0.7, color=_CURVE, alpha=0.5)
        if not math.isnan(sd):
            axes.errorbar(each.iteration, each.by_slide.mean, sd, color="0.2", capsize=3)
        times = [slide.seconds_per_region for slide in each.slides if slide.seconds_per_region is not None]
        if len(_timed(found)) <= _MOST_DOTS:
            axes.plot([each.iteration] * len(times), times, "o", color=_MEASURED, markersize=3)
    numbers = [each.iteration for each in found.iterations]
    axes.set_xticks(range(min(numbers), max(numbers) + 1, 1 + (max(numbers) - min(numbers)) // 20))
    axes.set(xlabel="training (0: without predictions)", ylabel="annotation time per region, s")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _save_figures(found: Account, folder: Path) -> Iterator[Path]:
    figures = []
    if any(iteration.timed_regions for iteration in found.iterations):
        figures.append((times_figure(found), "time_per_region"))
    if found.fit is not None:
        figures.append((savings_figure(found), "time_savings"))
    for figure, name in figures:
        for kind in ("svg", "png"):
            path = folder / f"{name}.{kind}"
            save_figure(figure, path)
            yield path


def _curve_name(found: Account) -> str:
    assert found.fit is not None, "only a known account is drawn"
    return f"H-AI-L curve, τ = {found.fit.curve.tau:.0f}" if found.fit.decays else "no decay"


def _steps(found: Account) -> tuple[Sequence[float], Sequence[float]]:
    """Return x and y of a level line a slide, in one path: thousands of slides stay a small file."""
    x: list[float] = []
    y: list[float] = []
    for slide in _timed(found):
        time = _cell(found.normalized(slide.seconds_per_region))
        x += [slide.start, slide.end, math.nan]
        y += [time, time, math.nan]
    return x, y


def _timed(found: Account) -> Sequence[SlideEffort]:
    return [slide for iteration in found.iterations for slide in iteration.slides if slide.timed_regions]


def _boundaries(found: Account) -> Sequence[int]:
    """Return, in regions, where trainings lie: between iterations in which something was annotated."""
    ends, end = [], 0
    for iteration in found.iterations:
        end += iteration.regions
        ends.append(end)
    return sorted(set(ends[:-1]) - {0, end})


def _called(slide_key: str | None, names: SlideNames, called: Mapping[str, int]) -> str:
    if slide_key is None:
        return ""
    name = names.of(slide_key)
    return name if called[name] == 1 else slide_key


def _numbers(slide: SlideEffort) -> tuple[int, int, float]:
    return slide.iteration, slide.timed_regions, slide.seconds


def _cell(value: float | None) -> float:
    return math.nan if value is None else value
