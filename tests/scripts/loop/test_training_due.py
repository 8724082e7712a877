"""A training is due when labels are new, not when a write of ours lists the same labels in another order."""

from __future__ import annotations

import shapely
from learn_support import classroom

from bridge.imagescope import read_imagescope
from lab_support import SETTINGS, SIDE, Lab, labelled, xml_of
from scripts.loop.training_due import why_not
from scripts.loop.training_run import RunKind

CLASSES = 'Blob = "#c80000"\nCell = "#00c800"'


def _counts(lab: Lab) -> dict[str, int]:
    found = [a.path_class or "" for a in read_imagescope(lab.xml.read_bytes()).annotations]
    return {name: found.count(name) for name in found}


def _complete_everywhere(lab: Lab) -> None:
    """Draw an ROI around all that there is, as a person does who finds the predictions right."""
    everything = xml_of({"ROI": [(shapely.box(0, 0, SIDE, SIDE), "")]})
    region = everything[everything.index(b"<Region ") : everything.index(b"</Regions>")]
    before, found, after = lab.xml.read_bytes().partition(b'Name="ROI" Type="4" LineColor="255" Visible="1">')
    assert found
    lab.xml.write_bytes(before + found + after.replace(b"</Region>", b"</Region>" + region, 1))


def test_predictions_that_a_write_makes_plain_are_not_learned_from_twice(lab: Lab) -> None:
    (lab.root / "slidebridge.toml").write_text(SETTINGS.replace('Blob = "#c80000"', CLASSES), "utf-8")
    lab.write(labelled() | {"Cell": [(shapely.box(30, 30, 40, 40), "")]})
    assert lab.run("sync").exit_code == 0
    before = _counts(lab)
    assert before["Blob: Predicted"] > 0
    _complete_everywhere(lab)
    with classroom(lab) as room:
        saved = room.pull().slides[0].plan
    assert lab.run("sync").exit_code == 0
    after = _counts(lab)
    assert after["Blob"] == before["Blob"] + before["Blob: Predicted"], "the accepted ones are plain objects now"
    with classroom(lab) as room:
        pulled = room.pull()
        assert len(room.store.runs()) == 2
        assert pulled.slides[0].plan.shapes == saved.shapes, "each shape is the same, and in its place"
        reason = why_not(room.project, room.store, pulled, RunKind.INCREMENTAL, is_forced=False)
    assert reason == "nothing new is labelled since the last training"
