from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import shape

from bridge.annotations import Layer, Shape, is_same_outline, repair_area
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.document import parse_document
from bridge.imagescope.read import read_imagescope


def test_objects_come_in_file_order_with_layer_class_and_text(file_xml, region_xml, square) -> None:
    data = file_xml(
        {
            "Tumor": [region_xml(square(0, 0, 9), Text="ok"), region_xml(square(20, 0, 9))],
            "": [region_xml(square(40, 0, 9), Text="")],
            "Tumor (predicted)": [region_xml(square(60, 0, 9))],
            "Proposed": [region_xml(square(80, 0, 9), Type=1, Text="ROI")],
            "Ignore": [region_xml(square(90, 0, 9))],
        }
    )
    found = read_imagescope(data)
    assert [a.object_id for a in found.annotations] == ["L0R0", "L0R1", "L1R0", "L2R0", "L3R0", "L4R0"]
    classes = [a.path_class for a in found.annotations]
    assert classes == ["Tumor", "Tumor", None, "Tumor: Predicted", "Proposed", "Ignore"]
    assert [a.name for a in found.annotations] == ["ok", None, None, None, "ROI", None]
    assert [a.is_ours for a in found.annotations] == [False, False, False, True, True, False]
    assert found.annotations[2].layer == Layer("", "2", (0, 255, 0))
    assert found.annotations[2].color == (0, 255, 0)
    assert found.counts.read == len(found) == 6
    assert found.mpp == (0.25, 0.25)


def test_what_covers_no_area_comes_along_and_is_counted(file_xml, region_xml, square) -> None:
    regions = [
        region_xml([(0, 0), (5, 5)], Type=3),
        region_xml([(0, 0), (5, 5)], Type=4),
        region_xml([(0, 0), (5, 5)], Type=3),
        region_xml([(0, 0)]),
        region_xml(square(50, 50, 5), NegativeROA=1),
        region_xml([(0, 0), (10, 10), (10, 0), (0, 10)]),
    ]
    found = read_imagescope(file_xml({"Tumor": regions}))
    assert found.counts.verbatim == {"arrow": 2, "ruler": 1, "too few vertices": 1, "negative": 1}
    assert found.counts.repaired == 1
    assert [a.shape.is_area for a in found.annotations] == [False] * 5 + [True]


def test_holes_are_no_annotations_of_their_own(file_xml, region_xml, square) -> None:
    regions = [region_xml(square(0, 0, 100)), region_xml(square(9, 9, 9), NegativeROA=1), region_xml(square(200, 0, 9))]
    found = read_imagescope(file_xml({"Tumor": regions}))
    assert [a.object_id for a in found.annotations] == ["L0R0", "L0R2"]
    assert found.annotations[0].geometry.area == 10_000 - 81
    assert (found.counts.read, found.counts.verbatim) == (3, {})


def test_holes_cut_their_own_layer_only(file_xml, region_xml, square) -> None:
    layers = {"A": [region_xml(square(0, 0, 100))], "B": [region_xml(square(9, 9, 9), NegativeROA=1)]}
    found = read_imagescope(file_xml(layers))
    assert found.annotations[0].geometry.area == 10_000
    assert found.counts.verbatim == {"negative": 1}


@pytest.mark.parametrize("data", [b"<Annotations/>", b'<Annotations MicronsPerPixel="0"><Annotation/></Annotations>'])
def test_file_without_regions_is_an_empty_set(data: bytes) -> None:
    found = read_imagescope(data)
    assert (len(found), found.mpp, found.write_marker, found.counts.read) == (0, None, None, 0)


def test_hints_of_a_region_are_read(file_xml) -> None:
    region = """<Region><Attributes><Attribute Name="slidebridge" Value="id-1"/><Attribute Id="4" Value="benign"/>
        <Attribute Name="slidebridge.probability" Value="{}"/></Attributes></Region>"""
    data = file_xml({"a": [region.format(p) for p in ("0.75", "2", "nan", "x")]})
    found = read_imagescope(data).annotations
    assert [a.probability for a in found] == [0.75, None, None, None]
    assert found[0].metadata["slidebridge"] == "id-1"
    assert found[0].metadata["4"] == "benign"


def test_marker_is_an_attribute_of_its_layer(file_xml) -> None:
    data = file_xml({"SlideBridge": [], "other": []})
    marked = data.replace(b"<Regions>", b'<Attributes><Attribute Name="slidebridge.write" Value="w7"/></Attributes>', 1)
    assert read_imagescope(data).write_marker is None
    assert read_imagescope(marked.replace(b"</Regions>", b"", 1)).write_marker == "w7"


def test_halos_words_for_the_same_schema_are_refused_by_name() -> None:
    vertices = (
        '<Vertices><V X="{0}" Y="{0}" /><V X="{1}" Y="{0}" /><V X="{1}" Y="{1}" /><V X="{0}" Y="{1}"/></Vertices>'
    )
    regions = [
        '<Region Type="Polygon" HasEndcaps="0" NegativeROA="0">' + vertices.format(0, 100) + "</Region>",
        '<Region Type="Polygon" HasEndcaps="0" NegativeROA="1">' + vertices.format(10, 20) + "</Region>",
        '<Region Type="Ruler"><Vertices><V X="1" Y="1"/><V X="5" Y="1"/></Vertices></Region>',
    ]
    data = f'<Annotations><Annotation Name="a"><Regions>{"".join(regions)}</Regions></Annotation></Annotations>'
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(ImageScopeFormatError, match=r"HALO's XML.*export the annotations as GeoJSON from HALO"):
            read_imagescope(data.encode(encoding))


def test_real_files_are_read_completely(real_file: Path) -> None:
    data = real_file.read_bytes()
    found = read_imagescope(data)
    assert found.counts.read == len(found) == data.count(b"<Region ")
    areas = [a for a in found.annotations if a.shape.is_area]
    assert len(areas) + sum(found.counts.verbatim.values()) == len(found)
    assert found.counts.repaired == sum(not a.geometry.is_valid for a in areas)
    assert all(repair_area(a.geometry).area > 0 for a in areas)


def test_stored_areas_are_the_shoelace_of_the_vertices(real_file: Path) -> None:
    regions = [region for layer in parse_document(real_file.read_bytes()).layers for region in layer.regions]
    stored = [(float(r.attributes.get("Area", 0)), r.vertices) for r in regions]
    for area, vertices in stored:
        if area > 0:
            x, y = (vertices - vertices[0]).T
            shoelace = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
            assert shoelace == pytest.approx(area, rel=1e-3, abs=0.06)


def test_every_kind_of_shape_of_a_real_writer(shared_data: Path) -> None:
    data = (shared_data / "aperio_xml/imagescope_xml_utils/test.xml").read_bytes()
    found = read_imagescope(data)
    kinds = [Shape.POLYGON, *[Shape.RECTANGLE] * 2, *[Shape.ARROW] * 3, Shape.ELLIPSE]
    assert [a.shape for a in found.annotations] == kinds
    ellipse = found.annotations[-1].geometry
    assert ellipse.bounds == pytest.approx((85, 909, 423, 1109))
    assert ellipse.area == pytest.approx(np.pi / 4 * 338 * 200, rel=2e-3)
    assert found.mpp is None


def test_qupath_twin_of_a_real_file_has_the_same_outlines(shared_data: Path) -> None:
    name = "wsi_handling/TCGA-EJ-5519-01Z-00-DX1"
    ours = read_imagescope((shared_data / f"aperio_xml/{name}.xml").read_bytes()).annotations
    twin = [shape(f["geometry"]) for f in json.loads((shared_data / f"qupath/{name}.json").read_text())]
    for annotation, other in zip(ours, [twin[0], twin[2], twin[1]], strict=True):
        mine, theirs = repair_area(annotation.geometry), repair_area(other)
        assert mine.intersection(theirs).area / mine.union(theirs).area > 0.9999
    assert is_same_outline(ours[1].geometry, twin[2])
