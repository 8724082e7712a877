"""What other programs and other years put into the same schema: read, kept byte for byte, or refused with a reason."""

from __future__ import annotations

import codecs

import pytest
from imagescope_support import remove_ours

from bridge.annotations import AnnotationSet, ClassScheme, Edits, LabelOptions, ObjectKind, Shape
from bridge.annotations.roles import Role, reconcile
from bridge.errors import ImageScopeFormatError
from bridge.imagescope import document as parser
from bridge.imagescope.document import parse_document
from bridge.imagescope.read import read_imagescope
from bridge.imagescope.write import apply_edits

SCHEME = ClassScheme(
    {"Tumor": (255, 0, 0)}, mapping={"color:#00ff00": "Tumor", "text:adenoma": "Tumor", "id:9": "Tumor"}
)
SQUARE = '<Vertices><Vertex X="0" Y="0"/><Vertex X="8" Y="0"/><Vertex X="8" Y="8"/><Vertex X="0" Y="8"/></Vertices>'


def layer(inner: str, **attributes: object) -> str:
    text = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<Annotation{text}>{inner}</Annotation>"


def file_of(*layers: str, head: str = "", root: str = "") -> bytes:
    return f"{head}<Annotations{root}>{''.join(layers)}</Annotations>".encode()


def regions(*found: str) -> str:
    return f"<Regions>{''.join(found)}</Regions>"


def roles(found: AnnotationSet) -> list[Role]:
    return [item.role for item in reconcile(found, (), None, SCHEME, LabelOptions()).objects]


def assert_kept(data: bytes, machine_objects) -> None:
    """Ours go in and out again, and every byte is as it was; nothing of it is read differently in between."""
    added = apply_edits(data, Edits("w1", add=machine_objects))
    assert remove_ours(added) == data
    before = read_imagescope(data).annotations
    after = [a for a in read_imagescope(added).annotations if not a.is_ours]
    assert [(a.path_class, a.name, a.geometry.wkt) for a in after] == [
        (a.path_class, a.name, a.geometry.wkt) for a in before
    ]


SARDER = file_of(
    layer(
        regions(
            '<Region Id="1" Type="0" Text="d3b0"><Vertices Xmin="0" Xmax="8" Ymin="0" Ymax="8">'
            '<Vertex X="0" Y="0" Z="0"/><Vertex X="8" Y="0" Z="0"/><Vertex X="8" Y="8" Z="0"/></Vertices></Region>'
        ),
        Id="1",
        LayerName="Glomeruli",
        LineColor="65280",
    ),
    root=' modtime="2020-02-02 10:00"',
)
MATLAB = file_of(
    layer(
        '<Attributes><Attribute Name="Description" Id="0" Value=""/></Attributes><Regions><RegionAttributeHeaders>'
        '<AttributeHeaders Id="9999" Name="Region" ColumunWidth="-1"/></RegionAttributeHeaders>'
        f'<Region Id="0" Type="0" Text="" GeoShape="Area">{SQUARE}</Region></Regions><Plots/>',
        Id="0",
        Name="Tumor",
    )
)
PLOTS_FIRST = file_of(
    layer(
        "<Plots/><InputAnnotationId>3</InputAnnotationId>"
        f'<Regions><Region Id="4294967296">{SQUARE}<Attributes/></Region>'
        "</Regions><Attributes/>",
        Name="Tumor",
    )
)
NAMESPACE = file_of(layer(regions(f"<Region>{SQUARE}</Region>"), Name="Tumor"), root=' xmlns="urn:x" xmlns:y="urn:y"')
NOISE = file_of(
    layer(
        "<!-- <Annotation> --><?pi <Region/>?><![CDATA[ <Region> ]]>"
        + regions(f'<Region Text="a&#10;b &amp; &lt;c&gt;"><!-- x -->{SQUARE}</Region>', "text between<Region/>"),
        Name="Tumor",
    ),
    head='<?xml version="1.0" standalone="yes"?>\n<!-- made by hand -->\n',
)


@pytest.mark.parametrize("data", [SARDER, MATLAB, PLOTS_FIRST, NAMESPACE, NOISE])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_other_writers_files_keep_every_byte(data: bytes, newline: str, machine_objects) -> None:
    data = data.replace(b"><", f">{newline}<".encode())
    assert sum(a.shape.is_area for a in read_imagescope(data).annotations) == 1
    assert_kept(data, machine_objects)


@pytest.mark.parametrize(
    ("codec", "mark", "head"),
    [
        ("utf-8", codecs.BOM_UTF8, ""),
        ("utf-16-le", codecs.BOM_UTF16_LE, '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-16-be", codecs.BOM_UTF16_BE, ""),
        ("cp1252", b"", '<?xml version="1.0" encoding="windows-1252"?>'),
        ("cp1252", b"", ""),
    ],
)
def test_encodings_keep_every_byte(codec: str, mark: bytes, head: str, machine_objects) -> None:
    text = file_of(layer(regions(f'<Region Text="Läsion">{SQUARE}</Region>'), Name="Übergang"), head=head).decode()
    data = mark + text.encode(codec)
    (found,) = read_imagescope(data).annotations
    assert (found.path_class, found.name) == ("Übergang", "Läsion")
    assert_kept(data, machine_objects)


def test_class_comes_from_name_text_colour_or_id() -> None:
    drawn = regions(f"<Region>{SQUARE}</Region>")
    said = regions(f'<Region Text="adenoma">{SQUARE}</Region>')
    data = file_of(
        layer(drawn, Name="Tumor", LineColor="255", Id=1),
        layer(said, Name="Anything", LineColor="255", Id=2),
        layer(drawn, Name="", LineColor="65280", Id=3),
        layer(drawn, Name="", LineColor="255", Id=9),
        layer(drawn, Name="", LineColor="255", Id=8),
        layer(drawn, Name="ROI", LineColor="65280", Id=9),
    )
    assert roles(read_imagescope(data)) == [*[Role.ANNOTATION] * 4, Role.OTHER, Role.ROI]


@pytest.mark.parametrize("kind", [3, 8])
def test_what_an_algorithm_made_is_no_persons(kind: int, machine_objects) -> None:
    result = '<Attributes><Attribute Name="Positivity" Id="3" Value="0.5"/></Attributes>'
    data = file_of(
        layer(
            regions(f'<Region Type="0">{result}{SQUARE}</Region>', '<Region Type="3"/>')
            + "<InputAnnotationId>1</InputAnnotationId>",
            Type=kind,
            Name="Tumor",
            LineColor="65280",
        )
    )
    found = read_imagescope(data)
    assert roles(found) == [Role.OTHER] * 2
    assert (found.counts.read, found.counts.verbatim) == (2, {"algorithm result": 1, "arrow": 1})
    assert (found.annotations[0].kind, found.annotations[0].geometry.area) == (ObjectKind.DETECTION, 64)
    assert found.annotations[0].metadata == {"Positivity": "0.5"}
    assert_kept(data, machine_objects)


def test_our_layer_stays_ours_whatever_type_a_viewer_gives_it() -> None:
    data = file_of(layer(regions(f"<Region>{SQUARE}</Region>"), Type=3, Name="Tumor (predicted)"))
    assert read_imagescope(data).annotations[0].kind is ObjectKind.ANNOTATION


def test_text_without_a_shape_comes_along_with_its_words() -> None:
    note = '<Region Type="0" Text="see here"><Vertices><Vertex X="5" Y="6"/></Vertices></Region>'
    found = read_imagescope(file_of(layer(regions(note, '<Region Text="nowhere"/>'), Name="Tumor")))
    assert [(a.name, a.shape) for a in found.annotations] == [("see here", Shape.NONE), ("nowhere", Shape.NONE)]
    assert found.annotations[0].geometry.wkt == "POINT (5 6)"
    assert found.counts.verbatim == {"too few vertices": 2}
    assert roles(found) == [Role.OTHER] * 2


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity", "1e400", "1.#QNAN", "1e9"])
def test_region_with_a_number_that_is_no_place_is_kept_and_never_drawn(number: str, machine_objects) -> None:
    bad = SQUARE.replace('X="8"', f'X="{number}"', 1)
    data = file_of(layer(regions(f"<Region>{bad}</Region>", f"<Region>{SQUARE}</Region>"), Name="Tumor"))
    found = read_imagescope(data)
    assert found.counts.verbatim == {"coordinates": 1}
    assert roles(found) == [Role.OTHER, Role.ANNOTATION]
    assert_kept(data, machine_objects)


@pytest.mark.parametrize("number", ["1,234.5", "1_000", "0x1F", "1 000", "--1", ""])
def test_number_that_could_mean_two_things_is_refused_by_its_line(number: str) -> None:
    bad = SQUARE.replace('<Vertex X="8"', f'\n<Vertex X="{number}"', 1)
    with pytest.raises(ImageScopeFormatError, match=r"^line 2: X=.* is not a coordinate"):
        read_imagescope(file_of(layer(regions(f"<Region>{bad}</Region>"), Name="Tumor")))


def test_repeated_vertices_and_spikes_change_no_area() -> None:
    points = [(0, 0), (0, 0), (8, 0), (8, 8), (8, 8), (20, 8), (8, 8), (0, 8), (0, 0)]
    vertices = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in points)
    found = read_imagescope(file_of(layer(regions(f"<Region><Vertices>{vertices}</Vertices></Region>"), Name="Tumor")))
    assert (found.counts.repaired, found.counts.verbatim) == (1, {})
    assert found.annotations[0].geometry.area == 64
    assert len(found.annotations[0].geometry.exterior.coords) == len(points)  # as drawn


def test_hidden_and_selected_layers_are_read_like_any_other() -> None:
    drawn = regions(f'<Region Selected="1">{SQUARE}</Region>')
    found = read_imagescope(file_of(layer(drawn, Name="Tumor", Visible=0, Selected=1)))
    assert roles(found) == [Role.ANNOTATION]


@pytest.mark.parametrize(
    ("limit", "value", "data"),
    [
        ("MAX_ELEMENTS", 20, file_of(layer(regions("<Region/>" * 30)))),
        ("MAX_VERTICES", 20, file_of(layer(regions(f"<Region>{SQUARE}</Region>" * 6)))),
        ("MAX_VERTICES", 20, file_of(layer(regions(f"<Region>{SQUARE}</Region>".replace("8", "8,5") * 6)))),
        ("MAX_ATTRIBUTES", 20, file_of(layer("", **{f"a{i}": i for i in range(21)}))),
    ],
)
def test_giant_counts_are_refused(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, data: bytes) -> None:
    parse_document(data)
    monkeypatch.setattr(parser, limit, value)
    with pytest.raises(ImageScopeFormatError, match=f"more than .*{value}"):
        parse_document(data)
