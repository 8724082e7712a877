"""How ``status`` reads: columns that line up, and at the end what to do next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.store.write_overview import LastWrite
from lab_support import Lab, draw_slide, labelled
from scripts.daemon.heartbeat import Beat, Heartbeat
from scripts.gestures import answer_with_roi
from scripts.loop.status_slides import SlideStatus, slide_lines
from scripts.options import SourceKind

_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _next(lab: Lab) -> str:
    result = lab.run("status")
    assert result.exit_code == 0, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith("next: ")
    return str(last)


def test_what_belongs_together_stands_in_columns() -> None:
    write = LastWrite("b", "m", _NOW - timedelta(minutes=5), 1, 71, 3)
    slides = (
        SlideStatus("a", {}, "2 roi", None),
        SlideStatus("a long name.svs", {}, "nothing", write),
        SlideStatus("x" * 90, {}, "one name that is too long moves no column", None),
    )
    lines = slide_lines(slides, _NOW)
    first, second = (line.index("2 roi;") for line in lines[:1]), lines[1].index("nothing;")
    assert next(first) == second
    assert lines[0].index("not written to yet") == lines[1].index("written to ")
    assert "(5 min ago): 71 predictions, 3 proposals, by the model of training 1" in lines[1]
    assert "x" * 90 in lines[2]
    assert slide_lines((), _NOW) == []


def test_the_next_step_goes_with_the_state_of_the_project(lab: Lab) -> None:
    assert "slidebridge sync proposes the first boxes" in _next(lab)
    assert lab.run("sync").exit_code == 0
    assert "label inside the proposed boxes" in _next(lab) and "then slidebridge sync" in _next(lab)
    heart = Heartbeat(lab.root / ".slidebridge", (str(lab.root),), "1", lambda: datetime.now(UTC))
    heart.write(Beat())
    assert _next(lab).endswith("it is noticed")
    heart.stop()
    draw_slide(lab.root / "flat.png", mpp=None)
    lab.write(labelled())
    assert "mend what failed" in _next(lab) and "slidebridge doctor" in _next(lab)


def test_an_empty_folder_wants_slides(lab: Lab) -> None:
    lab.slide.unlink()
    assert "put slides into the folder" in _next(lab)


@pytest.mark.parametrize("kind", SourceKind)
def test_a_box_is_answered_as_its_tool_does_it(kind: SourceKind) -> None:
    said = answer_with_roi(kind, "each box")
    assert (said == "type ROI into each box's Text") == (kind in (SourceKind.IMAGESCOPE, SourceKind.HAIL))
    assert "class" in said or "Text" in said
