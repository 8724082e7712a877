"""Our changes to a file, and that they leave no trace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, ObjectKind, Shape
from bridge.errors import QuPathFormatError
from bridge.qupath.create import create_qpdata
from bridge.qupath.edit import apply_edits
from bridge.qupath.java_values import list_items
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import open_root
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.read import read_qpdata

MARKER = "slidebridge.write"
_NO_MARKER = Edits("")


def _first(image_type: str = "UNSET") -> bytes:
    return create_qpdata({}, file_path="/p/1", project_path="/p", entry_id="1", image_type=image_type)


def _id(number: int) -> str:
    return f"0a0a0a0a-0000-4000-8000-{number:012x}"


def _prediction(number: int, **changes) -> MachineObject:
    given = MachineObject(
        _id(number), MachineRole.PREDICTION, "Tumor: Predicted", box(number, 0, number + 9, 9), (200, 0, 0)
    )
    return replace(given, **changes)


_corner = st.integers(0, 200_000).map(lambda cents: cents / 100)
_boxes = st.builds(lambda x, y, w, h: box(x, y, x + w, y + h), _corner, _corner, st.integers(4, 90), st.integers(4, 90))
_discs = st.builds(lambda x, y, r: Point(x, y).buffer(r, quad_segs=4), _corner, _corner, st.integers(3, 50))
_holed = _boxes.map(lambda b: b.difference(b.centroid.buffer(1)))
_several = st.builds(
    lambda a, b: MultiPolygon([a, shapely.affinity.translate(b, a.bounds[2] - b.bounds[0] + 5)]), _boxes, _discs
)
_names = st.none() | st.text(st.characters(), max_size=12)
_objects = st.lists(
    st.builds(
        MachineObject,
        object_id=st.integers(0, 2**48 - 1).map(_id),
        role=st.sampled_from(MachineRole),
        path_class=st.sampled_from(["Tumor: Predicted", "Proposed", "Stroma: In situ: Predicted"]),
        geometry=st.one_of(_boxes, _discs, _holed, _several),
        color=st.tuples(*[st.integers(0, 255)] * 3),
        name=_names,
        is_editable=st.booleans(),
        probability=st.none() | st.floats(0, 1),
        checkpoint=st.none() | st.just("ab" * 8),
    ),
    max_size=6,
    unique_by=lambda item: item.object_id,
)
_markers = st.text(st.characters(), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(_objects, _markers, st.booleans())
def test_appending_and_deleting_gives_the_same_bytes(every_kind: bytes, objects, marker: str, on_first: bool) -> None:
    before = _first() if on_first else every_kind
    after = apply_edits(before, Edits(marker, add=tuple(objects)))
    assert apply_edits(after, Edits("", delete=frozenset(x.object_id for x in objects))) == before


@settings(max_examples=60, deadline=None)
@given(_objects, _markers)
def test_what_was_appended_is_read(every_kind: bytes, objects, marker: str) -> None:
    before = read_qpdata(every_kind)
    after = read_qpdata(apply_edits(every_kind, Edits(marker, add=tuple(objects))))
    assert repr(after.annotations[: len(before)]) == repr(before.annotations), "human objects are as they were"
    assert after.write_marker == _as_one(marker)
    for annotation, item in zip(after.annotations[len(before) :], objects, strict=True):
        is_proposal = item.role is MachineRole.PROPOSAL
        assert (annotation.object_id, annotation.path_class) == (item.object_id, item.path_class)
        made_by = {} if item.checkpoint is None else {"slidebridge.checkpoint": item.checkpoint}
        assert annotation.is_ours and annotation.metadata == {"slidebridge": _as_one(marker), **made_by}
        assert annotation.is_locked is is_proposal and annotation.parent_id is None
        assert annotation.name == (None if item.name is None else _as_one(item.name))
        assert annotation.probability == item.probability
        is_annotation = is_proposal or item.is_editable
        assert annotation.kind is (ObjectKind.ANNOTATION if is_annotation else ObjectKind.DETECTION)
        wanted = box(*item.geometry.bounds) if is_proposal else item.geometry
        assert annotation.geometry.is_valid
        assert shapely.hausdorff_distance(annotation.geometry, wanted) < 0.01
        if is_proposal:
            assert annotation.shape is Shape.RECTANGLE
        elif wanted.geom_type == "Polygon" and not wanted.interiors:
            assert annotation.shape is Shape.POLYGON
        else:
            assert annotation.shape is Shape.GEOMETRY
            cents = shapely.get_coordinates(annotation.geometry) * 100
            assert np.allclose(cents, cents.round(), atol=1e-6)


def _as_one(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def test_real_files_come_back_after_an_append_and_a_delete(real_files: dict[str, bytes]) -> None:
    added = tuple(_prediction(i) for i in range(3))
    for name, before in real_files.items():
        after = apply_edits(before, Edits("m", add=added))
        found = read_qpdata(after)
        assert [a.object_id for a in found.annotations[-3:]] == [x.object_id for x in added], name
        assert repr(found.annotations[:-3]) == repr(read_qpdata(before).annotations), name
        assert apply_edits(after, Edits("", delete=frozenset(x.object_id for x in added))) == before, name


def test_no_edits_change_nothing(real_files: dict[str, bytes], every_kind: bytes) -> None:
    for data in (every_kind, *real_files.values()):
        assert apply_edits(data, _NO_MARKER) == data


def test_a_later_marker_takes_the_place_of_an_earlier_one(every_kind: bytes) -> None:
    marked = apply_edits(apply_edits(every_kind, Edits("first")), Edits("second"))
    assert read_qpdata(marked).write_marker == "second" and marked.count(b"slidebridge.write") == 1
    assert apply_edits(marked, _NO_MARKER) == every_kind


def _by_id(data: bytes) -> dict[str, Annotation]:
    return {a.object_id: a for a in read_qpdata(data).annotations}


def test_promotion_changes_class_and_ownership_only(every_kind: bytes) -> None:
    given = apply_edits(
        every_kind, Edits("m", add=tuple(_prediction(i, name=f"no {i}", probability=0.5) for i in range(3)))
    )
    promoted = _by_id(apply_edits(given, Edits("m", promote={_id(1): ("Tumor", (1, 2, 3))})))
    for object_id, before in _by_id(given).items():
        if object_id == _id(1):
            before = replace(before, path_class="Tumor", color=(200, 0, 0), is_ours=False, metadata={})
        assert repr(promoted[object_id]) == repr(before)


def test_promotion_to_a_class_that_the_file_lacks(every_kind: bytes) -> None:
    given = apply_edits(every_kind, Edits("m", add=(_prediction(1, path_class="New: Predicted"), _prediction(2))))
    after = _by_id(apply_edits(given, Edits("m", promote={_id(2): ("Grade: 3", (1, 2, 3))})))
    assert (after[_id(2)].path_class, after[_id(2)].color) == ("Grade: 3", (1, 2, 3))
    assert after[_id(1)].is_ours, "the shared list of metadata keys was not changed for the others"


def test_every_level_of_a_new_class_has_a_colour(lab) -> None:
    data = apply_edits(_first(), Edits("m", add=(_prediction(1, path_class="A: B: Predicted", color=(7, 8, 9)),)))
    promoted = _by_id(apply_edits(data, Edits("m", promote={_id(1): ("A: B", (0, 0, 0))})))
    assert promoted[_id(1)].color == (7, 8, 9), "the class above was made with that colour"


def test_a_colour_that_the_file_has_is_kept(every_kind: bytes) -> None:
    after = _by_id(apply_edits(every_kind, Edits("m", add=(_prediction(1, path_class="Tumor", color=(0, 0, 9)),))))
    assert after[_id(1)].color == (200, 0, 0)


def test_a_class_without_colour_is_not_used_again(lab) -> None:
    grey = lab.object("qupath.lib.objects.classes.PathClass", None, lab.text("Tumor"), None)
    data = lab.file([lab.box(path_class=grey)])
    found = read_qpdata(apply_edits(data, Edits("m", add=(_prediction(1),)))).annotations
    assert [a.color for a in found] == [None, (200, 0, 0)]


def test_children_of_a_deleted_object_move_up(lab) -> None:
    mine = {"metadata": {"slidebridge": "m"}}
    inner = lab.box(object_id=_id(3), **mine, children=[lab.box(name="c"), lab.box(name="d")])
    outer = lab.box(object_id=_id(2), **mine, children=[lab.box(name="b"), inner, lab.box(name="e")])
    human = lab.box(name="human", children=[lab.box(name="a"), outer, lab.box(name="f")])
    before = lab.file([human])
    after = read_qpdata(apply_edits(before, Edits("", delete=frozenset({_id(2), _id(3)})))).annotations
    assert [a.name for a in after] == ["human", *"abcdef"]
    assert {a.parent_id for a in after[1:]} == {after[0].object_id}


def test_delete_promote_and_add_in_one_pass(lab) -> None:
    mine = {"metadata": {"slidebridge": "old"}}
    kept = lab.box(object_id=_id(3), **mine, children=[lab.box(name="grandchild")])
    data = lab.file([lab.box(object_id=_id(2), **mine, children=[kept]), lab.box(name="human")])
    edits = Edits("new", frozenset({_id(2)}), {_id(3): ("Tumor", (1, 2, 3))}, (_prediction(4),))
    after = read_qpdata(apply_edits(data, edits)).annotations
    assert [a.name or a.path_class for a in after] == ["Tumor", "grandchild", "human", "Tumor: Predicted"]
    assert after[1].parent_id == after[0].object_id == _id(3)


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (Edits("m", delete=frozenset({_id(1)})), "is not ours"),
        (Edits("m", promote={_id(1): ("A", (0, 0, 0))}), "is not ours"),
        (Edits("m", delete=frozenset({_id(99)})), "0 times"),
        (Edits("m", delete=frozenset({_id(2)})), "2 times"),
        (Edits("m", add=(_prediction(1),)), "already"),
        (Edits("m", add=(_prediction(7), _prediction(7))), "already"),
        (Edits("m", add=(_prediction(7, object_id="7"),)), "no UUID"),
        (Edits("m", frozenset({_id(3)}), {_id(3): ("A", (0, 0, 0))}), "at once"),
    ],
)
def test_edits_of_what_is_not_ours_are_refused(lab, edits: Edits, words: str) -> None:
    mine = {"metadata": {"slidebridge": "m"}}
    data = lab.file([lab.box(object_id=_id(1)), *(lab.box(object_id=_id(i), **mine) for i in (2, 2, 3)), lab.box()])
    with pytest.raises(QuPathFormatError, match=words) as caught:
        apply_edits(data, edits)
    assert "\n" not in str(caught.value)


def _grid_of(data: bytes):
    qpdata = open_qpdata(data)
    return list_items(qpdata.hierarchy.field("tmaGrid").field("cores")), open_root(qpdata.root).children


@pytest.mark.parametrize("project", ["tma_051/1", "tma_070/1"])
def test_a_grid_still_shares_its_cores_with_the_root(real_files: dict[str, bytes], project: str) -> None:
    before = real_files[project]
    after = apply_edits(before, Edits("m", add=(_prediction(1), _prediction(2))))
    after = apply_edits(after, Edits("n", delete=frozenset({_id(1)}), promote={_id(2): ("Tumor", (1, 2, 3))}))
    cores, children = _grid_of(after)
    assert len(cores) == 20 and set(cores) <= set(children), "the same nodes, not copies"
    assert read_qpdata(after).tma_grid == read_qpdata(before).tma_grid is not None


@pytest.mark.parametrize("with_grid", [True, False])
def test_a_generated_grid_is_read_and_shared(lab, with_grid: bool) -> None:
    cores = [
        lab.path_object("TMACore", lab.box_roi("Ellipse", i, 0, i + 9, 9), object_id=_id(50 + i), is_missing=i == 2)
        for i in range(6)
    ]
    data = lab.file([lab.box(), *cores], tma_grid=lab.tma_grid(3, cores) if with_grid else None)
    found = read_qpdata(apply_edits(data, Edits("m", add=(_prediction(1),))))
    assert (found.tma_grid is not None) is with_grid
    assert [a.is_missing for a in found.annotations] == [False, False, False, True, False, False, False, False]
    if with_grid:
        assert (found.tma_grid.width, found.tma_grid.core_ids) == (3, tuple(_id(50 + i) for i in range(6)))


@pytest.mark.parametrize("width", [0, -1, 4, 2**31 - 1])
def test_a_grid_that_is_none_is_kept_and_not_read(lab, width: int) -> None:
    cores = [lab.path_object("TMACore", lab.box_roi("Ellipse", 0, 0, 9, 9)) for _ in range(6)]
    data = lab.file(cores, tma_grid=lab.tma_grid(width, cores))
    assert read_qpdata(data).tma_grid is None
    assert apply_edits(data, _NO_MARKER) == data


def test_edits_leave_every_other_object_as_it_was(real_files: dict[str, bytes]) -> None:
    added = tuple(_prediction(i) for i in range(4))
    for name, before in real_files.items():
        given = apply_edits(before, Edits("m", add=added))
        edits = Edits("n", frozenset({_id(0), _id(2)}), {_id(1): ("Tumor", (1, 2, 3))}, (_prediction(9),))
        after = read_qpdata(apply_edits(given, edits))
        theirs = read_qpdata(before)
        assert repr(after.annotations[: len(theirs)]) == repr(theirs.annotations), name
        assert [a.object_id for a in after.annotations[len(theirs) :]] == [_id(1), _id(3), _id(9)], name


def test_what_lies_thousands_deep_is_edited(lab) -> None:
    mine = {"metadata": {"slidebridge": "m"}}
    node = lab.box(name="bottom")
    for level in range(5_000):
        node = lab.box(object_id=_id(level), children=[node], **(mine if level == 2_500 else {}))
    data = lab.file([node])
    after = read_qpdata(apply_edits(data, Edits("", delete=frozenset({_id(2_500)}), add=(_prediction(9_999),))))
    assert len(after) == 5_001 and after.annotations[-2].name == "bottom"
    by_id = {a.object_id: a for a in after.annotations}
    assert by_id[_id(2_499)].parent_id == _id(2_501)


def test_version_2_is_read_only(lab) -> None:
    data = lab.file([lab.box(name="old")], version=2)
    assert read_qpdata(data).annotations[0].name == "old"
    with pytest.raises(QuPathFormatError, match=r"read only; open the image in QuPath 0\.4"):
        apply_edits(data, _NO_MARKER)


def test_a_file_without_properties_takes_no_marker(lab) -> None:
    records = lab.records([lab.box()])
    del records[-2]
    data = write_stream(records)
    assert apply_edits(data, _NO_MARKER) == data
    with pytest.raises(QuPathFormatError, match="no image properties"):
        apply_edits(data, Edits("m"))


def test_properties_of_another_size_than_they_say_are_refused(lab) -> None:
    records = lab.records([])
    records[-2].parts[1].append(lab.text("one too many"))
    with pytest.raises(QuPathFormatError, match="properties"):
        apply_edits(write_stream(records), Edits("m"))
