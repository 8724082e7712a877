"""What a person newly labels is compared with what they had been shown there: once, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import shapely
from learn_support import NOW, Classroom, classroom
from shapely.geometry.base import BaseGeometry

from bridge.annotations.labels import WHOLE_SLIDE
from bridge.annotations.split import HOLD_OUT
from bridge.annotations.writing import Prediction
from bridge.coords import Region, Window
from bridge.store import PrequentialRecord, Store
from bridge.store.split_records import AssignedPart
from lab_support import SIDE, Lab, xml_of
from scripts.loop.prequential import prequential_scores
from scripts.loop.push import Wanted, push_slide
from scripts.loop.slide_work import SlidePrediction

Layers = Mapping[str, Sequence[tuple[BaseGeometry, str]]]

# Edges on the grid of the working mpp (2 level-0 pixels), so that pixels can be counted by hand.
_FIRST, _SECOND = shapely.box(100, 100, 140, 140), shapely.box(240, 240, 280, 280)
_ROI = shapely.box(90, 90, 150, 150)
_DRAWN = shapely.box(100, 100, 120, 140)
_FAR = shapely.box(300, 40, 320, 60)


@pytest.fixture
def room(lab: Lab) -> Iterator[Classroom]:
    """Return a project with one shape of a person's, far from everything else."""
    lab.write({"Blob": [(_FAR, "")]})
    with classroom(lab) as opened:
        opened.pull()
        yield opened


def show(room: Classroom, *outlines: BaseGeometry, iteration: int = 3) -> None:
    """Write predictions into the slide's file."""
    cells = Window(0, 0, SIDE // 8, SIDE // 8, 8.0)
    prediction = SlidePrediction(
        tuple(Prediction("Blob", outline) for outline in outlines),
        np.ones(cells.shape, bool),
        cells,
        None,
        Region(0, 0, SIDE, SIDE),
    )
    push_slide(
        room.project,
        room.store,
        room.backups,
        room.pull().slides[0],
        prediction,
        Wanted(proposals=False),
        champion_id="c" * 16,
        iteration=iteration,
        now=lambda: NOW,
        seed=0,
    )


def draw(lab: Lab, layers: Layers) -> None:
    """Add layers of a person's to the file as it is."""
    found = re.findall(r"<Annotation .*?</Annotation>", xml_of(layers).decode(), re.DOTALL)
    added = "".join(found).replace('Annotation Id="', 'Annotation Id="9')
    lab.xml.write_bytes(lab.xml.read_bytes().replace(b"</Annotations>", added.encode() + b"</Annotations>"))


def delete(lab: Lab, outline: BaseGeometry) -> None:
    """Delete a region by one of its corners."""
    x, y = (round(side) for side in outline.bounds[:2])
    regions = re.findall(r"<Region .*?</Region>", lab.xml.read_text("utf-8"), re.DOTALL)
    (gone,) = [r for r in regions if f'X="{x}" Y="{y}"' in r]
    lab.xml.write_text(lab.xml.read_text("utf-8").replace(gone, ""), "utf-8", newline="")


def scored(room: Classroom) -> list[PrequentialRecord]:
    return [record for record in room.store.prequential() if record.iteration > 0]


def test_pixels_are_those_counted_by_hand(lab: Lab, room: Classroom) -> None:
    show(room, _FIRST, _SECOND)
    delete(lab, _FIRST)  # half of it was wrong: the person draws anew
    draw(lab, {"Blob": [(_DRAWN, "")], "ROI": [(_ROI, "")]})
    room.pull()
    (record,) = scored(room)
    assert record.iteration == 3
    assert record.classes == ("Background", "Blob")
    assert record.confusion == ((500, 200), (0, 200))
    (score,) = prequential_scores(room.store)
    assert (score.iteration, score.areas) == (3, 1)
    assert score.dice == {"Blob": pytest.approx(2 * 200 / (2 * 200 + 200))}


def test_a_prediction_left_in_the_area_was_right(lab: Lab, room: Classroom) -> None:
    show(room, _FIRST, _SECOND)
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    assert scored(room)[0].confusion == ((500, 0), (0, 400))


def test_what_was_rejected_a_save_before_the_area_counts_as_predicted(lab: Lab, room: Classroom) -> None:
    show(room, _FIRST, _SECOND)
    delete(lab, _FIRST)
    room.pull()
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    assert scored(room)[0].confusion == ((500, 400), (0, 0))


def test_an_area_is_scored_once_whatever_is_saved_later(lab: Lab, room: Classroom) -> None:
    show(room, _FIRST, _SECOND)
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    before = room.store.prequential()
    draw(lab, {"Blob": [(_DRAWN, "")]})
    room.pull()
    show(room, _SECOND, iteration=4)
    room.pull()
    assert room.store.prequential() == before


def test_a_nudged_area_is_no_new_one(lab: Lab, room: Classroom) -> None:
    draw(lab, {"ROI": [(_ROI, "")]})
    show(room, _SECOND)
    room.pull()
    lab.xml.write_text(lab.xml.read_text("utf-8").replace('X="90"', 'X="91"'), "utf-8", newline="")
    room.pull()
    assert scored(room) == []


def test_only_what_is_new_of_an_enlarged_area_counts(lab: Lab, room: Classroom) -> None:
    draw(lab, {"ROI": [(_ROI, "")]})
    show(room, shapely.box(160, 100, 200, 140), _SECOND)
    delete(lab, _ROI)
    draw(lab, {"ROI": [(shapely.box(90, 90, 210, 150), "")]})
    room.pull()
    assert scored(room)[0].confusion == ((500, 0), (0, 400))


def test_an_area_that_is_enlarged_before_the_next_write_counts_once(lab: Lab, room: Classroom) -> None:
    show(room, shapely.box(160, 100, 200, 140), _SECOND)
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    delete(lab, _ROI)
    draw(lab, {"ROI": [(shapely.box(90, 90, 210, 150), "")]})
    room.pull()
    assert sorted(sum(map(sum, record.confusion)) for record in scored(room)) == [900, 900]


def test_shapes_drawn_before_the_predictions_were_written_are_no_news(lab: Lab, room: Classroom) -> None:
    draw(lab, {"Blob": [(_FIRST, "")]})
    show(room, _SECOND)
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    assert scored(room)[0].confusion == ((500, 0), (0, 0))


def test_labels_drawn_before_any_prediction_are_not_scored(lab: Lab, room: Classroom) -> None:
    draw(lab, {"Blob": [(_FIRST, "")], "ROI": [(_ROI, "")]})
    room.pull()
    show(room, _SECOND)
    room.pull()
    assert scored(room) == []
    assert prequential_scores(room.store) == ()


def test_a_viewer_that_never_saw_the_predictions_is_not_compared_with_them(lab: Lab, room: Classroom) -> None:
    show(room, _FIRST, _SECOND)
    lab.write({"Blob": [(_FAR, "")], "ROI": [(_ROI, "")]})
    room.pull()
    show(room, _SECOND, iteration=4)
    room.pull()
    assert scored(room) == []


def test_a_slide_labelled_blind_is_not_scored(lab: Lab, room: Classroom) -> None:
    room.store.assign_parts([AssignedPart(room.pull().slides[0].key, WHOLE_SLIDE, HOLD_OUT)], NOW)
    show(room, _FIRST, _SECOND)
    draw(lab, {"ROI": [(_ROI, "")]})
    room.pull()
    assert scored(room) == []


def test_a_crash_before_the_save_is_recorded_changes_no_score(
    lab: Lab, room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(room, _FIRST, _SECOND)
    delete(lab, _FIRST)
    draw(lab, {"ROI": [(_ROI, "")]})

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    for name in ("record_prequential", "record_outcomes", "record_read"):
        with monkeypatch.context() as patch:
            patch.setattr(Store, name, die)
            with pytest.raises(Killed):
                room.pull()
    room.pull()
    (record,) = scored(room)
    assert record.confusion == ((500, 400), (0, 0))


def test_scores_of_a_scheme_that_grew_add_up_by_name(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        two, three = ("Background", "A"), ("Background", "B", "A")
        store.record_prequential(PrequentialRecord("s", "1", 2, NOW, two, ((5, 1), (2, 4))))
        store.record_prequential(PrequentialRecord("s", "2", 2, NOW, three, ((1, 0, 1), (0, 3, 0), (0, 0, 2))))
        store.record_prequential(PrequentialRecord("s", "3", 5, NOW, two, ((1, 0), (0, 1))))
        first, last = prequential_scores(store)
    assert (first.iteration, first.areas, last.iteration) == (2, 2, 5)
    assert first.dice == {"A": pytest.approx(12 / (12 + 2 + 2)), "B": 1.0}
