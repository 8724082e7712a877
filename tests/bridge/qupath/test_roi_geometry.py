from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.qupath.roi_geometry import ELLIPSE_SAGITTA_PX, ellipse


@settings(max_examples=100, deadline=None)
@given(st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(0.5, 5000), st.floats(0.5, 5000))
def test_an_ellipse_touches_its_box_and_keeps_its_area(x, y, width, height) -> None:
    polygon = ellipse(x, y, x + width, y + height)
    assert polygon.is_valid
    assert np.allclose(polygon.bounds, (x, y, x + width, y + height), atol=1e-6)
    a, b = width / 2, height / 2
    assert 0 <= math.pi * a * b - polygon.area <= 2 * math.pi * max(a, b) * ELLIPSE_SAGITTA_PX
    assert len(polygon.exterior.coords) <= 2500


def test_an_ellipse_larger_than_any_slide_has_no_endless_outline() -> None:
    assert len(ellipse(0, 0, 1e300, 1e300).exterior.coords) < 20_000
