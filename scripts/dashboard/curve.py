"""The curve of the training under way, or of the last one, as the page draws it and as words tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scripts.dashboard.live import training_since
from scripts.dashboard.looking import Look
from scripts.loop.costs import duration
from scripts.loop.loss_curve import CURVES, LossCurve, LossPoint, newest_curve
from scripts.loop.status_daemon import moment
from scripts.loop.training_words import kind_in_words, net_in_words
from scripts.thinning import thinned

_MOST_POINTS = 800  # of each net: a chart has no more columns
_MOST_ROWS = 20
_STAMP = timedelta(seconds=1)  # a curve's name tells no parts of a second
_RECENT = 30  # points that the time left is told from


@dataclass(frozen=True, slots=True)
class NetCurve:
    """One net's losses, thinned for a chart; None where a loss is no number."""

    title: str
    steps: tuple[int, ...]
    losses: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class CurveFacts:
    """What the page shows of a training.

    Parameters
    ----------
    is_running
        It is the one under way; else the last one.
    headline, progress
        What it is, and where it is, a sentence each.
    share
        Of the net that is trained now, 0 to 1.
    planned
        Steps of the net that makes most of them.
    rows
        (net, step, of, loss, seconds) at some moments, for those who don't see the chart.
    """

    is_running: bool
    headline: str
    progress: str
    share: float
    planned: int
    nets: tuple[NetCurve, ...]
    rows: tuple[tuple[str, str, str, str, str], ...]

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for the page's script."""
        return {
            "running": self.is_running,
            "headline": self.headline,
            "progress": self.progress,
            "share": round(self.share, 4),
            "planned": self.planned,
            "nets": [{"title": n.title, "steps": list(n.steps), "losses": list(n.losses)} for n in self.nets],
            "rows": [list(row) for row in self.rows],
        }


def read_curve_facts(look: Look, now: datetime) -> CurveFacts | None:
    """Return the curve of the training under way, else of the last one; None before the first.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    curve, since = newest_curve(look.project.data_folder / CURVES), training_since(look, now)
    is_its = curve is not None and (since is None or curve.started_at > since - _STAMP)
    if curve is not None and curve.last is not None and is_its:
        return curve_facts(curve, curve.last, is_running=since is not None)
    return None if since is None else _begun(since)


def curve_facts(curve: LossCurve, last: LossPoint, *, is_running: bool) -> CurveFacts:
    """Return what is shown of a curve whose last point is given."""
    nets = curve.by_net()
    which = "Running now" if is_running else "The last one"
    return CurveFacts(
        is_running,
        f"{which}: training {kind_in_words(curve.kind)}, begun {moment(curve.started_at)}",
        _progress(nets, last, is_running=is_running),
        min(1.0, last.step / last.planned) if last.planned > 0 else 0.0,
        max(points[-1].planned for points in nets.values()),
        tuple(_net_curve(name, points) for name, points in nets.items()),
        tuple(_rows(curve.points)),
    )


def _begun(since: datetime) -> CurveFacts:
    """Return what is shown of a training that has made no step yet."""
    return CurveFacts(
        True, f"Running now: a training, begun {moment(since)}", "Getting ready for the first step", 0, 0, (), ()
    )


def _progress(nets: Mapping[str, Sequence[LossPoint]], last: LossPoint, *, is_running: bool) -> str:
    which = f"Network “{net_in_words(last.net)}”: step" if len(nets) > 1 else "Step"
    said = f"{which} {last.step:,} of {last.planned:,}, loss {_loss(last.loss)}"
    if not is_running:
        return f"{said}, after {_duration(last.seconds)}"
    left = _seconds_left(nets[last.net])
    if last.step >= last.planned:
        return f"{said}; the steps are done, the result is being judged or the next network begins"
    return said if left is None else f"{said}, about {_duration(left)} left"


def _seconds_left(points: Sequence[LossPoint]) -> float | None:
    """Return how long a net's other steps will take, at the pace of the last ones; None before it has one."""
    recent = points[-_RECENT:]
    steps, seconds = recent[-1].step - recent[0].step, recent[-1].seconds - recent[0].seconds
    if steps <= 0 or seconds <= 0:
        return None
    return (recent[-1].planned - recent[-1].step) * seconds / steps


def _net_curve(name: str, points: Sequence[LossPoint]) -> NetCurve:
    kept = thinned(points, _MOST_POINTS)
    losses = tuple(point.loss if math.isfinite(point.loss) else None for point in kept)
    return NetCurve(net_in_words(name), tuple(point.step for point in kept), losses)


def _rows(points: Sequence[LossPoint]) -> Sequence[tuple[str, str, str, str, str]]:
    return [
        (net_in_words(p.net), f"{p.step:,}", f"{p.planned:,}", _loss(p.loss), _duration(p.seconds))
        for p in thinned(points, _MOST_ROWS)
    ]


def _loss(loss: float) -> str:
    return f"{loss:.3f}" if math.isfinite(loss) else "not a number"


def _duration(seconds: float) -> str:
    return duration(max(0, round(seconds)))
