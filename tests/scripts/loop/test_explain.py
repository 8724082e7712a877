"""Why these boxes, said for people and for machines, also where a slide gets none."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bridge.annotations import Proposal
from bridge.coords import Region
from lab_support import Lab, labelled
from models.active import SelectionMethod
from scripts.loop.boxes import FoundBox, Taken
from scripts.loop.explain import ExplainedBox, ExplainedSlide


def set_to(lab: Lab, section: str, line: str) -> None:
    path = lab.root / "slidebridge.toml"
    text = path.read_text("utf-8")
    head = f"[{section}]\n"
    path.write_text(text.replace(head, f"{head}{line}\n") if head in text else f"{text}{head}{line}\n", "utf-8")


def test_before_anything_is_written_it_says_what_would_be_and_leaves_no_trace(lab: Lab) -> None:
    before = sorted(lab.root.iterdir())
    told = json.loads(lab.run("propose", "--explain", "--json").stdout)
    (slide,) = told["slides"]
    assert (slide["slide"], slide["method"], slide["acquisition"], slide["wanted"]) == ("case", "random", None, 3)
    assert [box["rank"] for box in slide["boxes"]] == [1, 2, 3]
    assert all(box["size_um"] == [40.0, 40.0] and box["text"].endswith("random, 0.00") for box in slide["boxes"])
    assert slide["open"] == 0 and set(slide["taken"].values()) == {0}
    assert sorted(lab.root.iterdir()) == before
    written = json.loads(lab.run("propose", "--json").stdout)["written"][0]["proposals"]
    assert written == [box["text"] for box in slide["boxes"]]


def test_lines_tell_place_size_tissue_and_what_is_taken(lab: Lab) -> None:
    lab.write(labelled())
    assert lab.run("propose").exit_code == 0
    lines = lab.run("propose", "--explain").output.splitlines()
    assert lines[0] == "case: 3 of 3 boxes (random)"
    assert re.fullmatch(r"  #1 random, 0\.00: at \d+, \d+, 40 × 40 µm, \d+% tissue", lines[1])
    assert lines[4:] == ["  kept off what is taken: 2 labelled", "  3 open ones would be replaced"]


@pytest.mark.parametrize(
    ("line", "later", "why"),
    [
        ("strict = false", {"Blob": labelled()["Blob"][:1]}, "isn't believed"),
        ('complete = "slide"', labelled(), "the whole slide counts as labelled"),
    ],
    ids=["lost much", "complete"],
)
def test_a_slide_without_boxes_says_why(lab: Lab, line: str, later: dict[str, list[tuple]], why: str) -> None:
    set_to(lab, "labels", line)
    lab.write(labelled())
    assert lab.run("propose").exit_code == 0
    lab.write(later)
    result = lab.run("propose", "--explain")
    assert result.exit_code == 0
    assert result.output.startswith("case: no boxes: ") and why in result.output


def test_a_slide_that_cannot_be_read_is_named_and_the_others_are_told(lab: Lab) -> None:
    (lab.root / "broken.tif").write_bytes(b"II*\0nothing")
    result = lab.run("propose", "--explain")
    assert result.exit_code == 1
    assert "case: 3 of 3 boxes" in result.output and "broken: failed: " in result.output


def test_how_boxes_are_numbered_is_told_where_the_number_beside_them_rises() -> None:
    boxes = tuple(
        ExplainedBox(FoundBox(Proposal(Region(0, 0, 9, 9), rank, score, "uncertain Blob"), 1.0, ()), (40.0, 40.0))
        for rank, score in ((1, 0.43), (2, 0.5))
    )
    slide = ExplainedSlide("case", (SelectionMethod.ADAPTIVE, "entropy"), 2, boxes, None, {}, 0, Taken())
    by_mean = replace(slide, how=(SelectionMethod.STANDARD, "entropy"))
    assert "the number is the mean of the whole box" in slide.lines()[-1]
    assert not any("mean" in line for line in [*by_mean.lines(), *replace(slide, boxes=boxes[:1]).lines()])
