from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagescope_support import remove_ours, whole_pixel_parts
from shapely.geometry import box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, is_same_outline
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.plain import write_imagescope
from bridge.imagescope.read import read_imagescope
from bridge.imagescope.write import apply_edits, create_imagescope

RED = (255, 0, 0)


def human_regions(data: bytes) -> list[bytes]:
    """The bytes of each region in a layer of a person's, in their encoding."""
    document = parse_document(data)
    names = ("Proposed", "SlideBridge")
    layers = [layer for layer in document.layers if not layer.name.endswith("(predicted)") and layer.name not in names]
    return [document.text(region.element) for layer in layers for region in layer.regions]


def ours(data: bytes) -> list[Annotation]:
    return [annotation for annotation in read_imagescope(data).annotations if annotation.is_ours]


def expected_outlines(objects: tuple[MachineObject, ...]) -> Counter[tuple[str, str]]:
    parts = [(item.path_class, part.normalize().wkt) for item in objects for part in whole_pixel_parts(item.geometry)]
    return Counter(parts)


def outlines(annotations: list[Annotation]) -> Counter[tuple[str, str]]:
    return Counter((a.path_class or "", a.geometry.normalize().wkt) for a in annotations)


# --- the law: ours go in, and out again without a trace -----------------------------------------------------------


def assert_law(data: bytes, objects: tuple[MachineObject, ...]) -> None:
    added = apply_edits(data, Edits("w1", add=objects))
    assert outlines(ours(added)) == expected_outlines(objects)
    assert read_imagescope(added).write_marker == "w1"
    assert human_regions(added) == human_regions(data)
    assert remove_ours(added) == data
    again = apply_edits(added, Edits("w2", add=objects[:2]))
    assert read_imagescope(again).write_marker == "w2"
    assert human_regions(again) == human_regions(data)
    assert remove_ours(again) == data
    emptied = apply_edits(again, Edits("w3", frozenset(a.object_id for a in ours(again))))
    assert [layer.name for layer in parse_document(emptied).layers[-1:]] == ["SlideBridge"]
    assert ours(emptied) == []
    assert remove_ours(emptied) == data


def test_small_real_files_get_their_bytes_back(small_real_file: Path, machine_objects) -> None:
    assert_law(small_real_file.read_bytes(), machine_objects)


def test_real_files_get_their_bytes_back(real_file: Path, machine_objects) -> None:
    data = real_file.read_bytes()
    added = apply_edits(data, Edits("w1", add=machine_objects))
    assert human_regions(added) == human_regions(data)
    assert remove_ours(added) == data


@pytest.mark.parametrize(
    "data",
    [
        create_imagescope((0.25, 0.25)),
        create_imagescope(None),
        b"<Annotations/>",
        b'<Annotations MicronsPerPixel="0.25" />\r\n',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><Annotations\n/><!-- end -->',
        b"<Annotations></Annotations>",
        b"<Annotations>\n\t</Annotations>",
        b"<Annotations>  </Annotations>",
        b"<Annotations><Annotation Name='SlideBridge'/></Annotations>",
    ],
)
def test_files_without_layers_get_their_bytes_back(data: bytes, machine_objects) -> None:
    assert_law(data, machine_objects)


@st.composite
def files(draw) -> bytes:
    """Files as tools and people leave them: dialects, white space, encodings, comments, layers that lack things."""
    newline = draw(st.sampled_from(["\n", "\r\n", ""]))
    indent = draw(st.sampled_from(["\t", "  ", ""]))
    number = draw(st.sampled_from(["{:.0f}", "{:.6f}", "{:.2f}"]))
    text = st.text(st.sampled_from('abc Ä(pred)<&>"'), max_size=8)
    quoted = text.map(lambda t: t.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&#34;"))

    def vertices() -> str:
        points = draw(st.lists(st.tuples(*[st.integers(-50, 900)] * 2), max_size=6))
        z = draw(st.sampled_from(["", ' Z="0"']))
        return "".join(f'<Vertex X="{number.format(x)}" Y="{number.format(y)}"{z}/>{newline}' for x, y in points)

    def region() -> str:
        kind, negative = draw(st.integers(0, 5)), draw(st.integers(0, 1))
        attributes = draw(
            st.sampled_from(["", "<Attributes/>", '<Attributes><Attribute Id="1" Value="x"/></Attributes>'])
        )
        tag = f'<Region Id="{draw(st.integers(0, 9))}" Type="{kind}" Text="{draw(quoted)}" NegativeROA="{negative}">'
        return f"{indent * 3}{tag}{newline}{attributes}<Vertices>{vertices()}</Vertices></Region>{newline}"

    def layer() -> str:
        tag = f'<Annotation Name="{draw(quoted)}" Selected="{draw(st.integers(0, 1))}"'
        inner = draw(st.sampled_from(["", "<Regions/>", "<InputAnnotationId>1</InputAnnotationId>", "full", "full"]))
        if inner == "full":
            regions = "".join(region() for _ in range(draw(st.integers(0, 3))))
            inner = f"{newline}{indent * 2}<Regions>{newline}{regions}{indent * 2}</Regions>{newline}{indent}"
        return f"{indent}{tag}>{inner}</Annotation>{newline}" if inner else f"{indent}{tag}/>{newline}"

    comment = draw(
        st.sampled_from(["", f"<!-- </Annotations> -->{newline}", f"{indent}<Other>&#228;</Other>{newline}"])
    )
    body = "".join(layer() for _ in range(draw(st.integers(0, 3)))) + comment
    root = f'<Annotations MicronsPerPixel="{draw(st.sampled_from(["0.25", "0", "x"]))}">{newline}{body}</Annotations>'
    encoding, declared, mark = draw(
        st.sampled_from(
            [
                ("utf-8", False, b""),
                ("utf-8", True, b""),
                ("utf-8", False, codecs.BOM_UTF8),
                ("utf-16-le", True, codecs.BOM_UTF16_LE),
                ("utf-16-be", False, b""),
                ("iso-8859-1", True, b""),
                ("cp1252", False, b""),
            ]
        )
    )
    head = f'<?xml version="1.0" encoding="{encoding}"?>{newline}' if declared else ""
    return mark + (head + root + draw(st.sampled_from(["", newline, "\n\n"]))).encode(encoding)


@settings(max_examples=80, deadline=None)
@given(data=files())
def test_generated_files_get_their_bytes_back(data: bytes, machine_objects) -> None:
    assert_law(data, machine_objects)


# --- what goes in ------------------------------------------------------------------------------------------------


def test_our_layers_come_last_not_selected(file_xml, region_xml, square, machine_objects) -> None:
    data = file_xml({"Tumor": [region_xml(square(0, 0, 9), Id=40)]})
    layers = parse_document(apply_edits(data, Edits("w", add=machine_objects))).layers
    names = ["Tumor", "Tumor (predicted)", "Läsion & <α> (predicted)", "Proposed", "SlideBridge"]
    assert [layer.name for layer in layers] == names
    assert [layer.attributes["Selected"] for layer in layers[1:]] == ["0"] * 4
    assert len({layer.attributes["Id"] for layer in layers}) == 5
    ids = [region.id for layer in layers for region in layer.regions]
    assert len(set(ids)) == len(ids) and ids[0] == "40"
    shown = [[region.attributes["DisplayId"] for region in layer.regions] for layer in layers[1:]]
    assert shown == [["1", "2", "3", "4"], ["1"], ["1"], []]


def test_objects_come_back_with_text_colour_and_hints(machine_objects) -> None:
    found = ours(apply_edits(create_imagescope(None), Edits("w", add=machine_objects)))
    assert [a.metadata["slidebridge"] for a in found] == ["a", "b", "b", "c", "d"]
    assert [a.name for a in found] == [None, None, None, 'say "ö"', "#1 uncertain Tumor, 0.41"]
    assert [a.color for a in found] == [RED, RED, RED, (1, 2, 3), (0, 0, 255)]
    assert [a.probability for a in found] == [0.875, None, None, None, None]


def test_text_is_written_in_the_files_encoding(machine_objects) -> None:
    data = '<?xml version="1.0" encoding="ISO-8859-1"?><Annotations><Annotation Name="ä"/></Annotations>'.encode(
        "latin-1"
    )
    added = apply_edits(data, Edits("w", add=machine_objects))
    assert 'say &quot;ö&quot;"'.encode("latin-1") in added
    assert b"L\xe4sion &amp; &lt;&#945;&gt; (predicted)" in added
    assert [a.path_class for a in ours(added)][3] == "Läsion & <α>: Predicted"


def test_new_objects_join_a_layer_that_keeps_some(machine_objects) -> None:
    first = apply_edits(create_imagescope(None), Edits("w1", add=machine_objects))
    kept = parse_document(first).layers[0].regions[3].element
    more = replace(machine_objects[1], object_id="e", geometry=box(700, 700, 720, 720))
    second = apply_edits(first, Edits("w2", frozenset({"L0R0", "L0R2", "L1R0", "L2R0"}), add=(more,)))
    document = parse_document(second)
    assert [layer.name for layer in document.layers] == ["Tumor (predicted)", "SlideBridge"]
    regions = document.layers[0].regions
    assert document.text(regions[0].element) == parse_document(first).text(kept)
    assert [region.attributes["DisplayId"] for region in regions] == ["4", "5"]
    assert [region.id for region in regions] == ["4", "7"]


def test_object_without_area_leaves_no_layer(machine_objects) -> None:
    thin = replace(machine_objects[0], geometry=box(0, 0, 0.2, 50))
    layers = parse_document(apply_edits(create_imagescope(None), Edits("w", add=(thin,)))).layers
    assert [layer.name for layer in layers] == ["SlideBridge"]


@pytest.mark.parametrize(("used", "expected"), [("30007", "30008"), ("x", "1"), ("4294967295", "1"), ("-5", "1")])
def test_new_ids_count_on_from_the_files(
    file_xml, region_xml, square, machine_objects, used: str, expected: str
) -> None:
    data = file_xml({"Tumor": [region_xml(square(0, 0, 9), Id=used)]})
    layers = parse_document(apply_edits(data, Edits("w", add=machine_objects))).layers
    assert layers[1].regions[0].id == expected


def test_first_file_has_the_mean_resolution() -> None:
    assert create_imagescope((0.25, 0.36)) == b'<Annotations MicronsPerPixel="0.300000">\r\n</Annotations>'
    assert read_imagescope(create_imagescope(None)).mpp is None


# --- what people do in between -----------------------------------------------------------------------------------


@pytest.mark.parametrize("renumber", [True, False])
@pytest.mark.parametrize("number", ["{:.6f}", "{:.0f}", "{:.1f}"])
def test_ours_are_found_by_layer_after_imagescope_saved(
    small_real_file: Path, machine_objects, saved_by_imagescope, renumber: bool, number: str
) -> None:
    data = small_real_file.read_bytes()
    added = apply_edits(data, Edits("w1", add=machine_objects))
    saved = saved_by_imagescope(added, renumber=renumber, number=number)
    before, after = ours(added), ours(saved)
    assert [(a.path_class, a.name) for a in after] == [(a.path_class, a.name) for a in before]
    assert all(is_same_outline(a.geometry, b.geometry) for a, b in zip(after, before, strict=True))
    assert read_imagescope(saved).write_marker == "w1"
    emptied = apply_edits(saved, Edits("w2", frozenset(a.object_id for a in after)))
    assert human_regions(emptied) == human_regions(saved)
    assert len(human_regions(saved)) == len(human_regions(data))
    assert [layer.name for layer in parse_document(emptied).layers].count("SlideBridge") == 1
    assert ours(emptied) == []


def test_region_that_a_person_drew_in_our_layer_stays(machine_objects, region_xml, square) -> None:
    first = apply_edits(create_imagescope(None), Edits("w1", add=machine_objects))
    drawn = region_xml(square(800, 800, 50), Id=1, Text="mine").strip().encode()
    edited = first.replace(b"\t\t</Regions>", b"\t\t\t" + drawn + b"\r\n\t\t</Regions>", 1)
    written = [a.object_id for a in ours(edited) if a.name != "mine"]
    second = apply_edits(edited, Edits("w2", frozenset(written)))
    document = parse_document(second)
    assert [layer.name for layer in document.layers] == ["Tumor (predicted)", "SlideBridge"]
    assert [document.text(region.element) for region in document.layers[0].regions] == [drawn]


def test_layer_that_a_person_put_after_ours_keeps_its_bytes(machine_objects, region_xml, square) -> None:
    first = apply_edits(create_imagescope(None), Edits("w1", add=machine_objects))
    layer = f'\t<Annotation Name="Later"><Regions>{region_xml(square(0, 0, 9))}</Regions></Annotation>\r\n'.encode()
    edited = first.replace(b"</Annotations>", layer + b"</Annotations>")
    second = apply_edits(edited, Edits("w2"))
    assert layer in second
    assert [found.name for found in parse_document(second).layers][:2] == ["Later", "Tumor (predicted)"]


def test_region_drawn_in_the_marker_layer_is_a_persons(machine_objects, region_xml, square) -> None:
    first = apply_edits(create_imagescope(None), Edits("w1", add=machine_objects))
    drawn = region_xml(square(800, 800, 50), Id=1).strip().encode()
    place = first.rindex(b"\t\t</Regions>")
    edited = first[:place] + drawn + first[place:]
    found = read_imagescope(edited).annotations[-1]
    assert (found.path_class, found.is_ours) == ("SlideBridge", False)
    second = apply_edits(edited, Edits("w2"))
    assert drawn in second
    assert read_imagescope(second).write_marker == "w2"
    assert second.count(b'"slidebridge.write"') == 1


def test_our_layer_is_unselected_again(machine_objects) -> None:
    first = apply_edits(create_imagescope(None), Edits("w1", add=machine_objects))
    second = apply_edits(first.replace(b'Selected="0"', b'Selected="1"', 1), Edits("w2"))
    assert parse_document(second).layers[0].attributes["Selected"] == "0"


# --- promotion ---------------------------------------------------------------------------------------------------


@pytest.fixture
def predicted(file_xml, region_xml, square, machine_objects) -> bytes:
    layers = {"Stroma": [region_xml(square(0, 0, 9), Id=1)], "": [region_xml(square(50, 0, 9), Id=1)]}
    return apply_edits(file_xml(layers), Edits("w1", add=machine_objects))


def promoted(data: bytes, object_id: str, path_class: str) -> bytes:
    return apply_edits(data, Edits("w2", promote={object_id: (path_class, RED)}))


def test_promoted_region_moves_byte_for_byte_into_its_class(predicted: bytes) -> None:
    document = parse_document(predicted)
    moving = [document.text(region.element) for region in document.layers[2].regions[:2]]  # with its hole
    result = parse_document(promoted(predicted, "L2R0", "Stroma"))
    assert [layer.name for layer in result.layers[:3]] == ["Stroma", "", "Tumor (predicted)"]
    stroma = [result.text(region.element) for region in result.layers[0].regions]
    assert stroma[1:] == moving
    assert human_regions(predicted)[0] == stroma[0]
    assert len(result.layers[2].regions) == 2


def test_promoted_region_is_a_persons_and_keeps_its_outline(predicted: bytes) -> None:
    (before,) = [a for a in ours(predicted) if a.object_id == "L2R0"]
    found = [a for a in read_imagescope(promoted(predicted, "L2R0", "Stroma")).annotations if a.path_class == "Stroma"]
    assert [a.is_ours for a in found] == [False, False]
    assert found[1].geometry.equals(before.geometry)


def test_new_user_layer_comes_after_the_last_persons(predicted: bytes) -> None:
    result = promoted(predicted, "L2R2", "Tumor")
    layers = parse_document(result).layers
    assert [layer.name for layer in layers][:4] == ["Stroma", "", "Tumor", "Tumor (predicted)"]
    assert layers[2].attributes["LineColor"] == "255"
    assert len({layer.attributes["Id"] for layer in layers}) == len(layers)
    assert human_regions(result)[:2] == human_regions(predicted)


@pytest.mark.parametrize("empty", [b"<Annotations/>", create_imagescope(None)])
def test_promotion_makes_the_first_user_layer(empty: bytes, machine_objects) -> None:
    data = apply_edits(empty, Edits("w1", add=machine_objects))
    edits = Edits("w2", frozenset({"L1R0", "L2R0", "L0R2"}), {"L0R0": ("A & B", RED), "L0R3": ("C", RED)})
    layers = parse_document(apply_edits(data, edits)).layers
    assert [(layer.name, len(layer.regions)) for layer in layers] == [("A & B", 2), ("C", 1), ("SlideBridge", 0)]


def test_promotion_fills_a_layer_without_regions(machine_objects) -> None:
    data = b"<Annotations><Annotation Name='Tumor' Type='4'/></Annotations>"
    added = apply_edits(data, Edits("w1", add=machine_objects))
    layers = parse_document(promoted(added, "L1R2", "Tumor")).layers
    assert (layers[0].name, len(layers[0].regions)) == ("Tumor", 1)


def test_text_of_a_promoted_region_stays_as_the_person_left_it(predicted: bytes) -> None:
    edited = predicted.replace(b'say &quot;\xc3\xb6&quot;"', b'ok"')
    result = read_imagescope(promoted(edited, "L3R0", "Stroma"))
    assert [a.name for a in result.annotations if a.path_class == "Stroma"] == [None, "ok"]


# --- refusals ----------------------------------------------------------------------------------------------------


def test_objects_of_people_are_not_ours_to_delete(predicted: bytes) -> None:
    with pytest.raises(ImageScopeFormatError, match="not ours"):
        apply_edits(predicted, Edits("w", frozenset({"L0R0"})))


def test_machine_writes_its_own_classes_only(machine_objects) -> None:
    wrong = MachineObject("x", MachineRole.PREDICTION, "Tumor", box(0, 0, 9, 9), RED)
    with pytest.raises(ValueError, match="'Tumor'"):
        apply_edits(create_imagescope(None), Edits("w", add=(wrong,)))


@pytest.mark.parametrize("path_class", ["Proposed", "Tumor (predicted)", "SlideBridge"])
def test_promotion_goes_to_a_plain_class(predicted: bytes, path_class: str) -> None:
    with pytest.raises(ValueError, match="plain class"):
        promoted(predicted, "L2R0", path_class)


@pytest.mark.parametrize("data", [b"<Annotations>", b"<ASAP_Annotations/>", b"", b"<!DOCTYPE a><Annotations/>"])
def test_what_can_not_be_read_is_not_written(data: bytes) -> None:
    with pytest.raises(ImageScopeFormatError):
        apply_edits(data, Edits("w"))
    with pytest.raises(ImageScopeFormatError):
        remove_ours(data)


def test_a_guessed_encoding_that_would_flip_is_refused(machine_objects):
    drawn = Annotation("a", box(0, 0, 9, 9), "Tumor", name="ä")
    written = apply_edits(write_imagescope([drawn], None), Edits("w1", add=machine_objects))
    end = written.rindex(b"</Annotation>")
    odd = written[:end] + b"\xe9" + written[end:]
    assert read_imagescope(odd).annotations[0].name != "ä", "read as Windows' encoding, for the odd byte"
    with pytest.raises(ImageScopeFormatError, match="encoding"):
        apply_edits(odd, Edits("w2"))
