"""The figures: drawn from what there is, absent where there is nothing, and free of text from files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from lxml import etree

from models.metrics import TimePoint, fit_effort
from scripts.loop.effort_account import Account, IterationEffort, SlideEffort
from scripts.loop.effort_work import Work
from scripts.loop.loss_curve import LossCurve, LossPoint
from scripts.report.charts import Chart, area_chart, learning_chart, loss_chart, savings_chart, times_chart
from scripts.report.facts import AreaPoint, ClassCurve, ForeseenPoint, HeldOutPoint

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
HOSTILE = "_$x^$<script>\n\x00"


def curve(name: str, count: int = 3) -> ClassCurve:
    held_out = tuple(HeldOutPoint(i, 0.5, 0.4 + 0.1 * i, None if i else 0.1, 2, True) for i in range(count))
    return ClassCurve(name, held_out, (ForeseenPoint(count, 0.7, 1),))


def losses(*values: float) -> LossCurve:
    points = tuple(LossPoint(step, 10, value, step * 0.5, "high") for step, value in enumerate(values))
    return LossCurve(Path("a.csv"), NOW, "nightly", points)


def effort(paces: Sequence[float]) -> Account:
    slides = [SlideEffort("a", n, 10 * n, 10, 10, 10 * pace, False) for n, pace in enumerate(paces)]
    iterations = tuple(IterationEffort(n, Work(added=10), (slide,)) for n, slide in enumerate(slides))
    points = [TimePoint(s.start, s.end, s.seconds / s.timed_regions / paces[0], s.timed_regions) for s in slides]
    return Account(iterations, fit_effort(points, 10 * len(paces)))


def markers(chart: Chart | None) -> int:
    assert chart is not None
    return len(etree.fromstring(chart.svg).findall(".//use"))


def test_names_of_classes_stand_in_the_legend_and_never_in_the_figure() -> None:
    chart = learning_chart([curve(HOSTILE), curve("Tumor")])
    assert chart is not None
    assert [(mark.name, mark.series) for mark in chart.legend] == [(HOSTILE, 1), ("Tumor", 2)]
    assert "script" not in chart.svg and "Tumor" not in chart.svg


def test_every_point_is_drawn() -> None:
    more = markers(learning_chart([curve("a", 6)])) - markers(learning_chart([curve("a", 5)]))
    assert more == 4  # its dot, the two ends of its bar, and the tick below


def test_more_classes_than_colours_are_said() -> None:
    chart = learning_chart([curve(str(n)) for n in range(7)])
    assert chart is not None and len(chart.legend) == 5 and "first 5 classes" in chart.note


def test_class_that_was_only_foreseen_is_drawn() -> None:
    assert learning_chart([ClassCurve("a", (), (ForeseenPoint(1, 0.5, 2),))]) is not None


def test_nothing_known_gives_no_figure() -> None:
    assert learning_chart([]) is None
    assert loss_chart([]) is None and loss_chart([losses()]) is None
    assert area_chart([], ()) is None and area_chart([AreaPoint(NOW, 1.0)], ()) is None
    assert times_chart(Account()) is None and savings_chart(Account()) is None


def test_loss_that_is_no_number_leaves_the_rest_drawn() -> None:
    chart = loss_chart([losses(2.0, 1.0), losses(1.5, math.nan, math.inf, 0.5)])
    assert chart is not None
    assert [mark.name for mark in chart.legend] == ["newest training, close view", "trainings before it"]
    assert "nan" not in chart.svg and "inf" not in chart.svg


def test_long_curve_is_thinned() -> None:
    short, long = loss_chart([losses(*[1.0, 0.5] * 100)]), loss_chart([losses(*[1.0, 0.5] * 10_000)])
    assert short is not None and long is not None
    assert len(long.svg) < 3 * len(short.svg)


def test_time_saved_is_drawn_with_its_tau() -> None:
    found = effort([10.0, 6.0, 3.0])
    chart = savings_chart(found)
    assert chart is not None and found.fit is not None
    assert f"τ = {found.fit.curve.tau:.0f}" in "".join(etree.fromstring(chart.svg).itertext())
    assert times_chart(found) is not None


def test_area_is_shown_in_the_readers_time() -> None:
    zone = timezone(timedelta(hours=10))
    begin = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    points = [AreaPoint((begin + timedelta(minutes=m)).astimezone(zone), 1.0 + m) for m in (0, 20, 60)]
    chart = area_chart(points, ())
    assert chart is not None and [mark.name for mark in chart.legend] == ["all slides together"]
    words = set(etree.fromstring(chart.svg).itertext())
    assert {"10:00", "2026-Mar-02"} <= words and not {word for word in words if word.startswith(("23:", "00:"))}
