"""Which areas judge once people go on drawing."""

from __future__ import annotations

import pytest
import shapely
from learn_support import classroom
from shapely.geometry.base import BaseGeometry

from lab_support import Lab

CORNERS = [(20, 20), (220, 20), (20, 220), (220, 220)]
BESIDE = [shapely.box(x + 90, y + 10, x + 120, y + 60) for x, y in CORNERS]  # drawn outside of every box: they train


def drawn(boxes: list[BaseGeometry]) -> dict[str, list[tuple[BaseGeometry, str]]]:
    blobs = [shapely.Point(x + 40, y + 40).buffer(9) for x, y in CORNERS]
    across = [shapely.box(x + 70, y + 64, x + 86, y + 70) for x, y in CORNERS]  # begin in a box, end outside
    return {"Blob": [(shape, "") for shape in (*blobs, *across, *BESIDE)], "ROI": [(box, "") for box in boxes]}


@pytest.mark.parametrize(("by", "still_judges"), [(3, True), (60, False)], ids=["nudged", "over what trained"])
def test_held_out_box_that_grows_over_what_trained_judges_no_more(lab: Lab, by: int, still_judges: bool) -> None:
    boxes: list[BaseGeometry] = [shapely.box(x, y, x + 80, y + 80) for x, y in CORNERS]
    lab.write(drawn(boxes))
    with classroom(lab) as room:
        assert room.learn().iteration == 1
        (held,) = room.pull().plans[0].hold_out
        left, top, right, bottom = held.bounds
        grown = shapely.box(left, top, right + by, bottom)
        lab.write(drawn([grown if box.equals(held) else box for box in boxes]))
        assert [area.bounds for area in room.pull().plans[0].hold_out] == ([grown.bounds] if still_judges else [])
