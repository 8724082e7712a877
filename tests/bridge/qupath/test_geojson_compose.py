"""What a composed GeoJSON file holds, and that it says what it doesn't."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from itertools import pairwise

import shapely
from shapely.geometry import GeometryCollection, LineString, Point, Polygon, box

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, Shape, TmaGrid
from bridge.annotations.source import Edits, MachineObject, MachineRole
from bridge.qupath.geojson import apply_edits, compose_geojson, read_geojson, write_geojson
from bridge.qupath.geojson_compose import MAX_GENERATIONS
from bridge.qupath.read import read_qpdata

KEPT = ("kind", "path_class", "name", "is_locked", "own_color", "is_missing", "plane", "probability", "metadata")


def drawn(number: int, **more: object) -> Annotation:
    return Annotation(str(uuid.UUID(int=number)), box(0, 0, 9, 9), shape=Shape.RECTANGLE, **more)  # type: ignore[arg-type]


def chain(length: int) -> list[Annotation]:
    """Return objects each of which is the child of the one before."""
    objects = [drawn(number) for number in range(1, length + 1)]
    return [objects[0], *(replace(b, parent_id=a.object_id) for a, b in pairwise(objects))]


def test_children_go_into_their_parents_if_asked() -> None:
    family = [*chain(3), drawn(9)]
    nested = compose_geojson(family, nests_children=True)
    assert not nested.lost and len(json.loads(nested.data)["features"]) == 2
    assert [(a.object_id, a.parent_id) for a in read_geojson(nested.data).annotations] == [
        (a.object_id, a.parent_id) for a in family
    ]


def test_children_go_beside_their_parents_if_not_and_are_counted() -> None:
    flat = compose_geojson([*chain(3), drawn(9)])
    assert flat.lost == {"parent object": 2}
    assert [a.parent_id for a in read_geojson(flat.data).annotations] == [None] * 4


def test_generations_beyond_what_parsers_take_go_beside_and_are_counted() -> None:
    composed = compose_geojson(chain(300), nests_children=True)
    found = read_geojson(composed.data).annotations
    assert len(found) == 300
    orphans = sum(a.parent_id is None for a in found) - 1
    assert composed.lost == {"parent object": orphans} and orphans <= 300 // MAX_GENERATIONS


def test_parents_that_are_not_there_or_come_later_or_go_round_lose_nobody() -> None:
    first, second = drawn(1, parent_id=str(uuid.UUID(int=2))), drawn(2, parent_id=str(uuid.UUID(int=1)))
    own, lone = drawn(3, parent_id=str(uuid.UUID(int=3))), drawn(4, parent_id="gone")
    composed = compose_geojson([first, second, own, lone], nests_children=True)
    assert len(read_geojson(composed.data)) == 4
    assert composed.lost == {"parent object": 3}


def test_halves_of_surrogate_pairs_become_question_marks_and_are_counted() -> None:
    odd = drawn(1, name="a\ud83d", path_class="\udc00b", metadata={"k\ud800": "v\ud800"}, measurements={"m\ud800": 1.0})
    pair = drawn(2, name="\ud83d\ude00")
    composed = compose_geojson([odd, pair, drawn(3, name="é")], write_marker="w\ud800")
    assert composed.lost == {"characters": 2}
    found = read_geojson(composed.data)
    first, second, third = found.annotations
    assert (first.name, first.path_class, first.metadata, first.measurements) == ("a?", "?b", {"k?": "v?"}, {"m?": 1.0})
    assert second.name == "\U0001f600" and third.name == "é" and found.write_marker == "w?"
    assert write_geojson([replace(odd, object_id="layer \ud800")])


def test_edits_write_question_marks_too() -> None:
    new = MachineObject(str(uuid.UUID(int=5)), MachineRole.PROPOSAL, "Proposed", box(0, 0, 9, 9), (1, 2, 3), "a\ud83d")
    found = read_geojson(apply_edits(b"[]", Edits("w\ud800", add=(new,))))
    assert found.annotations[0].name == "a?" and found.write_marker == "w?"


def test_what_is_left_out_and_lost_is_said() -> None:
    objects = [
        drawn(1, kind=ObjectKind.TMA_CORE, is_missing=True),
        Annotation("a", Polygon(), shape=Shape.NONE),
        Annotation("hole of nothing", box(0, 0, 9, 9), shape=Shape.NONE),
        Annotation("b", box(0, 0, 0.001, 0.001)),
        Annotation("c", LineString([(0, 0), (9, 9)]), shape=Shape.ARROW),
        Annotation("d", LineString([(0, 0), (9, 9)]), shape=Shape.RULER),
        Annotation("e", GeometryCollection([box(0, 0, 9, 9), Point(1, 1)]), shape=Shape.GEOMETRY),
        drawn(2, nucleus=box(1, 1, 2, 2)),
    ]
    composed = compose_geojson(AnnotationSet(tuple(objects), tma_grid=TmaGrid(1, (objects[0].object_id,))))
    assert composed.left_out == {"no shape": 2, "area below 0.01 px": 1}
    assert composed.lost == {
        "TMA grid": 1, "arrow head": 1, "ruler (became a line)": 1, "parts without area": 1, "nucleus": 1,
    }  # fmt: skip
    assert len(composed.written) == len(read_geojson(composed.data)) == 5
    assert read_geojson(composed.data).annotations[0].is_missing


def test_own_colour_and_class_colour_are_two() -> None:
    both = drawn(1, path_class="Tumor", color=(200, 0, 0), own_color=(1, 2, 3))
    plain, layered = drawn(2, own_color=(4, 5, 6)), drawn(3, color=(7, 8, 9))
    found = read_geojson(write_geojson([both, plain, layered])).annotations
    assert [(a.color, a.own_color) for a in found] == [
        ((200, 0, 0), (1, 2, 3)), (None, (4, 5, 6)), (None, (7, 8, 9)),
    ]  # fmt: skip


def test_what_qupath_stored_survives_as_geojson(real_files: dict[str, bytes]) -> None:
    """data.qpdata → GeoJSON → the same objects, but for rounding, half pairs and what ``lost`` names."""
    for name, data in real_files.items():
        before = read_qpdata(data)
        composed = compose_geojson(before, nests_children=True)
        assert composed.lost.keys() <= {"TMA grid", "characters", "parent object"}, name
        after = {a.object_id: a for a in read_geojson(composed.data).annotations}
        assert len(after) == len(composed.written) == len(before) - sum(composed.left_out.values())
        for wanted in composed.written if "characters" not in composed.lost else ():
            found = after[wanted.object_id]
            kept = (
                "kind",
                "path_class",
                "name",
                "is_locked",
                "own_color",
                "is_missing",
                "plane",
                "probability",
                "metadata",
            )
            assert [getattr(found, key) for key in kept] == [getattr(wanted, key) for key in kept], name
            assert repr(found.measurements) == repr(dict(wanted.measurements))
            assert (found.nucleus is None) == (wanted.nucleus is None)
            assert shapely.hausdorff_distance(found.geometry, wanted.geometry) < 0.02
            if "parent object" not in composed.lost:
                assert found.parent_id == wanted.parent_id
