from __future__ import annotations

import math
import tracemalloc
from random import Random

import pytest

from bridge.annotations import ObjectKind
from bridge.errors import QuPathFormatError
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_values import Allowance
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import (
    PathObject,
    id_of,
    ids_below,
    kind_of,
    open_root,
    read_measurements,
    read_metadata,
    walk,
)
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.read import read_qpdata


def test_every_field_is_found(lab) -> None:
    child = lab.box()
    opened = PathObject(
        lab.path_object(
            "TMACore",
            lab.box_roi("Ellipse", 0, 0, 5, 5),
            object_id="x",
            name="A-1",
            color=-1,
            measurements=lab.general_list({"a": 1.5}),
            children=[child],
            is_locked=True,
            path_class=lab.path_class("Tumor", (1, 2, 3)),
            probability=0.25,
            is_missing=True,
        )
    )
    assert opened.name.text == "A-1" and opened.color.number("value") == -1
    assert opened.children == [child] and opened.items[opened.class_at] is opened.path_class
    assert (opened.is_locked, opened.is_missing, opened.probability) == (True, True, 0.25)
    assert read_metadata(opened.metadata, Allowance(0)) == {"Object ID": "x"}
    assert read_measurements(opened.measurements, Allowance(0)) == {"a": 1.5}


@pytest.mark.parametrize("measured", [True, False])
def test_files_of_qupath_02_lack_metadata_and_lock(lab, measured: bool) -> None:
    measurements = lab.numeric_list("D", {"a": 2.0}) if measured else None
    node = lab.box(
        has_metadata=False, has_lock=False, measurements=measurements, path_class=lab.path_class("A", (1, 2, 3))
    )
    (annotation,) = read_qpdata(lab.file([node])).annotations
    assert annotation.measurements == ({"a": 2.0} if measured else {})
    assert annotation.path_class == "A" and not annotation.is_locked and annotation.metadata == {}
    assert annotation.geometry.bounds == (0, 0, 10, 10)


@pytest.mark.parametrize("kind", ["general", "double", "wrapped names", "open, with room to spare"])
def test_measurements_of_every_list(lab, kind: str) -> None:
    values = {"a": 1.5, "inf": math.inf, "minus zero": -0.0, "a: µ": 1e300}
    lists = {
        "general": lambda: lab.general_list(values),
        "double": lambda: lab.numeric_list("D", values),
        "wrapped names": lambda: lab.numeric_list("D", values, is_wrapped=True),
        "open, with room to spare": lambda: lab.numeric_list("D", values, spare=6),
    }
    assert read_measurements(lists[kind](), Allowance(0)) == values


def test_float32_measurements_are_exact(lab) -> None:
    assert read_measurements(lab.numeric_list("F", {"third": 1 / 3}), Allowance(0)) == {"third": 0.3333333432674408}


def test_children_are_replaced_in_the_graph(lab) -> None:
    first, second, third = (lab.box(name=name) for name in "abc")
    parent = PathObject(lab.box(name="parent", children=[first, second]))
    parent.replace_children([third])
    again = PathObject(parent.node)
    assert again.children == [third] and again.roi is not None


def test_a_class_that_we_do_not_know_is_its_superclass(lab, every_kind: bytes) -> None:
    kinds = [kind_of(node.desc) for node in (lab.box(), lab.path_object("PathTile", None))]
    assert kinds == [ObjectKind.ANNOTATION, ObjectKind.TILE]
    with pytest.raises(QuPathFormatError, match=r"java\.lang\.Integer.* not one of QuPath's"):
        kind_of(lab.desc("java.lang.Integer"))


def test_thousands_of_levels(lab) -> None:
    node = lab.path_object("PathDetection", lab.box_roi("Rectangle", 0, 0, 1, 1), name="bottom")
    for _ in range(5_000):
        node = lab.box(children=[node])
    data = lab.file([node])
    annotations = read_qpdata(data).annotations
    assert len(annotations) == 5_001 and annotations[-1].name == "bottom"
    assert [a.parent_id for a in annotations[1:]] == [a.object_id for a in annotations[:-1]]
    assert write_stream(read_stream(data).items) == data


@pytest.mark.parametrize("seed", range(5))
def test_ids_are_those_that_a_walk_meets(lab, seed: int) -> None:
    random = Random(seed)

    def some(depth: int) -> list[object]:
        return [
            lab.box(has_metadata=random.random() < 0.8, object_id=f"{seed}-{random.random()}", children=some(depth - 1))
            for _ in range(random.randrange(1, 4) if depth else 0)
        ]

    root = open_root(open_qpdata(lab.file(some(4))).root)
    walked = [id_of(opened.metadata) or "" for opened, _ in walk(root)]
    assert ids_below(root) == walked
    assert len(walked) > 1


def test_ids_of_what_is_no_tree_are_refused(lab) -> None:
    child = lab.box()
    root = open_root(open_qpdata(lab.file([child, lab.box(children=[child])])).root)
    with pytest.raises(QuPathFormatError, match="no tree"):
        ids_below(root)


def test_an_object_met_twice_is_refused(lab) -> None:
    node = lab.box()
    with pytest.raises(QuPathFormatError, match="no tree"):
        read_qpdata(lab.file([node, node]))


def test_an_object_inside_itself_is_refused(lab) -> None:
    node = lab.box()
    PathObject(node).replace_children([node])
    with pytest.raises(QuPathFormatError, match="no tree"):
        read_qpdata(lab.file([node]))


def test_a_wrong_number_of_children_is_refused(lab) -> None:
    node = lab.box()
    node.written()[4] = b"\x00\x00\x00\x63"
    with pytest.raises(QuPathFormatError, match="not laid out"):
        read_qpdata(lab.file([node]))


def test_a_root_of_another_class_is_refused(lab) -> None:
    records = lab.records([])
    records[3].parts[0] = lab.box()
    with pytest.raises(QuPathFormatError, match="not laid out"):
        read_qpdata(write_stream(records))
    records[3].parts[0] = None
    with pytest.raises(QuPathFormatError, match="no root object"):
        open_qpdata(write_stream(records))


def _metadata_of_one(lab):
    keys = lab.texts([f"key {i}" for i in range(5_000)])
    for _ in range(2_000):
        node = lab.box()
        node.written()[2] = lab.metadata(keys, keys)
        yield node


def _names_of_one(lab):
    first = lab.numeric_list("D", {f"name {i}": 0.0 for i in range(5_000)})
    for _ in range(2_000):
        yield lab.box(measurements=lab.object(first.desc.name, *first.parts))


def _vertices_of_one(lab):
    first = lab.vertices_roi("Polygon", [(i, i % 7) for i in range(5_000)])
    for _ in range(2_000):
        yield lab.path_object("PathAnnotation", lab.object(first.desc.name, *first.parts))


@pytest.mark.parametrize("make", [_metadata_of_one, _names_of_one, _vertices_of_one])
def test_arrays_shared_to_fill_the_memory_are_refused(lab, make) -> None:
    data = lab.file(list(make(lab)))  # ten million pairs or vertices in half a megabyte
    assert len(data) < 600_000
    tracemalloc.start()
    try:
        with pytest.raises(QuPathFormatError, match="again and again"):
            read_qpdata(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_a_text_that_is_shared_is_decoded_once(lab) -> None:
    long = "µ" * 30_000
    annotations = read_qpdata(lab.file([lab.box(name=long, metadata={"k": long}) for _ in range(100)])).annotations
    assert len({id(a.name) for a in annotations} | {id(a.metadata["k"]) for a in annotations}) == 1
    assert annotations[0].name == long
