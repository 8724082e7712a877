"""The three layers of a slide: what people see must be what the loop takes the objects for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shown_lab import write_ours

from bridge.annotations import Annotation, ObjectKind, SlideEntry
from bridge.annotations.roles import Interpreted, Role
from bridge.errors import AnnotationFileError
from bridge.ingest import SlideReading
from bridge.store import Store
from lab_support import Lab
from scripts.loop.pull import read_entry
from scripts.project import Project, open_project
from scripts.web.layers import Layer, Outline, outlines_of, simplified, slide_outlines

ROI = box(20, 20, 180, 180)
BLOB = box(40, 40, 60, 60)
FAR = box(250, 250, 270, 270)
ASKED = box(200, 200, 280, 280)


@contextmanager
def opened(lab: Lab) -> Iterator[tuple[Project, Store, SlideEntry]]:
    project = open_project(lab.root)
    with Store.open(project.data_folder) as store:
        yield project, store, project.source.slides()[0]


def shown(lab: Lab) -> list[tuple[Layer, str, str, str]]:
    with opened(lab) as (project, store, entry):
        return [(o.layer, o.path_class, o.colour, o.note) for o in slide_outlines(project, store, entry)]


def test_each_object_lies_in_the_layer_of_whoever_made_it(lab: Lab) -> None:
    lab.write({"Blob": [(BLOB, "")], "ROI": [(ROI, "")], "Ignore": [(box(0, 0, 9, 9), "")]})
    write_ours(lab, [("Blob", FAR)], [(ASKED, "#1 uncertain Blob, 0.41")])
    assert shown(lab) == [
        (Layer.PREDICTION, "Blob", "#c80000", ""),
        (Layer.PROPOSAL, "Proposed", "#ffc800", "#1 uncertain Blob, 0.41"),
        (Layer.EXPERT, "Blob", "#c80000", ""),
        (Layer.EXPERT, "ROI", "#000000", "everything inside is labelled"),
        (Layer.EXPERT, "Ignore", "#ff0000", "left out of learning"),
    ]


def test_outlines_are_where_they_were_drawn(lab: Lab) -> None:
    lab.write({"Blob": [(BLOB, "")]})
    write_ours(lab, [("Blob", FAR)])
    with opened(lab) as (project, store, entry):
        found = {o.layer: o.geometry for o in slide_outlines(project, store, entry)}
    assert found[Layer.EXPERT].equals(BLOB) and found[Layer.PREDICTION].equals(FAR)


def test_looking_changes_neither_file_nor_store(lab: Lab) -> None:
    lab.write({"Blob": [(BLOB, "")]})
    write_ours(lab, [("Blob", FAR)], [(ASKED, "#1 uncertain Blob, 0.41")])
    with opened(lab) as (project, store, entry):
        before = lab.xml.read_bytes(), store.live_objects(entry.key), store.last_read(entry.key)
        slide_outlines(project, store, entry)
        assert (lab.xml.read_bytes(), store.live_objects(entry.key), store.last_read(entry.key)) == before


def test_accepted_prediction_is_the_experts(lab: Lab) -> None:
    write_ours(lab, [("Blob", FAR), ("Blob", BLOB)])
    with opened(lab) as (project, store, entry):
        reading = read_entry(project, store, entry)
        text = lab.xml.read_text("utf-8")
        lab.xml.write_text(text.replace('Text=""', 'Text="ok"', 1), "utf-8")
        found = slide_outlines(project, store, entry)
    assert len(outlines_of(reading, project.settings)) == 2
    assert [(o.layer, o.note) for o in found] == [(Layer.PREDICTION, ""), (Layer.EXPERT, "began as a prediction")]


def test_box_that_is_labelled_is_asked_for_no_more(lab: Lab) -> None:
    write_ours(lab, [], [(ASKED, "#1 uncertain Blob, 0.41")])
    assert [layer for layer, *_ in shown(lab)] == [Layer.PROPOSAL]
    with opened(lab) as (project, store, entry):
        reading = read_entry(project, store, entry)
    kept = reading.reconciled.objects[0].annotation
    roi = Annotation("drawn", ASKED.buffer(5), "ROI")
    again = _reading_of(reading, [kept, roi], project)
    assert [o.layer for o in outlines_of(again, project.settings)] == [Layer.EXPERT]


def test_slide_without_annotation_file_has_no_outlines(lab: Lab) -> None:
    assert shown(lab) == []


def test_file_that_cannot_be_read_is_told(lab: Lab) -> None:
    lab.xml.write_bytes(b"<Annotations><Annotation")
    with pytest.raises(AnnotationFileError, match=r"case\.xml"):
        shown(lab)


def _reading_of(reading: SlideReading, objects: list[Annotation], project: Project) -> SlideReading:
    """Return the reading with other objects in the file, reconciled with what the store had for it."""
    from bridge.annotations.roles import reconcile

    written = [o.written for o in reading.reconciled.outcomes]
    found = replace(reading.found, annotations=tuple(objects))
    marker = reading.found.write_marker
    reconciled = reconcile(found, written, marker, project.scheme, project.settings.labels)
    return replace(reading, found=found, reconciled=reconciled)


@pytest.mark.parametrize(
    ("annotation", "layer"),
    [
        pytest.param(Annotation("a", BLOB, "Fat", color=(1, 2, 3)), Layer.EXPERT, id="class that the project lacks"),
        pytest.param(Annotation("a", BLOB, None), Layer.EXPERT, id="no class"),
        pytest.param(Annotation("a", BLOB, "Proposed"), Layer.PROPOSAL, id="box that somebody moved"),
        pytest.param(Annotation("a", BLOB, "Blob: Predicted", is_ours=True), Layer.PREDICTION, id="lost write of ours"),
        pytest.param(Annotation("a", BLOB, "Blob", kind=ObjectKind.CELL), None, id="cell that a tool detected"),
        pytest.param(Annotation("a", shapely.Polygon(), "Fat"), None, id="nothing drawn"),
    ],
)
def test_objects_without_a_role_lie_where_a_person_expects_them(
    lab: Lab, annotation: Annotation, layer: Layer | None
) -> None:
    with opened(lab) as (project, store, entry):
        reading = read_entry(project, store, entry)
    reconciled = replace(reading.reconciled, objects=(Interpreted(annotation, Role.OTHER),))
    found = outlines_of(replace(reading, reconciled=reconciled), project.settings)
    assert [o.layer for o in found] == ([] if layer is None else [layer])
    if annotation.color is not None:
        assert [o.colour for o in found] == ["#010203"]


@st.composite
def outlines(draw: st.DrawFn) -> list[Outline]:
    places = draw(st.lists(st.tuples(*[st.integers(0, 500)] * 2, st.integers(1, 120)), max_size=8))
    shapes = [shapely.Point(x, y).buffer(r).difference(shapely.Point(x, y).buffer(r / 3)) for x, y, r in places]
    return [Outline(Layer.PREDICTION, str(i), "#000000", shape) for i, shape in enumerate(shapes)]


@settings(max_examples=40, deadline=None)
@given(outlines(), st.floats(0.5, 60))
def test_simplified_outlines_stay_within_a_pixel_and_only_specks_go(found: list[Outline], pixel: float) -> None:
    kept = {o.path_class: o for o in simplified(found, pixel)}
    for outline in found:
        left, top, right, bottom = outline.geometry.bounds
        assert (outline.path_class in kept) == (max(right - left, bottom - top) >= pixel)
        if outline.path_class in kept:
            now = kept[outline.path_class].geometry
            assert shapely.hausdorff_distance(now, outline.geometry) <= pixel * 1.0001
            assert shapely.get_num_coordinates(now) <= shapely.get_num_coordinates(outline.geometry)


def test_layers_need_no_torch(tmp_path: Path) -> None:
    """A report is made on an annotator's laptop, too."""
    import subprocess
    import sys

    said = "import sys, scripts.web.layers, scripts.web.page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False, cwd=Path.cwd()).returncode == 0
