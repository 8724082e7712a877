"""What goes into people's files and what is taken out; above all, what never is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    Annotation,
    ClassScheme,
    LabelOptions,
    MachineObject,
    MachineRole,
    Proposal,
    plain_class,
)
from bridge.annotations.roles import Fate, reconcile
from bridge.annotations.writing import (
    Prediction,
    WriteOptions,
    choose_predictions,
    compose_edits,
    proposal_objects,
)
from bridge.coords import Region
from bridge.errors import UnknownPathClassError

ROI = box(0, 0, 500, 500)
CELL = box(100, 100, 200, 200)  # in ROI
FAR = box(5000, 5000, 5100, 5100)
RED, GREEN = (255, 0, 0), (0, 255, 0)


def moved(shape: BaseGeometry, x: float, y: float = 0.0) -> BaseGeometry:
    return shapely.transform(shape, lambda xy: xy + np.array([x, y]))


@pytest.fixture
def choose(read, scheme, tool):
    """Choose among predictions for a file with some drawn objects; returns outlines and the summary."""

    def build(predictions, drawn=(), *, rejected=(), proposals=(), options=None):
        reading = read(tool.save(drawn), [])
        options = options or WriteOptions()
        ids = [f"new-{i}" for i in range(len(predictions))]
        return choose_predictions(predictions, reading, rejected, proposals, options, object_ids=ids, scheme=scheme)

    return build


# Which predictions are written


def test_a_prediction_is_written_as_an_editable_object_of_its_predicted_class(choose) -> None:
    objects, summary = choose([Prediction("Tumor: In situ", FAR, 0.9)])
    assert objects == (
        MachineObject("new-0", MachineRole.PREDICTION, "Tumor: In situ: Predicted", FAR, (0, 0, 255), None, True, 0.9),
    )
    assert (summary.written, summary.as_detections) == (1, 0)


@pytest.mark.parametrize(("left", "written"), [(449, 0), (450, 0), (451, 1), (700, 1)])
def test_no_prediction_lies_inside_an_roi_by_half_or_more(choose, tool, left, written) -> None:
    objects, summary = choose([Prediction("Tumor", box(left, 0, left + 100, 50))], [tool.draw(ROI, "ROI")])
    assert len(objects) == written
    assert summary.inside_roi == 1 - written


@pytest.mark.parametrize(("path_class", "shift", "written"), [("Tumor", 50, 0), ("Tumor", 60, 1), ("Stroma", 0, 1)])
def test_no_prediction_repeats_an_annotation_of_its_class(choose, tool, path_class, shift, written) -> None:
    drawn = [tool.draw(moved(FAR, shift), "Tumor")]  # IoU 50/150 and 40/160
    objects, summary = choose([Prediction(path_class, FAR)], drawn)
    assert len(objects) == written
    assert summary.already_annotated == 1 - written


@pytest.mark.parametrize(("path_class", "shift", "written"), [("Tumor", 30, 0), ("Tumor", 40, 1), ("Stroma", 0, 1)])
def test_no_prediction_repeats_a_rejected_one(choose, ours, path_class, shift, written) -> None:
    objects, summary = choose([Prediction(path_class, moved(FAR, shift))], rejected=[ours.prediction(FAR)])
    assert len(objects) == written
    assert summary.rejected_before == 1 - written


def test_each_prediction_left_out_is_counted_once(choose, tool, ours) -> None:
    everywhere = [tool.draw(ROI, "ROI"), tool.draw(CELL, "Tumor"), tool.draw(FAR, "Tumor")]
    predictions = [Prediction("Tumor", CELL), Prediction("Tumor", FAR), Prediction("Tumor", moved(FAR, 900))]
    objects, summary = choose(predictions, everywhere, rejected=[ours.prediction(s) for s in (CELL, FAR)])
    assert [o.object_id for o in objects] == ["new-2"]
    counts = (summary.written, summary.inside_roi, summary.already_annotated, summary.rejected_before)
    assert counts == (1, 1, 1, 0)


def test_beyond_the_limit_those_near_proposals_stay_editable(choose) -> None:
    predictions = [Prediction("Tumor", box(x, 0, x + 20, 20)) for x in range(0, 1000, 100)]
    boxes = [Proposal(Region(610, 0, 250, 250), 1, 0.5, "uncertain")]
    objects, summary = choose(predictions, proposals=boxes, options=WriteOptions(max_editable=4))
    assert [o.object_id for o in objects if o.is_editable] == ["new-6", "new-7", "new-8", "new-9"]
    assert (summary.written, summary.as_detections) == (10, 6)
    objects, summary = choose(predictions, options=WriteOptions(max_editable=0))
    assert not any(o.is_editable for o in objects) and summary.as_detections == 10


def test_a_prediction_without_a_colour_is_refused(choose) -> None:
    with pytest.raises(UnknownPathClassError, match="Necrosis"):
        choose([Prediction("Necrosis", FAR)])


def test_nothing_predicted_is_nothing_written(choose) -> None:
    objects, summary = choose([])
    assert objects == () and summary.written == summary.inside_roi == 0


def test_proposals_are_rectangles_that_say_why() -> None:
    boxes = [Proposal(Region(10, 20, 512, 256), rank, 0.41, "uncertain Tumor") for rank in (1, 2)]
    first, second = proposal_objects(boxes, WriteOptions(proposed_color=(1, 2, 3)), ["a", "b"])
    assert (first.object_id, first.name) == ("a", "#1 uncertain Tumor, 0.41")
    assert second.geometry.equals(box(10, 20, 522, 276))
    assert (second.role, second.path_class, second.color) == (MachineRole.PROPOSAL, "Proposed", (1, 2, 3))


# What a write takes out and makes plain


def test_open_objects_are_taken_out_and_accepted_ones_made_plain(tool, ours, read, scheme) -> None:
    left, accepted, edited, boxed = (ours.prediction(moved(FAR, 300 * i)) for i in range(4))
    proposal = ours.proposal(moved(FAR, 0, 900))
    roi = tool.draw(boxed.geometry.buffer(5, join_style="mitre"), "ROI")
    drawn = [
        tool.show(left),
        tool.accept(tool.show(accepted)),
        replace(tool.show(edited), geometry=moved(edited.geometry, 9)),
        tool.show(boxed),
        tool.show(proposal),
        roi,
    ]
    found = tool.save(drawn)
    ids = [a.object_id for a in found.annotations]
    addition = MachineObject("new", MachineRole.PREDICTION, "Tumor: Predicted", FAR, RED)
    reading = read(found, [left, accepted, edited, boxed, proposal])
    edits = compose_edits(reading, [addition], scheme, "write-3")
    assert edits.delete == {ids[0], ids[4]}
    assert set(edits.promote) == {ids[1], ids[2], ids[3]}
    assert {path_class for path_class, _ in edits.promote.values()} == {"Tumor"}
    assert edits.write_marker == "write-3" and edits.add == (addition,)


@pytest.mark.parametrize("role", MachineRole)
def test_a_write_of_one_kind_leaves_the_other(tool, ours, read, scheme, role) -> None:
    written = {MachineRole.PREDICTION: ours.prediction(CELL), MachineRole.PROPOSAL: ours.proposal(FAR)}
    found = tool.save([tool.show(w) for w in written.values()])
    edits = compose_edits(read(found, list(written.values())), [], scheme, "m", replaces=frozenset({role}))
    places = dict(zip(written, (a.object_id for a in found.annotations), strict=True))
    assert edits.delete == {places[role]}


def test_a_reclassed_prediction_keeps_the_word_and_colour_of_its_author(qupath, ours) -> None:
    scheme = ClassScheme({"Tumor": RED, "Stroma": GREEN}, mapping={"Tumour": "Tumor"})
    written = [ours.prediction(moved(FAR, 300 * i)) for i in range(3)]
    drawn = [
        replace(qupath.show(written[0]), path_class="Tumour", color=(9, 9, 9)),
        replace(qupath.show(written[1]), path_class="Stroma"),
        replace(qupath.show(written[2]), name="edited", color=(1, 1, 1)),
    ]
    reading = reconcile(qupath.save(drawn), written, "write-2", scheme, LabelOptions())
    promoted = compose_edits(reading, [], scheme, "m").promote
    expected = [("Tumour", (9, 9, 9)), ("Stroma", GREEN), ("Tumor", RED)]
    assert [promoted[w.object_id] for w in written] == expected


def test_a_region_called_by_another_class_moves_to_that_classs_layer(imagescope, ours, read, scheme) -> None:
    written = ours.prediction(FAR)
    found = imagescope.save([imagescope.name(imagescope.show(written), "stroma")])
    edits = compose_edits(read(found, [written]), [], scheme, "m")
    assert list(edits.promote.values()) == [("Stroma", GREEN)] and not edits.delete


@pytest.mark.parametrize("word", ["ROI", "Ignore*", "Background", "Fat"])
def test_what_has_no_class_of_the_scheme_is_left_as_it_is(qupath, ours, read, scheme, word) -> None:
    written = ours.prediction(FAR)
    edits = compose_edits(read(qupath.save([qupath.name(qupath.show(written), word)]), [written]), [], scheme, "m")
    assert not edits.delete and not edits.promote


def test_patch_labels_and_rois_that_were_proposals_are_left_as_they_are(tool, ours, read, scheme) -> None:
    written = [ours.proposal(moved(FAR, 900 * i)) for i in range(2)]
    drawn = [tool.name(tool.show(w), word) for w, word in zip(written, ("ROI", "Tumor"), strict=True)]
    edits = compose_edits(read(tool.save(drawn), written), [], scheme, "m")
    assert not edits.delete and not edits.promote


def test_what_lost_our_key_is_left_as_it_is(qupath, ours, read, scheme) -> None:
    written = [ours.prediction(FAR), ours.prediction(CELL)]
    bare = [replace(qupath.show(w), is_ours=False, metadata={}) for w in written]
    reading = read(qupath.save([*bare, qupath.draw(ROI, "ROI")]), written)
    edits = compose_edits(reading, [], scheme, "m")
    assert not edits.delete and not edits.promote


def test_an_id_borne_twice_is_neither_deleted_nor_promoted(qupath, ours, read, scheme) -> None:
    # Adapters find objects by id: an edit would strike the copy that a person changed, too.
    opened, accepted = ours.prediction(FAR), ours.prediction(CELL)
    drawn = [qupath.show(opened), qupath.accept(qupath.show(accepted))]
    copies = [replace(a, geometry=moved(a.geometry, 30)) for a in drawn]
    alien = replace(qupath.draw(moved(FAR, 900), "Stroma"), object_id=opened.object_id)
    for extra in (copies, [*copies, alien]):
        edits = compose_edits(read(qupath.save([*drawn, *extra]), [opened, accepted]), [], scheme, "m")
        assert not edits.delete and not edits.promote


# The law: what a person touched or drew is never taken out


OURS, EDITED, HUMAN = 0.0, 1.0, 2.0  # how the objects of the simulation are marked, in a measurement that nobody reads
shifts = st.floats(1.2, 5) | st.floats(5, 60)
shifts |= shifts.map(lambda v: -v)


@dataclass(frozen=True)
class Person:
    """Somebody who does something to an object of ours, and may draw beside it."""

    tool: Any  # the fixture's class lives in conftest, which can't be imported
    data: st.DataObject

    def touch(self, shown: Annotation) -> list[Annotation]:
        """Return what is left of an object of ours in the viewer."""
        gesture = self.data.draw(
            st.sampled_from(["leave", "jitter", "delete", "text", "class", "shape", "copy", "strip"])
        )
        if gesture == "leave":
            return [shown]
        if gesture == "delete":
            return []
        if gesture == "jitter":
            return [
                replace(shown, geometry=moved(shown.geometry, *self.data.draw(st.tuples(*[st.floats(-0.3, 0.3)] * 2))))
            ]
        if gesture == "text":
            words = st.sampled_from(["ok", "hm", "Tumor", "roi", "#1", "IGNORE"])
            return [_marked(replace(shown, name=self.data.draw(words)), EDITED)]
        if gesture == "class":
            return [_marked(self._reclassed(shown), EDITED)]
        if gesture == "shape":
            return [self._reshaped(shown)]
        if gesture == "strip" and shown.layer is None:
            return [_marked(replace(shown, is_ours=False), HUMAN)]
        return [shown, _marked(self._copied(shown), HUMAN)]

    def _reclassed(self, shown: Annotation) -> Annotation:
        if shown.layer is not None:
            return self.tool.accept(shown)
        others = ["Tumor", "Stroma", "ROI", "Ignore*", "Fat", None, "Proposed", "Stroma: Predicted", "Tumor: Predicted"]
        return replace(shown, path_class=self.data.draw(st.sampled_from([c for c in others if c != shown.path_class])))

    def _reshaped(self, shown: Annotation) -> Annotation:
        xy = shapely.get_coordinates(shown.geometry)[:-1].copy()
        how = self.data.draw(st.sampled_from(["move", "vertex", "hole", "drop", "swap"]))
        if how == "move":
            xy += self.data.draw(st.tuples(shifts, shifts))
        if how == "vertex":
            xy[self.data.draw(st.integers(0, len(xy) - 1))] += self.data.draw(st.tuples(shifts, shifts))
        if how == "drop":
            xy = np.delete(xy, self.data.draw(st.integers(0, len(xy) - 1)), axis=0)
        if how == "swap":
            xy[[1, 2]] = xy[[2, 1]]
        hole = [Point(shown.geometry.centroid).buffer(6).exterior.coords] if how == "hole" else []
        return replace(shown, geometry=Polygon(xy, hole))

    def _copied(self, shown: Annotation) -> Annotation:
        if shown.layer is not None or self.data.draw(st.booleans()):
            return self.tool.draw(shown.geometry, "Tumor")
        bearer = replace(shown, geometry=moved(shown.geometry, 40))  # one id, twice
        return self.data.draw(st.sampled_from([self.tool.paste(shown), bearer]))

    def beside(self, place: int) -> list[Annotation]:
        """Return what the person draws on their own, far from ours or around all of it."""
        shape = moved(CELL, 1000 * place, -5000)
        words = st.sampled_from(["Tumor", "Stroma", "ROI", "Ignore", "Fat", "Tumor: Predicted", "Proposed", None])
        path_class = self.data.draw(words)
        is_ours = path_class in ("Tumor: Predicted", "Proposed") and bool(self._has_layers())
        drawn = [self.tool.draw(shape, path_class, is_ours=is_ours)]
        if self.data.draw(st.integers(0, 3)) == 0:
            drawn.append(self.tool.draw(box(-500, -500, 2500, 2500), "ROI"))
        return [_marked(a, HUMAN) for a in drawn]

    def _has_layers(self) -> bool:
        return self.tool.draw(CELL, "Tumor").layer is not None


def _marked(annotation: Annotation, mark: float) -> Annotation:
    return replace(annotation, measurements={"mark": mark})


def _distance(first: BaseGeometry, second: BaseGeometry) -> float:
    lines = (
        shapely.union_all([r for p in shapely.get_parts(g) for r in shapely.get_rings(p)]) for g in (first, second)
    )
    return float(shapely.hausdorff_distance(*lines, densify=0.02))


@st.composite
def outlines(draw: st.DrawFn, place: int) -> Polygon:
    """An outline on whole pixels, apart from those of other places."""
    centre = np.array([1000 * (place % 4) + 250, 1000 * (place // 4) + 250])
    if draw(st.booleans()):
        width, height = draw(st.tuples(*[st.integers(20, 200)] * 2))
        return box(*centre, *(centre + np.array([width, height])))
    radii = np.array(draw(st.lists(st.integers(20, 200), min_size=4, max_size=14)))
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return Polygon((np.c_[np.cos(angles), np.sin(angles)] * radii[:, None] + centre).round())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_nothing_that_a_person_changed_or_drew_is_ever_deleted(tool, ours, scheme, data) -> None:
    shapes = [data.draw(outlines(place)) for place in range(data.draw(st.integers(1, 6)))]
    kinds = st.sampled_from(["Tumor", "Stroma", None])
    written = [ours.proposal(s) if (c := data.draw(kinds)) is None else ours.prediction(s, c) for s in shapes]
    person = Person(tool, data)
    drawn = [
        a
        for w in written
        for a in person.touch(
            _marked(replace(tool.show(w), metadata={"of": w.object_id, "slidebridge": "write-2"}), OURS)
        )
    ]
    drawn += [a for place in range(data.draw(st.integers(0, 2))) for a in person.beside(place)]
    found = tool.save(data.draw(st.permutations(drawn)), data.draw(st.sampled_from(["write-2", "write-1", None])))
    known = [w for w in written if data.draw(st.integers(0, 9)) > 0]
    former = [w for w in written if w not in known and data.draw(st.booleans())]
    adopted = [replace(w, path_class=plain_class(w.path_class) or "") for w in written if data.draw(st.booleans())]
    reading = reconcile(found, known, "write-2", scheme, LabelOptions(), adopted=adopted, former=former)
    edits = compose_edits(reading, [], scheme, "write-3")

    by_id: dict[str, list[Annotation]] = {}
    for annotation in found.annotations:
        by_id.setdefault(annotation.object_id, []).append(annotation)
    shape_of = {w.object_id: w.geometry for w in written}
    for object_id in edits.delete:
        (annotation,) = by_id[object_id]
        assert annotation.measurements["mark"] == OURS
        assert _distance(annotation.geometry, shape_of[annotation.metadata["of"]]) <= 1.01
    for object_id in edits.promote:
        (annotation,) = by_id[object_id]
        assert annotation.measurements["mark"] != HUMAN
    assert not edits.delete & set(edits.promote)
    assert len(reading.objects) == len(found)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_all_that_nobody_touched_is_replaced(tool, ours, scheme, data) -> None:
    shapes = [data.draw(outlines(place)) for place in range(data.draw(st.integers(1, 6)))]
    written = [ours.prediction(s) if data.draw(st.booleans()) else ours.proposal(s) for s in shapes]
    found = tool.save(data.draw(st.permutations([tool.show(w) for w in written])))
    reading = reconcile(found, written, "write-2", scheme, LabelOptions())
    assert len(compose_edits(reading, [], scheme, "write-3").delete) == len(written)
    assert {o.fate for o in reading.outcomes} == {Fate.OPEN}


def test_a_prediction_with_a_hole_stays_where_its_hole_would_cut_a_persons_region(
    imagescope, ours, read, scheme
) -> None:
    ring = box(0, 0, 40, 40).difference(box(10, 10, 30, 30))
    prediction = ours.prediction(ring)
    accepted = imagescope.accept(imagescope.show(prediction))
    twin = imagescope.draw(box(1, 1, 39, 39), "Tumor")
    alone = read(imagescope.save([accepted]), [prediction])
    beside = read(imagescope.save([accepted, twin]), [prediction])
    assert len(compose_edits(alone, (), scheme, "next").promote) == 1
    assert not compose_edits(beside, (), scheme, "next").promote
