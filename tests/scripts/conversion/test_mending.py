"""Repairing, joining and cleaning outlines on the way into another file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shapely.geometry import LineString, Polygon, box
from typer.testing import CliRunner

from bridge.annotations import Annotation, AnnotationSet, Shape
from bridge.errors import ConfigError
from bridge.qupath import read_geojson, write_geojson
from scripts.cli import app
from scripts.conversion.mending import Mending
from scripts.conversion.reading import Material

BOW_TIE = Polygon([(0, 0), (40, 40), (40, 0), (0, 40)])


def material(*outlines, mpp=(0.5, 0.5)) -> Material:
    annotations = tuple(Annotation(f"M{i}", outline, "Tumor") for i, outline in enumerate(outlines))
    return Material(AnnotationSet(annotations), "seed", mpp=mpp)


def test_nothing_is_touched_unless_asked() -> None:
    drawn = material(BOW_TIE)
    assert Mending().apply(drawn) is drawn


def test_a_crossing_outline_becomes_valid_with_the_area_as_drawn() -> None:
    mended = Mending(is_asked=True).apply(material(BOW_TIE, box(100, 0, 140, 40)))
    first, second = mended.found.annotations
    assert first.geometry.is_valid and first.geometry.area == 2 * 0.5 * 40 * 20
    assert first.shape is Shape.GEOMETRY and second.geometry == box(100, 0, 140, 40)
    assert mended.found.counts.repaired == 1
    (note,) = mended.notes
    assert "1 outline repaired" in note and "self-crossing" in note and "800.0 px² as drawn" in note


def test_a_gap_between_neighbours_is_closed_only_up_to_the_tolerance() -> None:
    near, far = box(40.8, 0, 80, 40), box(90, 0, 130, 40)
    first, second, third = Mending(snap_um=1.0).apply(material(box(0, 0, 40, 40), near, far)).found.annotations
    assert first.geometry.touches(second.geometry)
    assert third.geometry == far


def test_small_parts_and_holes_go() -> None:
    holed = Polygon(box(0, 0, 40, 40).exterior, [box(10, 10, 12, 12).exterior, box(20, 20, 35, 35).exterior])
    crumbs = box(0, 0, 40, 40).union(box(50, 50, 51, 51))
    holed_after, crumbs_after = Mending(least_um2=2.0).apply(material(holed, crumbs)).found.annotations
    assert [Polygon(ring).area for ring in holed_after.geometry.interiors] == [225]
    assert crumbs_after.geometry.equals(box(0, 0, 40, 40))


def test_lines_and_outlines_without_area_stay() -> None:
    line = Annotation("L", LineString([(0, 0), (9, 9)]), None, Shape.LINE)
    flat = Annotation("F", Polygon([(0, 0), (9, 9), (0, 0)]), "Tumor")
    mended = Mending(is_asked=True).apply(Material(AnnotationSet((line, flat)), "seed"))
    assert mended.found.annotations == (line, flat)
    assert any("no area" in note for note in mended.notes)


def test_micrometres_need_a_scale() -> None:
    with pytest.raises(ConfigError, match="--slide"):
        Mending(snap_um=1.0).apply(material(BOW_TIE, mpp=None))
    assert Mending(is_asked=True).apply(material(BOW_TIE, mpp=None)).found.counts.repaired == 1


def test_convert_repairs_the_copy_and_leaves_the_source_as_drawn(tmp_path: Path) -> None:
    source, target = tmp_path / "a.xml", tmp_path / "b.geojson"
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in BOW_TIE.exterior.coords[:-1])
    source.write_text(
        '<Annotations MicronsPerPixel="0.5"><Annotation Id="1" Name="Tumor" LineColor="255"><Regions>'
        f'<Region Id="1" Type="0"><Vertices>{corners}</Vertices></Region></Regions></Annotation></Annotations>'
    )
    before = source.read_bytes()
    result = CliRunner().invoke(app, ["convert", str(source), str(target), "--repair", "--json"])
    assert result.exit_code == 0, result.output
    assert any("self-crossing" in note for note in json.loads(result.stdout)["notes"])
    (written,) = read_geojson(target.read_bytes()).annotations
    assert written.geometry.is_valid and written.geometry.area == 800
    assert source.read_bytes() == before
    assert write_geojson([written])
