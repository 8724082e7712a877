"""Vertices in bulk say what expat says of the same bytes, to the last bit, or leave them to it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import ImageScopeFormatError
from bridge.imagescope import document as parser
from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import Document
from bridge.imagescope.vertices import ThinText, take_vertices


def file_of(*contents: str, tag: str = "<Vertices>") -> bytes:
    regions = "".join(f"<Region Id='{i}'>{tag}{text}</Vertices></Region>\n" for i, text in enumerate(contents))
    return f"<Annotations><Annotation><Regions>\n{regions}</Regions></Annotation></Annotations>".encode()


def parsed(data: bytes) -> object:
    """What the document says, in values that compare; a refusal by its message."""
    try:
        document = parse_document(data)
    except ImageScopeFormatError as error:
        return str(error)
    elements = [[layer.element, layer.container, *chain(r.element for r in layer.regions)] for layer in document.layers]
    numbers = [[r.vertices.tolist() for r in layer.regions] for layer in document.layers]
    properties = [_properties(layer) for layer in document.layers]
    return document.root, elements, repr(numbers).replace("-0.0", "0.0"), properties


def _properties(layer) -> list[object]:
    return [layer.attributes, layer.properties, *((r.attributes, r.properties) for r in layer.regions)]


def parsed_by_expat_alone(data: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(parser, "take_vertices", ThinText)
        return parsed(data)


@pytest.mark.parametrize(
    "content",
    [
        '<Vertex X="1" Y="2"/>',
        '\r\n\t<Vertex X="1" Y="2" Z="0"/>\r\n\t<Vertex X="-3" Y="4" Z="0"/>\r\n',
        '<Vertex Y="1.5" X="002"/><Vertex Y="-0.25" X="46146.24"/>',
        '<Vertex  X="1"\n Y="2" />  <Vertex  X="3"\n Y="4" />',
        '<Vertex X="46146.239999" Y="9007199254740991"/>',
    ],
)
def test_plain_vertices_are_taken(content: str) -> None:
    thin = take_vertices(file_of(content, content))
    assert len(thin.vertices) == 2
    assert b"<Vertex " not in thin.body


@pytest.mark.parametrize(
    "content",
    [
        '<Vertex X="9,5" Y="2"/>',
        '<Vertex X="1e3" Y="2"/>',
        '<Vertex X="" Y="2"/>',
        '<Vertex X="1.2.3" Y="2"/>',
        '<Vertex X="1-2" Y="2"/>',
        '<Vertex X="-" Y="2"/>',
        '<Vertex X=".5" Y="2"/>',
        '<Vertex X="5." Y="2"/>',
        '<Vertex X="--5" Y="2"/>',
        '<Vertex X="0.12345678901234567" Y="2"/>',  # not exact as an integer over a power of ten
        '<Vertex X="0.9007199254740993" Y="2"/>',  # 2⁵³ + 1
        '<Vertex X="123456789012345678901234567890" Y="2"/>',
        '<Vertex X="1" Y="2"/>\n<Vertex X="3" Y="4"/>\n.<Vertex X="5" Y="6"/>\n<Vertex X="7" Y="8"/>',
        '<Vertex X="1" Y="2"/>\n<Vertex X="3" Y="4"/>\n<Vertex.  X="5" Y="6"/>',
        '<Vertex X="1" Y="2"/>3<Vertex X="" Y="4"/>',
        '<Vert1ex X="" Y="2"/>',
        '<Vertex X1="" Y="2"/>',
        '<Vertex X="1" X="2"/>',
        '<Vertex X="1" Z="2"/>',
        '<Vertex X="1" Y="2"></Vertex>',
        '<Vertex X="1" Y="2"/><!-- <Vertex X="1" Y="2"/> -->',
        "<Vertex X='1' Y='2'/>",
        '<V X="1" Y="2"/>',
        '<Vertex X="&#49;" Y="2"/>',
        '<Vertices><Vertex X="1" Y="2"/>',
        "",
    ],
)
def test_anything_else_is_left_to_expat(content: str) -> None:
    assert take_vertices(file_of(content)).is_whole


def test_odd_region_among_plain_ones_is_left_alone() -> None:
    thin = take_vertices(file_of('<Vertex X="1" Y="2"/>', '<Vertex X="9,5" Y="2"/>', '<Vertex X="3" Y="4"/>'))
    assert [v.tolist() for v in thin.vertices.values()] == [[[1, 2]], [[3, 4]]]
    (layer,) = parse_document(file_of('<Vertex X="1" Y="2"/>', '<Vertex X="9,5" Y="2"/>')).layers
    assert [r.vertices.tolist() for r in layer.regions] == [[[1, 2]], [[9.5, 2]]]


@pytest.mark.parametrize(
    "around",
    [
        "<!-- {} -->",
        "<![CDATA[{}]]>",
        "<?note {}?>",
        "<Region>{}<Vertex X='7' Y='8'/>{}</Region>",
        "<Region><Vertex X='7' Y='8'/><Attributes>{}</Attributes>{}</Region>",
        "<Plots>{}</Plots>",
        '<Region Text="{}"/>',
        "<Region><Vertices Text='>'/>{}</Region>",
        "<Region Text='<Vertices>'/>{}",
        "{}<Region Text='&lt;Vertices>'/>{}",
    ],
)
def test_where_it_stands_makes_no_difference(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = '<Vertices Xmin="1">\n<Vertex X="1" Y="2"/>\n<Vertex X="3.5" Y="-4"/></Vertices>'
    text = around.format(plain, plain)
    data = f"<Annotations><Annotation><Regions>{text}</Regions></Annotation></Annotations>".encode()
    assert parsed(data) == parsed_by_expat_alone(data, monkeypatch)


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.9])
def test_lines_of_errors_are_the_files(cut: float, monkeypatch: pytest.MonkeyPatch) -> None:
    data = file_of(*['\n<Vertex X="1" Y="2"/>\n<Vertex X="3" Y="4"/>\n'] * 9)
    data = data[: int(len(data) * cut)]
    assert isinstance(parsed(data), str)
    assert parsed(data) == parsed_by_expat_alone(data, monkeypatch)


def test_real_files_say_the_same(real_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = real_file.read_bytes()
    assert parsed(data) == parsed_by_expat_alone(data, monkeypatch)


def test_nearly_all_of_a_real_file_is_read_in_bulk(real_file: Path) -> None:
    data = real_file.read_bytes()
    taken = sum(map(len, take_vertices(data).vertices.values()))
    assert taken >= 0.9 * data.count(b"<Vertex ")


PIECES = st.sampled_from(
    [*'0123456789.-,"<>/ \t\n', "<Vertex ", 'X="', 'Y="', '" ', '"/>', "<Vertices>", "</Vertices>", "<V ", "e5", "<!--"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 3), st.lists(PIECES, max_size=3)), max_size=3))
@example([])
def test_mutated_files_say_the_same(changes: list[tuple[int, int, list[str]]]) -> None:
    content = '\n\t<Vertex X="46146.24" Y="-7" Z="0"/>\n\t<Vertex X="12" Y="0.5" Z="0"/>\n'
    data = file_of(content, content, content)
    for place, cut, pieces in changes:
        place %= len(data)
        data = data[:place] + "".join(pieces).encode() + data[place + cut :]
    with pytest.MonkeyPatch.context() as patch:
        assert parsed(data) == parsed_by_expat_alone(data, patch)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 8)), min_size=2, max_size=20))
def test_numbers_are_the_floats_that_python_reads(numbers: list[tuple[int, int]]) -> None:
    texts = [f"{mantissa / 10**decimals:.{decimals}f}" for mantissa, decimals in numbers]
    content = "".join(f'<Vertex X="{text}" Y="{text[::-1] if text.isdigit() else 0}"/>' for text in texts)
    (vertices,) = take_vertices(file_of(content)).vertices.values()
    assert vertices[:, 0].tolist() == [float(text) for text in texts]


def test_many_regions_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    contents = [
        "\n".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in random.integers(-99, 10**6, (60, 2)).tolist())
        for _ in range(3000)
    ]
    assert isinstance(parse_document(file_of(*contents)), Document)
    assert parsed(file_of(*contents)) == parsed_by_expat_alone(file_of(*contents), monkeypatch)
