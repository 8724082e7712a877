"""Writing a changed stream from some place on gives the bytes of writing it whole."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from bridge.annotations import Edits, MachineObject, MachineRole
from bridge.qupath.edit import apply_edits
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_rewriter import Rewriter
from bridge.qupath.java_stream import MAGIC, Reset
from bridge.qupath.java_writer import write_stream
from bridge.qupath.own_objects import build_objects
from bridge.qupath.path_objects import open_root
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.read import read_qpdata

BOX = box(3, 4, 50, 60)


def predictions(count: int) -> list[MachineObject]:
    ids = [str(uuid.UUID(int=1000 + i)) for i in range(count)]
    return [MachineObject(i, MachineRole.PREDICTION, "Tumor: Predicted", BOX, (200, 0, 0), name=i[-2:]) for i in ids]


def opened(data: bytes):
    """Return a file's graph and a rewriter that keeps the root's first ``kept`` children."""
    qpdata = open_qpdata(data)
    root = open_root(qpdata.root)

    def rewriter(kept: int) -> Rewriter:
        head = root.count_at + 1
        return Rewriter(qpdata.stream.items, qpdata.root, head, head + kept)

    return qpdata, root, rewriter


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_after_the_kept_children_gives_the_bytes_of_a_whole_write(every_kind: bytes, data) -> None:
    qpdata, root, rewriter = opened(every_kind)
    children = root.children
    kept = data.draw(st.integers(0, len(children)))
    again = rewriter(kept)
    assert again.is_as(every_kind)
    # Old ones in any order, which moves first appearances and so every number after them, and new ones.
    rest = data.draw(st.permutations(children[kept:]))[: data.draw(st.integers(0, len(children) - kept))]
    new = build_objects(GraphBuilder(qpdata.stream.nodes), predictions(data.draw(st.integers(0, 3))), "w1")
    root.replace_children([*children[:kept], *rest, *new])
    assert again.write_again(()) == write_stream(qpdata.stream.items)


def test_what_was_changed_before_the_kept_children_end_is_written_too(lab, every_kind: bytes) -> None:
    qpdata, root, rewriter = opened(every_kind)
    again = rewriter(len(root.children))
    child = root.children[0]
    child.written()[0] = lab.text("another name")
    assert again.write_again([child]) == write_stream(qpdata.stream.items) != every_kind


def test_what_was_written_before_the_root_may_change(lab) -> None:
    children = [lab.box(object_id=str(uuid.UUID(int=i)), name=f"n{i}") for i in range(1, 4)]
    records = lab.records(children)
    early = write_stream([*records[:3], lab.hash_map({"a": "b"}), children[2], *records[3:]])
    qpdata, root, rewriter = opened(early)
    again = rewriter(2)
    root.children[2].written()[0] = lab.text("another name")  # its place in the bytes is above the root
    assert again.write_again([root.children[2]]) == write_stream(qpdata.stream.items) != early


def test_a_reset_numbers_everything_anew(lab) -> None:
    *records, end = lab.records([lab.box(object_id=str(uuid.UUID(int=1)))])
    qpdata, root, rewriter = opened(write_stream([*records, Reset(), lab.text("a"), end]))
    again = rewriter(1)
    root.replace_children([*root.children, lab.box(name="a")])
    assert again.write_again(()) == write_stream(qpdata.stream.items)


def test_other_bytes_are_told(every_kind: bytes) -> None:
    _, root, rewriter = opened(every_kind)
    assert not rewriter(len(root.children)).is_as(every_kind + b"p")
    assert not rewriter(0).is_as(MAGIC)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_edits_write_what_a_whole_write_would(every_kind: bytes, data) -> None:
    added = predictions(8)
    ids = [item.object_id for item in added]
    before = apply_edits(every_kind, Edits("w1", add=tuple(added[:6])))
    fates = data.draw(st.lists(st.sampled_from(["stays", "goes", "is promoted"]), min_size=6, max_size=6))
    gone = frozenset(name for name, fate in zip(ids, fates, strict=False) if fate == "goes")
    promoted = {name: ("New", (1, 2, 3)) for name, fate in zip(ids, fates, strict=False) if fate == "is promoted"}
    after = apply_edits(before, Edits(data.draw(st.sampled_from(["", "w2"])), gone, promoted, tuple(added[6:])))
    # A stream that counts its nodes wrongly reads as another graph, which is written in another way.
    assert write_stream(read_stream(after).items) == after
    found = {a.object_id: a for a in read_qpdata(after).annotations}
    assert {name for name in ids if name in found} == set(ids) - gone
    assert all(found[name].path_class == "New" and not found[name].is_ours for name in promoted)
