from __future__ import annotations

from dataclasses import replace

import pytest
from shapely.geometry import Point, box

from bridge.annotations import LabelOptions, Shape
from bridge.annotations.unread import unread_lines

BOX = box(1000, 1000, 1512, 1512)
SECOND = box(3000, 1000, 3512, 1512)


def lines(reading, scheme, labels: LabelOptions | None = None) -> list[str]:
    return unread_lines(reading, scheme, labels or LabelOptions())


def test_a_class_that_the_scheme_lacks_is_named_with_the_way_out(tool, read, scheme) -> None:
    (line,) = lines(read(tool.save([tool.draw(BOX, "Fat")]), []), scheme)
    assert line == "1 object of class 'Fat' kept as other; add it to [classes.colors] or [classes.map]"


def test_qupaths_region_is_offered_as_an_roi_and_not_as_a_tissue(qupath, read, scheme) -> None:
    found = qupath.save([qupath.draw(BOX, "Region*")])
    (line,) = lines(read(found, []), scheme, LabelOptions(roi_classes=("ROI", "Done")))
    assert line.endswith('[labels] roi_classes = ["ROI", "Done", "Region*"]')


def test_a_mistyped_answer_is_told_with_the_answers_that_there_are(imagescope, ours, read, scheme) -> None:
    proposal = ours.proposal(BOX)
    found = imagescope.save([replace(imagescope.show(proposal), name="Tumour")])
    (line,) = lines(read(found, [proposal]), scheme)
    assert line.startswith("the Text of a box says 'Tumour', which is no answer; ")
    assert line.endswith("; answers are ROI, Ignore*, Ignore, Background, Tumor, Stroma, Tumor: In situ")


def test_boxes_with_one_mistake_are_one_line(imagescope, ours, read, scheme) -> None:
    boxes = [ours.proposal(BOX), ours.proposal(SECOND, "#2 random, 0.00")]
    found = imagescope.save([replace(imagescope.show(one), name="done") for one in boxes])
    (line,) = lines(read(found, boxes), scheme)
    assert line.startswith("the Texts of 2 boxes say 'done'")


@pytest.mark.parametrize("text", ["ROI", " tumor ", "Background", "ignore", "", "#1 random, 0.00"])
def test_answers_and_boxes_left_as_they_were_are_silent(imagescope, ours, read, scheme, text) -> None:
    proposal = ours.proposal(BOX, "#1 random, 0.00")
    found = imagescope.save([replace(imagescope.show(proposal), name=text)])
    assert lines(read(found, [proposal]), scheme) == []


def test_a_box_that_an_roi_of_a_persons_covers_needs_no_answer(imagescope, ours, read, scheme) -> None:
    proposal = ours.proposal(BOX)
    found = imagescope.save(
        [replace(imagescope.show(proposal), name="all done"), imagescope.draw(BOX.buffer(50), "ROI")]
    )
    assert lines(read(found, [proposal]), scheme) == []


def test_a_box_renamed_in_qupath_is_a_note_and_no_answer(qupath, ours, read, scheme) -> None:
    proposal = ours.proposal(BOX)
    found = qupath.save([replace(qupath.show(proposal), name="look here")])
    assert lines(read(found, [proposal]), scheme) == []


def test_a_class_of_points_only_is_not_helped_by_naming_it(tool, read, scheme) -> None:
    point = replace(tool.draw(Point(1200, 1200), "Mitosis"), shape=Shape.POINTS)
    (line,) = lines(read(tool.save([point]), []), scheme)
    assert "no area to learn from: outline such objects" in line
    (line,) = lines(read(tool.save([point, tool.draw(BOX, "Mitosis")]), []), scheme)
    assert line.endswith("add it to [classes.colors] or [classes.map]")
