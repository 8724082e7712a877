from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from scripts.figures import save_figure
from scripts.loop.effort_account import Account, account
from scripts.loop.effort_figures import iteration_table, savings_figure, times_figure
from scripts.loop.effort_saves import SavedWork
from scripts.loop.effort_work import Time, Work


def known(*places: tuple[str, int, int, float | None]) -> Account:
    """Return the account of (slide, iteration, regions, seconds)."""
    work = {(s, i): Work(added=n) for s, i, n, _ in places}
    return account(SavedWork(work, {(s, i): Time(n, t) for s, i, n, t in places if t is not None}))


@pytest.fixture
def found() -> Account:
    return known(("a", 0, 10, 500.0), ("b", 0, 10, 300.0), ("c", 1, 40, 800.0), ("d", 1, 20, None), ("e", 3, 20, 100.0))


def test_figure_seven_shows_curve_steps_and_trainings(found: Account) -> None:
    assert found.fit is not None
    (axes,) = savings_figure(found).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["without predictions"].get_ydata().tolist() == [1, 1]
    (name,) = [n for n in lines if n.startswith("H-AI-L curve")]
    x, y = lines[name].get_data()
    assert (x[0], x[-1]) == (0, 100)
    assert np.allclose(y, np.exp(-x / found.fit.curve.tau))
    x, y = (np.array(values).reshape(-1, 3) for values in lines["time per region, by slide"].get_data())
    assert x[:, :2].tolist() == [[0, 10], [10, 20], [20, 60], [80, 100]]
    assert y[:, :2].tolist() == [[1.25, 1.25], [0.75, 0.75], [0.5, 0.5], [0.125, 0.125]]
    upright = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert upright == [20, 80]
    assert any(f"saved: {found.fit.curve.savings:.1f} %" == a.get_label() for a in axes.collections)


def test_figure_two_a_shows_times_by_iteration(found: Account) -> None:
    (axes,) = times_figure(found).axes
    bars = [(patch.get_x() + patch.get_width() / 2, patch.get_height()) for patch in axes.patches]
    assert bars == [(pytest.approx(0), 40), (pytest.approx(1), 20), (pytest.approx(3), 5)]


def test_no_decay_is_drawn_too(tmp_path: Path) -> None:
    figure = savings_figure(known(("a", 0, 10, 100.0), ("b", 1, 10, 200.0)))
    assert "no decay" in [line.get_label() for line in figure.axes[0].lines]
    save_figure(figure, tmp_path / "a.svg")


def test_thousands_of_slides_are_drawn(tmp_path: Path) -> None:
    many = known(*((f"s{i}", i // 500, 20, 100.0 + i % 7) for i in range(2500)))
    for number, figure in enumerate((savings_figure(many), times_figure(many))):
        save_figure(figure, tmp_path / f"{number}.svg")


def test_table_leaves_empty_what_is_not_known(found: Account) -> None:
    rows = iteration_table(found).to_csv().splitlines()
    assert rows[0].startswith("iteration,accepted,corrected,rejected,added,declined,patch_labels,boxes,regions,")
    assert rows[2] == "1,0,0,0,60,0,0,0,60,40,800.0,20.0,20.0,,1,0.5,false"
    assert len(rows) == 4
    unknown = iteration_table(known(("a", 0, 10, None))).to_csv().splitlines()
    assert unknown[1] == "0,0,0,0,10,0,0,0,10,0,0.0,,,,0,,false"
    assert math.isnan(known(("a", 0, 10, None)).iterations[0].by_slide.mean)
