"""Figures of a validation: F1 against iteration (H-AI-L's Fig. 2b), the confusion matrix, FROC curves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.metrics import Confusion, class_scores
from scripts.figures import COLORS, new_figure, save_figure
from scripts.loop.prequential import PrequentialScore
from scripts.loop.validate_summary import IterationSummary
from scripts.plain_words import counted

_KINDS = ("svg", "png")
_BESIDE = 0.03  # iterations: error bars of several classes don't hide each other
_MOST_CLASSES = 20  # whose numbers are legible in the cells of a matrix


def save_figures(
    found: Sequence[IterationSummary], prequential: Sequence[PrequentialScore], folder: Path
) -> Iterator[Path]:
    """Draw every figure that there are numbers for, as SVG and PNG, and yield what was written."""
    yield from _save(f1_figure(found, prequential), folder / "f1_by_iteration")
    yield from _save(confusion_figure(found[-1].confusion), folder / "confusion")
    if any(one.froc is not None for one in found[-1].classes):
        yield from _save(froc_figure(found[-1]), folder / "froc")


def f1_figure(found: Sequence[IterationSummary], prequential: Sequence[PrequentialScore]) -> Any:
    """Return F1 against training iteration: mean over hold-out slides ± sd, and dashed what was foreseen."""
    figure = new_figure(8.0, 4.0)
    axes = figure.add_subplot()
    for place, one in enumerate(found[-1].shown):
        color = COLORS[place % len(COLORS)]
        points = [(s.result.model.iteration, c.spreads["f1"]) for s in found for c in s.classes if c.name == one.name]
        shown = [(iteration, spread) for iteration, spread in points if not math.isnan(spread.mean)]
        errors = [0.0 if math.isnan(spread.sd) else spread.sd for _, spread in shown]
        means = [spread.mean for _, spread in shown]
        beside = [iteration + place * _BESIDE for iteration, _ in shown]
        axes.errorbar(beside, means, errors, marker="o", markersize=4, capsize=3, color=color, label=one.name)
        before = _foreseen(prequential, one.name)
        label = f"{one.name}, before labelling" if before else None
        axes.plot(
            *zip(*before, strict=True), "--s", color=color, markersize=3, linewidth=1, label=label
        ) if before else ()
    _finish(axes, found, prequential)
    return figure


def _foreseen(prequential: Sequence[PrequentialScore], name: str) -> list[tuple[int, float]]:
    scores = [(score.iteration, class_scores(score.confusion).get(name)) for score in prequential]
    return [(i, one.f1) for i, one in scores if one is not None and not math.isnan(one.f1)]


def _finish(axes: Any, found: Sequence[IterationSummary], prequential: Sequence[PrequentialScore]) -> None:
    ticks = {s.result.model.iteration for s in found} | {score.iteration for score in prequential}
    axes.set_xticks(range(min(ticks), max(ticks) + 1, 1 + (max(ticks) - min(ticks)) // 20))
    axes.set_ylim(0, 1.05)
    slides = len(found[-1].result.slides)
    error_bars = ", error bars ±1 sd" if slides > 1 else ""
    axes.set_xlabel("training")
    axes.set_ylabel(f"F1 on {counted(slides, 'hold-out slide')}{error_bars}", fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def confusion_figure(confusion: Confusion) -> Any:
    """Return the matrix as shares of what is true; each row sums to 1."""
    counts = confusion.counts.astype(float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / totals.clip(1)
    side = 2.2 + 0.5 * len(confusion.names)
    figure = new_figure(side + 0.8, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(confusion.names)), confusion.names, rotation=45, ha="right", fontsize="small")
    axes.set_yticks(range(len(confusion.names)), confusion.names, fontsize="small")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true, share of pixels")
    if len(confusion.names) <= _MOST_CLASSES:
        _write_shares(axes, shares)
    return figure


def _write_shares(axes: Any, shares: Any) -> None:
    for (row, column), share in ((place, float(shares[place])) for place in _places(shares.shape)):
        color = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=color, fontsize="small")


def _places(shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    return ((row, column) for row in range(shape[0]) for column in range(shape[1]))


def froc_figure(summary: IterationSummary) -> Any:
    """Return the FROC curves of one iteration, a class each."""
    figure = new_figure(6.4, 4.0)
    axes = figure.add_subplot()
    for place, one in enumerate(summary.shown):
        if one.froc is None:
            continue
        color, curve = COLORS[place % len(COLORS)], one.froc
        reach = max(curve.false_positives[-1], curve.rates[-1])
        x, y = [*curve.false_positives, reach], [*curve.sensitivities, curve.sensitivities[-1]]
        axes.plot(x, y, color=color, label=f"{one.name}: {curve.score:.3f}")
        axes.plot(curve.rates, curve.at_rates, "o", color=color, markersize=4)
    axes.set_xlim(0, 8.5)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("false positives per slide")
    axes.set_ylabel("sensitivity, lesions")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="lower right")
    return figure


def _save(figure: Any, stem: Path) -> Iterator[Path]:
    for kind in _KINDS:
        path = stem.with_suffix(f".{kind}")
        save_figure(figure, path)
        yield path
