"""Which areas judge once people go on drawing."""

from __future__ import annotations

import pytest
import shapely
from learn_support import NOW, classroom
from shapely.geometry.base import BaseGeometry

from bridge.annotations import LabelPlan
from bridge.annotations.labels import patch_key
from bridge.annotations.plan import PatchLabel
from bridge.coords import Region
from lab_support import Lab
from scripts.loop.planning import divide

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


def held_out(lab: Lab, patches: tuple[PatchLabel, ...], learned: tuple[PatchLabel, ...]) -> list[tuple[float, ...]]:
    """Return which of four boxes judge where others are of one class as a whole, and some of those have trained."""
    lab.write(drawn(BOXES))
    plan = LabelPlan("case.tif", complete=tuple(BOXES), patch_labels=patches)
    with classroom(lab) as room:
        readings = [state.reading for state in room.pull().slides]
        assert [reading.entry.key for reading in readings] == ["case.tif"]
    (lab.root / ".slidebridge" / "store.sqlite").unlink()
    with classroom(lab) as room:
        room.store.record_learned(1, "case.tif", [patch_key(patch) for patch in learned])
        divided = divide(room.project, room.store, readings, {"case.tif": plan}, NOW, is_dry_run=True)
    return [area.bounds for area in divided["case.tif"].hold_out]


BOXES: list[BaseGeometry] = [shapely.box(x, y, x + 80, y + 80) for x, y in CORNERS]


@pytest.mark.parametrize("label", [0, 1, 7], ids=["background", "class", "class that the scheme lost since"])
def test_box_that_trained_by_its_class_alone_never_judges_once_all_in_it_is_labelled(lab: Lab, label: int) -> None:
    (held,) = held_out(lab, (), ())
    as_patch = PatchLabel(Region(int(held[0]), int(held[1]), 80, 80), label)
    assert held not in held_out(lab, (), (as_patch,))
    elsewhere = PatchLabel(Region(int(held[0]) + 1, int(held[1]), 80, 80), label)
    assert held_out(lab, (), (elsewhere,)) == [held]


@pytest.mark.parametrize(("beyond", "judges"), [(79, False), (80, True)], ids=["overlaps", "side by side"])
def test_box_over_one_that_trained_by_its_class_never_judges(lab: Lab, beyond: int, judges: bool) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("one_network = true", 'design = "weak"'), "utf-8")
    (held,) = held_out(lab, (), ())
    beside = PatchLabel(Region(int(held[0]) + beyond, int(held[1]), 80, 80), 1)
    assert (held in held_out(lab, (beside,), (beside,))) is judges
    assert held_out(lab, (beside,), ()) == [held]  # it has not trained yet


@pytest.mark.parametrize(("by", "judges"), [(0, True), (3, False)], ids=["side by side", "grown over it"])
def test_held_out_box_that_grows_over_one_that_trained_by_its_class_judges_no_more(
    lab: Lab, by: int, judges: bool
) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("one_network = true", 'design = "weak"'), "utf-8")
    lab.write(drawn(BOXES))
    with classroom(lab) as room:
        (state,) = room.pull().slides
        (held,) = state.plan.hold_out
        left, top, right, bottom = held.bounds
        beside = PatchLabel(Region(int(right), int(top), 80, 80), 1)
        room.store.record_learned(1, state.key, [patch_key(beside)])
        grown = shapely.box(left, top, right + by, bottom + 2)  # another box by its bounds, and known again
        boxes = tuple(grown if box.equals(held) else box for box in BOXES)
        plan = LabelPlan(state.key, complete=boxes, patch_labels=(beside,))
        divided = divide(room.project, room.store, [state.reading], {state.key: plan}, NOW, is_dry_run=True)
    assert (grown.bounds in [area.bounds for area in divided[state.key].hold_out]) is judges
