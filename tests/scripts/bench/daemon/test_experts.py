"""An expert's changes reach the file, his ledger tells them, and the evidence shows when one of them is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import Edits, MachineObject, MachineRole, SlideEntry
from bridge.coords import Window
from bridge.imagescope import ImageScopeFolder
from bridge.store import JobKind, JobRecord, JobState
from scripts.bench.daemon.evidence import count_overlapping, gather
from scripts.bench.daemon.experts import Expert, Habits, holes_in
from scripts.bench.daemon.judge import Demands, Fault, judge
from scripts.bench.daemon.measure import burn
from scripts.bench.daemon.people import read_people
from scripts.bench.daemon.prints import prints_of, shape_of
from scripts.bench.daemon.visit import Visit
from scripts.bench.daemon.world import BLOB, SIDE, Place, Tool, make_world

RED, YELLOW = (200, 0, 0), (255, 200, 0)
QUICK = Habits(every_seconds=0.0)


@pytest.fixture
def new_place(tmp_path: Path) -> Callable[[Tool], Place]:
    places = {place.tool: place for place in make_world(tmp_path / "world", slides=1)}
    return lambda tool: places[tool]


def written(
    place: Place, entry: SlideEntry, *boxes: shapely.Polygon, predictions: tuple[shapely.Polygon, ...] = ()
) -> None:
    """Write boxes and predictions into the file, as the loop would; the store isn't told."""
    source = place.project.source
    add = [
        MachineObject(
            f"00000000-0000-4000-8000-{i:012d}", MachineRole.PROPOSAL, "Proposed", box, YELLOW, f"#{i + 1} r, 0.5"
        )
        for i, box in enumerate(boxes)
    ]
    add += [
        MachineObject(f"00000000-0000-4000-9000-{i:012d}", MachineRole.PREDICTION, "Blob: Predicted", shape, RED)
        for i, shape in enumerate(predictions)
    ]
    data = source.apply(source.create(entry), Edits("marker", add=tuple(add)), entry)
    entry.annotation_path.parent.mkdir(parents=True, exist_ok=True)
    entry.annotation_path.write_bytes(data)


def there(place: Place, entry: SlideEntry) -> list[str]:
    found = place.project.source.parse(entry.annotation_path.read_bytes(), entry)
    return prints_of(found.annotations, place.project.scheme)


@pytest.mark.parametrize("tool", Tool)
def test_truth_says_where_the_dark_blobs_are(new_place: Callable[[Tool], Place], tool: Tool) -> None:
    place = new_place(tool)
    (entry,) = place.project.source.slides()
    truth = place.truth(entry.slide_path)
    pixels = np.asarray(Image.open(entry.slide_path).convert("RGB"))
    is_blob = burn(truth, Window(0, 0, SIDE, SIDE, 1.0))
    assert len(truth) > 20 and {name for name, _ in truth} == {BLOB}
    assert pixels[is_blob].mean() < 110 < 160 < pixels[~is_blob].mean()


@pytest.mark.parametrize("tool", Tool)
def test_everything_that_the_ledger_calls_his_is_in_the_file(new_place: Callable[[Tool], Place], tool: Tool) -> None:
    place = new_place(tool)
    (entry,) = place.project.source.slides()
    (_, blob), (_, other), *_ = place.truth(entry.slide_path)
    box = shapely.box(*shapely.bounds(shapely.buffer(blob, 12)).round())
    far = shapely.box(300, 300, 380, 380)
    written(place, entry, box, far, predictions=(shapely.buffer(other, 1).simplify(1),))
    expert = Expert(place, QUICK)
    for _ in range(12):
        expert.visit(entry)
    person = read_people(place)[entry.key]
    assert len(person.saves) == 12 and not person.missed
    assert len({save.revision for save in person.saves}) == 12, "every save changes something"
    assert set(person.answered) == {" ".join(str(round(v)) for v in b.bounds) for b in (box, far)}
    assert person.wanted and person.wanted <= set(there(place, entry))


@pytest.mark.parametrize("tool", Tool)
def test_label_that_disappears_behind_his_back_is_noticed_and_judged(
    new_place: Callable[[Tool], Place], tool: Tool
) -> None:
    place = new_place(tool)
    (entry,) = place.project.source.slides()
    expert = Expert(place, QUICK)
    expert.visit(entry)
    before = entry.annotation_path.read_bytes()
    expert.visit(entry)
    entry.annotation_path.write_bytes(before)  # as a careless program would, that had read it before
    expert.visit(entry)
    assert read_people(place)[entry.key].missed
    assert Fault.LOST in {f.fault for f in judge([gather(place)], Demands())}


def test_prediction_over_its_own_double_is_counted(new_place: Callable[[Tool], Place]) -> None:
    place = new_place(Tool.QUPATH)
    (entry,) = place.project.source.slides()
    shape, apart = shapely.box(10, 10, 40, 40), shapely.box(100, 100, 130, 130)
    written(place, entry, predictions=(shape, shapely.box(11, 10, 41, 40), apart))
    found = place.project.source.parse(entry.annotation_path.read_bytes(), entry)
    assert count_overlapping(found.annotations) == 1


def test_holes_go_with_the_area_that_is_drawn_anew(new_place: Callable[[Tool], Place]) -> None:
    place = new_place(Tool.IMAGESCOPE)
    (entry,) = place.project.source.slides()
    ring = shapely.box(10, 10, 60, 60) - shapely.box(20, 20, 30, 30)
    written(place, entry, predictions=(ring, shapely.box(200, 200, 230, 230)))
    data = entry.annotation_path.read_bytes()
    assert isinstance(place.project.source, ImageScopeFolder)
    assert len(holes_in(data, [ring])) == 1 and not holes_in(data, [shapely.box(200, 200, 230, 230)])


def test_box_is_answered_so_that_everything_in_it_is_outlined(new_place: Callable[[Tool], Place]) -> None:
    place = new_place(Tool.QUPATH)
    (entry,) = place.project.source.slides()
    truth = place.truth(entry.slide_path)
    box = shapely.box(100, 100, 220, 220)
    written(place, entry, box)
    found = place.project.source.parse(entry.annotation_path.read_bytes(), entry).annotations
    visits = [Visit(Tool.QUPATH, found, truth, Random(seed)) for seed in range(30)]
    assert all(visit.answer(5) == 1 for visit in visits)
    inside = {shape_of(g) for _, g in truth if g.intersects(box)}
    answers = {answer for visit in visits for answer in visit.answered.values()}
    assert answers == {"roi", "declined"} and inside
    for visit in visits:
        drawn = {name.partition("\t")[2] for name in visit.gained if name.startswith(BLOB)}
        assert drawn == (inside if "roi" in visit.answered.values() else set())


@pytest.mark.parametrize("tool", Tool)
def test_what_was_confirmed_at_one_box_is_not_deleted_at_the_next(
    new_place: Callable[[Tool], Place], tool: Tool
) -> None:
    place = new_place(tool)
    (entry,) = place.project.source.slides()
    blob = shapely.Point(150, 155).buffer(12)  # on the border of two boxes, mostly in the second
    written(place, entry, shapely.box(100, 100, 200, 152), shapely.box(100, 152, 200, 200), predictions=(blob,))
    found = place.project.source.parse(entry.annotation_path.read_bytes(), entry).annotations
    visits = [Visit(tool, found, [(BLOB, blob)], Random(seed)) for seed in range(20)]
    assert all(visit.answer(2) == 2 for visit in visits)
    both = [visit for visit in visits if set(visit.answered.values()) == {"roi"}]
    assert both
    assert all(f"{BLOB}\t{shape_of(blob)}" in visit.gained and not visit.deleted for visit in both)


def test_jobs_that_the_store_has_forgotten_still_count(new_place: Callable[[Tool], Place]) -> None:
    place = new_place(Tool.IMAGESCOPE)
    (entry,) = place.project.source.slides()
    Expert(place, QUICK).visit(entry)
    (save,) = read_people(place)[entry.key].saves
    now = datetime(2030, 1, 2, tzinfo=UTC)
    done = JobRecord(1, JobKind.READ, entry.key, save.revision, JobState.DONE, 1, now, now)
    assert Fault.UNANSWERED in {f.fault for f in judge([gather(place)], Demands())}
    assert Fault.UNANSWERED not in {f.fault for f in judge([gather(place, earlier_jobs=[done])], Demands())}
