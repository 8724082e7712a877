"""The benchmark of many objects does all of its work."""

from __future__ import annotations

import numpy as np
import shapely

from scripts.bench.objects import draw, measure


def test_every_work_is_done_on_few_objects() -> None:
    seconds = measure(draw(60))
    assert len(seconds) == 17
    assert min(seconds.values()) > 0


def test_a_tenth_of_the_outlines_crosses_itself() -> None:
    assert np.count_nonzero(~shapely.is_valid(draw(200).drawn)) == 20
