"""The report's figures: learning, loss, effort, annotated area; each with its legend and words, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scripts.figures import COLORS, new_figure
from scripts.loop.effort_account import Account
from scripts.loop.effort_figures import savings_figure, times_figure
from scripts.loop.loss_curve import LossCurve, LossPoint
from scripts.loop.training_words import net_in_words
from scripts.report.drawing import inline_svg
from scripts.report.facts import AreaPoint, ClassCurve, RunRow
from scripts.thinning import thinned

_WIDTH, _HEIGHT = 6.4, 3.5
_BESIDE = 0.03  # iterations: error bars of several classes don't hide each other
_MOST_LINES = len(COLORS)
_MOST_LOSS_POINTS = 300
_MOST_TICKS = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry of a legend; ``series`` is the colour's number, from 1."""

    name: str
    series: int
    look: str = "line"


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure for the page."""

    svg: str
    legend: tuple[Mark, ...] = ()
    note: str = ""


def learning_chart(curves: Sequence[ClassCurve]) -> Chart | None:
    """Return F1 against iteration, a class a colour: whole lines judged on the hold-out, dashed ones foreseen."""
    shown = [curve for curve in curves if curve.held_out or curve.foreseen][:_MOST_LINES]
    if not shown:
        return None
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    for place, curve in enumerate(shown):
        _draw_curve(axes, curve, place)
    numbers = [n for curve in shown for n in curve.iterations]
    _iterations(axes, numbers)
    axes.set_ylim(0, 1.05)
    axes.set(xlabel="training", ylabel="F1")
    left_out = len(curves) - len(shown)
    note = f"The first {_MOST_LINES} classes are drawn; the table has all." if left_out > 0 else ""
    marks = tuple(Mark(curve.name, place + 1) for place, curve in enumerate(shown))
    return Chart(inline_svg(figure, "learning", "F1 of each class by training"), marks, note)


def loss_chart(losses: Sequence[LossCurve]) -> Chart | None:
    """Return the loss of the newest training, a net a colour, and those before it in grey."""
    drawn = [curve for curve in losses if curve.points]
    if not drawn:
        return None
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    for curve in drawn[:-1]:
        for points in curve.by_net().values():
            axes.plot(*_loss(points), color=COLORS[4], linewidth=0.8, alpha=0.6)
    marks = []
    for place, (net, points) in enumerate(drawn[-1].by_net().items()):
        axes.plot(*_loss(points), color=COLORS[place % 4], linewidth=1.5)
        which = f", {net_in_words(net)}" if net else ""
        marks.append(Mark(f"newest training{which}", place % 4 + 1))
    if len(drawn) > 1:
        marks.append(Mark("trainings before it", 5))
    axes.set(xlabel="step", ylabel="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    _plain(axes)
    return Chart(inline_svg(figure, "loss", "Loss of the latest trainings against step"), tuple(marks))


def area_chart(points: Sequence[AreaPoint], runs: Sequence[RunRow]) -> Chart | None:
    """Return the labelled area over time, with a dotted line where a training ended; None for a single moment."""
    if len(points) < 2:
        return None
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    zone = points[-1].at.tzinfo
    times = [_naive(point.at, zone) for point in points]
    axes.step(times, [point.mm2 for point in points], where="post", color=COLORS[0], linewidth=1.8)
    ended = [_naive(run.ended_at, zone) for run in runs if run.ended_at is not None and run.verdict == "used"]
    inside = [at for at in ended if times[0] <= at <= times[-1]]
    for at in inside:
        axes.axvline(at, color=COLORS[4], linewidth=0.8, linestyle=":")
    _dates(axes)
    axes.set(ylabel="labelled completely, mm²")
    axes.set_ylim(bottom=0)
    _plain(axes)
    marks = (Mark("all slides together", 1), *((Mark("a new model came into use", 5, "dotted"),) if inside else ()))
    return Chart(inline_svg(figure, "area", "Completely labelled area over time"), marks)


def times_chart(found: Account) -> Chart | None:
    """Return annotation time per region by iteration; None where no time is known."""
    if not any(iteration.timed_regions for iteration in found.iterations):
        return None
    return Chart(inline_svg(_sized(times_figure(found)), "times", "Annotation time per region, by training"))


def savings_chart(found: Account) -> Chart | None:
    """Return the fitted effort curve; None where it isn't known."""
    if found.fit is None:
        return None
    title = "Annotation time per region against regions annotated"
    return Chart(inline_svg(_sized(savings_figure(found)), "savings", title))


def _sized(figure: Any) -> Any:
    """Return a figure in the size of the others, so that all letters are of one size."""
    figure.set_size_inches(_WIDTH, _HEIGHT)
    return figure


def _draw_curve(axes: Any, curve: ClassCurve, place: int) -> None:
    color, aside = COLORS[place], place * _BESIDE
    known = [
        (point.iteration + aside, point.mean, point.sd or 0.0) for point in curve.held_out if point.mean is not None
    ]
    if known:
        x, means, errors = zip(*known, strict=True)
        axes.errorbar(x, means, errors, marker="o", markersize=4, capsize=3, color=color, linewidth=1.6)
    if curve.foreseen:
        x, f1 = zip(*((point.iteration + aside, point.f1) for point in curve.foreseen), strict=True)
        axes.plot(x, f1, "--s", color=color, markersize=3, linewidth=1)


def _iterations(axes: Any, numbers: Sequence[int]) -> None:
    first, last = min(numbers), max(numbers)
    axes.set_xticks(range(first, last + 1, 1 + (last - first) // _MOST_TICKS))
    axes.set_xlim(first - 0.4, last + 0.4)
    _plain(axes)


def _dates(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]  # matplotlib's
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=COLORS[4], alpha=0.2, linewidth=0.6)
    axes.set_axisbelow(True)


def _naive(at: datetime, zone: Any) -> datetime:
    """Return a moment as the clock on the wall showed it: matplotlib would show UTC."""
    return at.astimezone(zone).replace(tzinfo=None)


def _loss(points: Sequence[LossPoint]) -> tuple[list[int], list[float]]:
    chosen = thinned(points, _MOST_LOSS_POINTS)
    return [point.step for point in chosen], [point.loss for point in chosen]
