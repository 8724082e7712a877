"""The life of a box, in ImageScope and in QuPath: written, replaced, worked off, declined; and where none lies."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import shapely
from tool_bench import TOOLS, Bench

from bridge.annotations import Annotation
from bridge.coords import Region, Window
from bridge.imagescope import read_imagescope
from lab_support import Lab, labelled
from models.active import Acquisition, SelectionMethod
from models.active.overview import Overview
from scripts.bench.simulators.changes import Changes
from scripts.loop.boxes import find_boxes
from scripts.loop.slide_work import SlidePrediction, SlideResult
from scripts.options import ProposeOptions


@pytest.fixture(params=TOOLS, ids=lambda f: f.__name__)
def bench(request: pytest.FixtureRequest, lab: Lab) -> Bench:
    made: Bench = request.param(lab)
    return made


def open_ones(bench: Bench) -> list[Annotation]:
    return [a for a in bench.proposals() if re.match(r"#\d", a.name or "")]


def meant(bench: Bench, box: Annotation, word: str) -> Changes:
    """Say of a box what it is, as people do it in that tool."""
    if box.layer is not None:
        return Changes(rename={box.object_id: word})
    return Changes(reclass={box.object_id: word})


def assert_apart(bench: Bench, taken: list[shapely.Geometry]) -> None:
    boxes = [a.geometry for a in open_ones(bench)]
    assert len(boxes) == 3
    assert all(a.intersection(b).area == 0 for a, b in combinations(boxes, 2))
    assert all(box.intersection(area).area == 0 for box in boxes for area in taken)


def test_whole_life_of_boxes(bench: Bench) -> None:
    rois = [a.geometry for a in bench.objects() if a.path_class == "ROI"]
    assert len(rois) == 2
    bench.passed()
    assert_apart(bench, rois)
    first = {a.object_id for a in open_ones(bench)}

    bench.passed()
    assert {a.object_id for a in open_ones(bench)} == first, "current boxes stay"
    assert bench.lab.run("propose", "--force").exit_code == 0
    assert_apart(bench, rois)

    gone = []
    for word in ("ROI", "Blob"):
        box = open_ones(bench)[0]
        bench.change(meant(bench, box, word))
        bench.passed()
        gone.append(box.geometry)
        assert_apart(bench, [*rois, *gone])
    declined = open_ones(bench)[1]
    bench.change(Changes(remove=frozenset({declined.object_id})))
    bench.passed()
    gone.append(declined.geometry)
    assert_apart(bench, [*rois, *gone])
    bench.passed()
    assert bench.lab.run("propose", "--force").exit_code == 0
    assert_apart(bench, [*rois, *gone])

    counted = bench.outcomes()
    assert [counted.get(name) for name in ("labelled", "patch label", "declined")] == [1, 1, 1]
    told = json.loads(bench.lab.run("status", "--json").stdout)["outcomes_by_iteration"]
    assert told["0"]["declined"] == 1, "nobody had trained yet"


def test_a_box_that_a_person_moved_is_theirs_and_stays(bench: Bench) -> None:
    bench.passed()
    box = open_ones(bench)[0]
    moved = shapely.affinity.translate(box.geometry, 7, 5)
    bench.change(Changes(reshape={box.object_id: moved}))
    bench.passed()
    assert len(bench.proposals()) == 3, "three are open"
    assert bench.lab.run("propose", "--force").exit_code == 0
    shapes = [a.geometry for a in bench.proposals()]
    others = [shape for shape in shapes if not shape.equals(moved)]
    assert (len(shapes), len(others)) == (4, 3)
    assert all(shape.intersection(moved).area == 0 for shape in others)


@pytest.mark.parametrize("word", ["Look here", ""])
def test_no_box_comes_upon_one_that_a_person_called_something_else(bench: Bench, word: str) -> None:
    bench.passed()
    box = open_ones(bench)[0]
    bench.change(meant(bench, box, word))  # in QuPath its class: one that nobody knows, or none
    for _ in range(2):
        assert bench.lab.run("propose", "--force").exit_code == 0
    there = [a for a in bench.objects() if a.geometry.intersection(box.geometry).area > 0]
    assert len([a for a in there if a.path_class not in ("Blob", "ROI")]) == 1, "it is still there, and alone"


@pytest.mark.parametrize("vertices", ["", '<Vertex X="9" Y="9" Z="0"/>'], ids=["none", "one"])
def test_a_region_without_an_area_in_our_layer_keeps_nothing_from_being_proposed(lab: Lab, vertices: str) -> None:
    layer = (
        '<Annotation Id="9" Name="Proposed" Type="4" LineColor="255" Visible="1"><Attributes/><Regions>'
        f'<Region Id="9" Type="0" Text="" NegativeROA="0"><Attributes/><Vertices>{vertices}</Vertices></Region>'
        "</Regions><Plots/></Annotation></Annotations>"
    )
    lab.write(labelled())
    lab.xml.write_text(lab.xml.read_text("utf-8").replace("</Annotations>", layer), "utf-8", newline="")
    result = lab.run("propose")
    assert result.exit_code == 0 and "3 proposals" in result.output, result.output


def test_a_declined_box_comes_again_only_where_it_is_asked_for(lab: Lab) -> None:
    settings = lab.root / "slidebridge.toml"
    settings.write_text(
        settings.read_text("utf-8").replace("k = 3", "k = 1").replace("region_um = 40", "region_um = 150"), "utf-8"
    )

    def boxes() -> int:
        return sum(a.path_class == "Proposed" for a in read_imagescope(lab.xml.read_bytes()).annotations)

    assert lab.run("propose").exit_code == 0 and boxes() == 1
    text = lab.xml.read_text("utf-8")
    lab.xml.write_text(re.sub(r"\s*<Region .*?</Region>", "", text, count=1, flags=re.DOTALL), "utf-8", newline="")
    said = lab.run("propose", "--force").output
    assert boxes() == 0 and "0 of 1 box: " in said
    assert "kept off what is taken: 1 declined" in lab.run("propose", "--explain").output
    assert lab.run("propose", "--again", "--dry-run").exit_code == 0 and boxes() == 0
    assert lab.run("propose", "--again").exit_code == 0 and boxes() == 1


# ── one slide's boxes ────────────────────────────────────────────────────────────────────────────────────────────────


def prediction_of(score: np.ndarray, acquisition: Acquisition = Acquisition.LEAST_CONFIDENCE) -> SlidePrediction:
    rows, columns = score.shape
    window = Window(0, 0, columns, rows, 4.0)
    blob = np.linspace(0, 1, score.size, dtype=np.float32).reshape(score.shape)
    overview = Overview(
        np.stack([1 - blob, blob]), score.astype(np.float32), window, ("Background", "Blob"), acquisition
    )
    colours = np.repeat((blob * 255).astype(np.uint8)[..., None], 3, axis=2)
    tissue = np.ones(score.shape, bool)
    return SlidePrediction((), tissue, window, overview, Region(0, 0, columns * 4, rows * 4), colours=colours)


OPTIONS = ProposeOptions(method=SelectionMethod.STANDARD, k=2, region_um=8.0)  # two cells of 4 px, at 1 µm a pixel


def test_boxes_come_with_rank_score_words_tissue_and_look() -> None:
    score = np.zeros((4, 6))
    score[0, :2] = score[1, :2] = 0.5
    score[2:, 4:] = 0.25
    prediction = prediction_of(score)
    prediction.tissue[0, 0] = False
    found = find_boxes(SlideResult(prediction, prediction.tissue), (), OPTIONS, (1.0, 1.0), seed=0)
    first, second = found.boxes
    assert first.proposal.text == "#1 uncertain Blob / Background, 0.38"
    assert first.proposal.region.bounds == (0, 0, 8, 8) and second.proposal.region.bounds == (16, 8, 24, 16)
    assert (first.tissue, second.tissue) == (0.75, 1.0)
    assert found.reason is None
    blob = prediction.overview.probabilities[1, 2:, 4:] if prediction.overview is not None else np.zeros(1)
    grey = (blob * 255).astype(np.uint8) / 255
    expected = [grey.mean()] * 3 + [grey.std()] * 3 + [1 - blob.mean(), blob.mean()]
    assert np.allclose(second.look, expected, atol=1e-5)


@pytest.mark.parametrize("method", list(SelectionMethod))
@pytest.mark.parametrize("downsample", [1.98, 3.96, 31.66])
def test_boxes_are_apart_where_cells_are_not_of_whole_pixels(method: SelectionMethod, downsample: float) -> None:
    plain = prediction_of(np.full((20, 20), 0.5))
    assert plain.overview is not None
    prediction = replace(
        plain,
        cells=replace(plain.cells, downsample=downsample),
        overview=replace(plain.overview, window=replace(plain.cells, downsample=downsample)),
        extent=Region(0, 0, round(19.9 * downsample), round(19.9 * downsample)),
    )
    options = ProposeOptions(method=method, k=30, region_um=4 * downsample)
    taken = [(9.0, 9.0, 20.0, 20.0)]
    found = find_boxes(SlideResult(prediction, prediction.tissue), taken, options, (1.0, 1.0), seed=0)
    regions = [box.proposal.region for box in found.boxes]
    shapes = [shapely.box(*taken[0]), *(region.to_polygon() for region in regions)]
    assert len(regions) > 9
    assert all(a.intersection(b).area == 0 for a, b in combinations(shapes, 2))
    assert all(region.intersection(prediction.extent) == region for region in regions)


def test_fewer_boxes_come_with_the_reason_and_more_may_be_asked_for() -> None:
    prediction = prediction_of(np.full((2, 4), 0.5))
    result = SlideResult(prediction, prediction.tissue)
    assert find_boxes(result, [(0, 0, 1, 1)], OPTIONS, (1.0, 1.0), seed=0).reason is not None
    assert len(find_boxes(result, [(0, 0, 1, 1)], OPTIONS, (1.0, 1.0), seed=0).boxes) == 1
    assert find_boxes(result, (), OPTIONS, (1.0, 1.0), seed=0).reason is None
    assert len(find_boxes(result, (), OPTIONS, (1.0, 1.0), seed=0, count=5).boxes) == 2


def test_without_a_model_boxes_are_random_whatever_is_set() -> None:
    prediction = prediction_of(np.zeros((8, 8)))
    blank = SlidePrediction(
        (), prediction.tissue, prediction.cells, None, prediction.extent, colours=prediction.colours
    )
    found = find_boxes(SlideResult(blank, blank.tissue), (), OPTIONS, (1.0, 1.0), seed=3)
    assert [box.proposal.reason for box in found.boxes] == ["random", "random"]
    assert all(len(box.look) == 6 for box in found.boxes), "colours tell them apart"
