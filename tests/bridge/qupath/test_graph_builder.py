from __future__ import annotations

from bridge.qupath import class_table as table
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_reader import read_stream


def test_equal_values_are_one_node(lab) -> None:
    assert (
        lab.text("a") is lab.text("a") and lab.integer(3) is lab.integer(3) and lab.boolean(True) is lab.boolean(True)
    )
    assert lab.boolean(True) is not lab.boolean(False)


def test_descriptions_of_the_graph_are_used_again(every_kind: bytes) -> None:
    stream = read_stream(every_kind)
    given = {node.name: node for node in stream.nodes if isinstance(node, ClassDesc)}
    builder = GraphBuilder(stream.nodes)
    for name in (table.ANNOTATION, table.POLYGON, table.INTEGER, table.PATH_CLASS):
        assert builder.desc(name) is given[name]
    assert builder.desc(table.STAINS) not in given.values()


def test_real_files_describe_the_classes_as_we_do(real_files: dict[str, bytes]) -> None:
    """Every class that we write and that a real file describes is described there in the same way."""
    met = set()
    for name, data in real_files.items():
        stream = read_stream(data)
        builder = GraphBuilder(stream.nodes)
        for desc in (node for node in stream.nodes if isinstance(node, ClassDesc) and node.name in table.CLASSES):
            assert builder.desc(desc.name) is desc, (name, desc.name)
            met.add(desc.name)
    assert met == set(table.CLASSES)


def test_a_class_of_other_fields_is_not_used_again() -> None:
    odd = ClassDesc(table.BOOLEAN, 1)
    odd.complete(2, (), None)
    assert GraphBuilder([odd]).desc(table.BOOLEAN) is not odd


def test_path_classes_of_the_graph_are_used_again(every_kind: bytes) -> None:
    stream = read_stream(every_kind)
    builder = GraphBuilder(stream.nodes)
    assert builder.path_class("Tumor: Positive", (0, 0, 0)) in stream.nodes
    new = builder.path_class("Tumor: Negative", (0, 0, 0))
    assert new not in stream.nodes and new.field("parentClass") is builder.path_class("Tumor", (0, 0, 0))


def test_buckets_of_a_hash_map(lab) -> None:
    small, large = (lab.hash_map({str(i): "" for i in range(size)}) for size in (12, 13))
    assert small.number("threshold") == 12 and small.written()[0][:4] == b"\0\0\0\x10"
    assert large.number("threshold") == 24 and large.written()[0] == b"\0\0\0\x20\0\0\0\x0d"
