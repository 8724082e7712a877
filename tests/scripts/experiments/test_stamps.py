import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from scripts.experiments.chance import CellField
from scripts.experiments.frame import Frame
from scripts.experiments.shapes import Ellipses
from scripts.experiments.stamps import stamp

MARGIN_PX = 14


def _stamped(window: Window, mpp: float, radius_um: float, elongation: float) -> np.ndarray:
    frame = Frame(window, mpp)
    sites = CellField(3, "cells", 12.0, 0.3).sites(*frame.bounds_um)
    look = Ellipses(radius_um + sites.uniform(3, "size"), np.full(len(sites), elongation), sites.uniform(3, "angle"))
    painted = np.zeros(frame.shape, dtype=np.uint8)
    stamp(painted, sites, look, 7, frame)
    return painted


@settings(max_examples=15, deadline=None)
@given(x=st.integers(-60, 40), y=st.integers(-60, 40), mpp=st.sampled_from([0.5, 1.0, 1.7]))
def test_a_window_is_the_crop_of_a_larger_one(x: int, y: int, mpp: float) -> None:
    inner = Window(x, y, 50, 40)
    around = Window(x - MARGIN_PX, y - MARGIN_PX, 50 + 2 * MARGIN_PX, 40 + 2 * MARGIN_PX)
    wide = Window(-200, -200, 400, 400)

    alone = _stamped(around, mpp, 3.0, 1.4)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    whole = _stamped(wide, mpp, 3.0, 1.4)

    assert alone.any()
    assert np.array_equal(alone, whole[inner.y + 200 : inner.y + 240, inner.x + 200 : inner.x + 250])


def test_pixels_are_those_whose_middles_lie_in_an_ellipse() -> None:
    frame = Frame(Window(0, 0, 120, 90), 1.0)
    sites = CellField(3, "cells", 12.0, 0.3).sites(*frame.bounds_um)
    look = Ellipses(np.full(len(sites), 4.0), np.full(len(sites), 2.0), np.pi * sites.uniform(3, "angle"))
    painted = np.zeros(frame.shape, dtype=np.uint8)
    stamp(painted, sites, look, 7, frame)

    expected = np.zeros_like(painted)
    for row in range(90):
        for column in range(120):
            offset = (column + 0.5 - sites.x_um) + 1j * (row + 0.5 - sites.y_um)
            turned = offset * np.exp(-1j * look.angle)
            inside = (turned.real / (4 * np.sqrt(2))) ** 2 + (turned.imag / (4 / np.sqrt(2))) ** 2 <= 1
            expected[row, column] = 7 * inside.any()
    assert np.array_equal(painted, expected)


def test_what_is_smaller_than_a_pixel_takes_the_pixel_that_holds_it() -> None:
    assert np.count_nonzero(_stamped(Window(0, 0, 60, 60), 12.0, 0.01, 1.0)) > 1500
