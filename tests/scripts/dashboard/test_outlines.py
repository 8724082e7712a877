"""Outlines on screen: where the file has them, within what a screen can show, and honest about what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from dashboard_lab import Board, make_project, opened
from hypothesis import given
from hypothesis import strategies as st

from lab_support import labelled, xml_of
from scripts.dashboard.outlines import MOST_OUTLINES, MOST_VERTICES, SlideOutlines, View
from scripts.web.layers import Layer, Outline

EVERYTHING = View(-10, -10, 100_000, 100_000, 1.0)


def shapes_of(facts: Mapping[str, Any]) -> list[shapely.Polygon]:
    """Return what a browser would draw, in level-0 pixels."""
    found = []
    for sent in facts["objects"]:
        rings = [np.array(ring).reshape(-1, 2) * facts["unit"] + facts["origin"] for ring in sent["rings"]]
        found.append(shapely.Polygon(rings[0], rings[1:]))
    return found


def area_of(ring: Any) -> float:
    """Return the area within a ring, or within one as it is sent."""
    points = ring.coords if isinstance(ring, shapely.LinearRing) else np.array(ring).reshape(-1, 2)
    return float(shapely.Polygon(points).area)


def slide_of(shapes: Sequence[shapely.Geometry], layer: Layer = Layer.EXPERT) -> SlideOutlines:
    return SlideOutlines([Outline(layer, "Blob", "#c80000", shape) for shape in shapes], (0.5, 0.5))


def asked(board: Board, view: str = "left=0&top=0&right=384&bottom=384&unit=0.5") -> Any:
    answer = board.client.get(f"/api{board.slide()}/outlines?{view}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_outlines_lie_where_the_file_has_them(board: Board) -> None:
    facts = asked(board)
    drawn = {"Blob": [], "ROI": []}
    for sent, shape in zip(facts["objects"], shapes_of(facts), strict=True):
        assert facts["layers"][sent["layer"]] == "expert"
        drawn[facts["classes"][sent["class"]]["name"]].append(shape)
    for name, there in labelled().items():
        assert len(drawn[name]) == len(there)
        for (shape, _), ours in zip(there, drawn[name], strict=True):
            assert shapely.hausdorff_distance(shape.boundary, ours.boundary) < 0.5
    assert facts["mpp"] == [0.5, 0.5]
    assert facts["counts"] == {"expert": sum(map(len, labelled().values())), "prediction": 0, "proposal": 0}


def test_only_what_is_on_screen_is_sent(board: Board) -> None:
    left = asked(board, "left=0&top=0&right=100&bottom=384&unit=0.5")
    window = shapely.box(0, 0, 100, 384)
    assert 0 < len(left["objects"]) < len(asked(board)["objects"])
    assert all(shape.intersects(window.buffer(1)) for shape in shapes_of(left))


@given(unit=st.floats(0.05, 64), seed=st.integers(0, 99))
def test_no_outline_moves_by_more_than_a_pixel_of_the_screen(unit: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    shape = shapely.Polygon(5000 + np.stack([np.cos(angles), np.sin(angles)], 1) * random.uniform(600, 900, (90, 1)))
    (drawn,) = shapes_of(slide_of([shape]).within(View(0, 0, 9000, 9000, unit)))
    assert shapely.hausdorff_distance(shape.boundary, drawn.boundary) <= unit


def test_holes_stay_holes() -> None:
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    two = shapely.MultiPolygon([ring, shapely.box(200, 0, 300, 100)])
    (sent,) = slide_of([two]).within(EVERYTHING)["objects"]  # type: ignore[misc]
    assert len(sent["rings"]) == 3


def test_what_is_smaller_than_a_pixel_is_still_seen() -> None:
    cells = [shapely.Point(x, 500).buffer(4) for x in range(100, 3000, 100)]
    facts = slide_of(cells).within(View(0, 0, 100_000, 100_000, 100.0))
    drawn = shapes_of(facts)
    assert len(drawn) == len(cells)
    assert all(shape.area >= 100.0**2 for shape in drawn)
    assert all(shape.buffer(100).contains(cell) for shape, cell in zip(drawn, cells, strict=True))


def test_of_too_many_the_largest_are_sent_and_how_many_there_are_is_said() -> None:
    random = np.random.default_rng(0)
    sizes = random.uniform(3, 30, 3 * MOST_OUTLINES)
    cells = [
        shapely.box(x, y, x + s, y + s)
        for (x, y), s in zip(random.uniform(0, 9e4, (len(sizes), 2)), sizes, strict=True)
    ]
    facts = slide_of(cells).within(EVERYTHING)
    drawn = shapes_of(facts)
    assert len(drawn) == MOST_OUTLINES and facts["there"] == len(cells)
    smallest = np.sort(sizes)[-MOST_OUTLINES]
    assert min(np.sqrt(shape.area) for shape in drawn) >= smallest - 1


def test_boxes_that_ask_for_labels_are_never_left_out() -> None:
    cells = [Outline(Layer.PREDICTION, "Blob", "#c80000", shapely.box(x, 0, x + 50, 50)) for x in range(0, 90_000, 8)]
    asks = Outline(Layer.PROPOSAL, "Proposed", "#00c800", shapely.box(5, 5, 6, 6), "first of three")
    facts = SlideOutlines([asks, *cells], (0.5, 0.5)).within(EVERYTHING)
    assert facts["objects"][0]["note"] == "first of three"  # type: ignore[index]
    assert facts["there"] == len(cells) + 1


def test_vertices_are_bounded_too() -> None:
    angles = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    stars = [
        shapely.Polygon(
            np.stack([np.cos(angles), np.sin(angles)], 1) * (500 + 400 * (np.arange(500) % 2))[:, None] + at
        )
        for at in np.random.default_rng(0).uniform(0, 9e4, (450, 2))
    ]
    facts = slide_of(stars).within(EVERYTHING)
    assert sum(len(ring) // 2 for sent in facts["objects"] for ring in sent["rings"]) <= MOST_VERTICES  # type: ignore[attr-defined]
    assert 0 < len(facts["objects"]) < facts["there"] == 450  # type: ignore[arg-type]


def test_an_outline_with_very_many_holes_hides_no_other_and_is_drawn_where_one_looks_closer() -> None:
    holes = [shapely.box(x, y, x + 20, y + 20).exterior for x in range(5, 9000, 40) for y in range(5, 9000, 40)]
    sieve = shapely.Polygon(shapely.box(0, 0, 9000, 9000).exterior, holes)
    slide = slide_of([sieve, shapely.box(4100, 4100, 4200, 4200)])
    whole = slide.within(EVERYTHING)
    coarse, beside = shapes_of(whole)
    assert whole["there"] == 2 and whole["coarse"] == 1
    assert beside.area == 1e4 and shapely.box(*coarse.bounds).equals(shapely.box(0, 0, 9000, 9000))
    facts = slide.within(View(4000, 4000, 5500, 4900, 1.0))
    near, other = shapes_of(facts)
    expected = sieve.intersection(shapely.box(4000, 4000, 5500, 4900))
    assert facts["coarse"] == 0 and other.area == 1e4
    assert shapely.Polygon(near.exterior).area - sum(map(area_of, near.interiors)) == expected.area
    in_a_hole: Any = slide.within(View(9.0, 9.0, 20.0, 20.0, 0.05))["objects"]
    (only,) = in_a_hole
    assert area_of(*only["rings"][:1]) == area_of(*only["rings"][1:]), "a hole as large as the view: nothing is filled"


def test_a_sieve_is_simplified_in_a_moment() -> None:
    """GEOS takes a quarter of a minute for these holes where they are smaller than what is drawn."""
    holes = [shapely.box(x, y, x + 25, y + 25).exterior for x in range(5, 10_000, 50) for y in range(5, 10_000, 50)]
    sieve = shapely.Polygon(shapely.box(0, 0, 10_000, 10_000).exterior, holes)
    (drawn,) = shapes_of(slide_of([sieve]).within(View(0, 0, 10_000, 10_000, 60.0)))
    assert not drawn.interiors


def test_a_slide_without_outlines_has_none() -> None:
    facts = slide_of([]).within(EVERYTHING)
    assert (facts["objects"], facts["there"]) == ([], 0)


@pytest.mark.parametrize(
    "view",
    ["", "left=0", "left=0&top=0&right=0&bottom=9&unit=1", "left=9&top=0&right=0&bottom=9&unit=1",
     "left=nan&top=0&right=9&bottom=9&unit=1", "left=-inf&top=0&right=9&bottom=9&unit=1",
     "left=0&top=0&right=9&bottom=9&unit=0", "left=0&top=0&right=9&bottom=9&unit=-1",
     "left=0&top=0&right=9e99&bottom=9&unit=1", "left=0&top=0&right=9&bottom=9&unit=inf",
     "left=x&top=0&right=9&bottom=9&unit=1"],
)  # fmt: skip
def test_numbers_that_name_no_part_are_refused(board: Board, view: str) -> None:
    answer = board.client.get(f"/api{board.slide()}/outlines?{view}")
    assert answer.status_code == 400
    assert len(answer.text.splitlines()) == 1


def test_a_save_changes_the_revision_and_the_layers(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    with opened(root) as board:
        before, address = asked(board), f"/api{board.slide()}/revision"
        first = board.client.get(address)
        assert first.json() == {"revision": before["revision"]}
        assert board.client.get(address, headers={"if-none-match": first.headers["etag"]}).status_code == 304
        (root / "case.xml").write_bytes(xml_of({"Blob": [(shapely.box(10, 10, 60, 60), "")]}))
        assert board.client.get(address).json() != first.json()
        after = asked(board)
    assert [shape.bounds for shape in shapes_of(after)] == [(10, 10, 60, 60)]


def test_a_file_that_cant_be_read_is_one_line_and_the_slide_is_still_shown(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    (root / "case.xml").write_bytes(b"<Annotations")
    with opened(root) as board:
        answer = board.client.get(f"/api{board.slide()}/outlines?left=0&top=0&right=9&bottom=9&unit=1")
        assert answer.status_code == 503
        assert len(answer.text.splitlines()) == 1 and "case.xml" in answer.text
        assert board.client.get(f"{board.slide()}/tiles/9/0/0.jpg").status_code == 200


def test_a_slide_without_a_file_yet_has_no_outlines(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    (root / "case.xml").unlink()
    with opened(root) as board:
        facts = asked(board)
    assert (facts["revision"], facts["objects"]) == ("none", [])
