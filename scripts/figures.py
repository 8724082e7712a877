"""Figures that come out the same, byte for byte, for the same numbers; matplotlib comes with the first one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.files import replacing

if TYPE_CHECKING:
    from models.metrics import Spread

_MOST_BYTES = 400_000
_DPI = 150  # of a PNG
COLORS = ("#3b6fb6", "#d98032", "#4d9a5b", "#a04a73", "#7a7a7a")
"""Of the arms, in their order; told apart with colour-blind eyes and in grey."""


def new_figure(width: float = 7.0, height: float = 3.6) -> Any:
    """Return an empty ``matplotlib.figure.Figure`` without any window system, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here, for it takes a moment to load
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def bars(
    axes: Any, groups: Sequence[str], arms: Sequence[tuple[str, Sequence[Spread]]], *, has_legend: bool = True
) -> None:
    """Draw bars with their sd, where there is one: one cluster per group, one bar per arm.

    Parameters
    ----------
    axes
        Of matplotlib.
    groups
        Names under the clusters.
    arms
        (name, one spread per group).
    has_legend
        Name the arms, where there are two or more.
    """
    width = 0.8 / max(1, len(arms))
    for number, (name, spreads) in enumerate(arms):
        places = [group + (number - (len(arms) - 1) / 2) * width for group in range(len(groups))]
        means, errors = [s.mean for s in spreads], [s.sd for s in spreads]
        axes.bar(places, means, width * 0.92, yerr=errors, capsize=3, color=COLORS[number % len(COLORS)], label=name)
    axes.set_xticks(range(len(groups)), groups)
    axes.spines[["top", "right"]].set_visible(False)
    if has_legend and len(arms) > 1:
        axes.legend(frameon=False, fontsize="small")


def save_figure(figure: Any, path: Path) -> None:
    """Write an SVG or a PNG, by the name, without date, versions or random ids; a file of that name is replaced whole.

    Raises
    ------
    ValueError
        It would be 400 kB or more: too much is drawn.
    """
    import matplotlib

    kind = path.suffix.removeprefix(".")
    said: dict[str, Any] = {"metadata": {"Date": None, "Creator": None}}
    if kind == "png":
        said = {"metadata": {"Software": None}, "dpi": _DPI}
    with replacing(path) as unfinished:
        with matplotlib.rc_context({"svg.hashsalt": "slidebridge", "svg.fonttype": "path"}):
            figure.savefig(unfinished, format=kind, **said)
        size = unfinished.stat().st_size
        if size >= _MOST_BYTES:
            raise ValueError(f"figure {path.name} has {size} bytes; draw less")
