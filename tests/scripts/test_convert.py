"""``slidebridge convert`` from the command line: pairs of formats, counts, and every refusal."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
import typer
from click.testing import Result
from PIL import Image
from shapely.geometry import LineString, Point, box
from typer.testing import CliRunner

from bridge.annotations import Annotation, Shape
from bridge.annotations.diff import diff_annotations
from bridge.annotations.transforms import Turn
from bridge.errors import BridgeError
from bridge.formats import read_label_mask
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import (
    NewImage,
    QuPathProject,
    compose_geojson,
    create_project,
    read_geojson,
    read_qpdata,
    write_geojson,
)
from scn_support import PART, WHOLE, write_scn
from scripts.commands import convert

DROPPED_BY_QUPATH = "5b1d0000-0000-4000-8000-000000700002"  # see the README of the sample projects: bigroi_070
RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 255, 0)
SIZE = (700, 500)
RING = Point(400.5, 300).buffer(90).difference(Point(400, 300).buffer(40))
OBJECTS = (
    Annotation("a", box(20, 30, 220, 180), "Tumor", Shape.RECTANGLE, name="first", color=RED),
    Annotation("b", RING, "Stroma", Shape.GEOMETRY, color=BLUE),
    Annotation("c", box(50, 250, 150, 350), "Tumor", name="ünïcode <&> 区域", color=RED),
    Annotation("d", box(300, 20, 420, 90), None, color=GREEN),
    Annotation("e", LineString([(10, 10), (90, 60)]), "Tumor", Shape.ARROW, color=RED),
)
AREAS = {"Tumor": 200 * 150 + 100 * 100, "Stroma": RING.area, None: 120 * 70}


def app() -> typer.Typer:
    built = typer.Typer()
    built.command()(convert.convert)
    return built


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command; a file that was displaced is not waited for."""

    def invoke(*arguments: object) -> Result:
        environment = {"SLIDEBRIDGE_WATCH__SETTLE_SECONDS": "0", "COLUMNS": "200"}
        return CliRunner().invoke(app(), [str(a) for a in arguments], env=environment)

    return invoke


@pytest.fixture
def facts(run: Callable[..., Result]) -> Callable[..., dict[str, object]]:
    """Run the command with ``--json`` and return what it says."""

    def invoke(*arguments: object) -> dict[str, object]:
        result = run(*arguments, "--json")
        assert result.exception is None, result.exception
        return json.loads(result.stdout)

    return invoke


@pytest.fixture
def refusal(run: Callable[..., Result]) -> Callable[..., str]:
    """Run the command, which must refuse in one line."""

    def invoke(*arguments: object) -> str:
        result = run(*arguments)
        assert isinstance(result.exception, BridgeError), result.output
        assert "\n" not in str(result.exception)
        return str(result.exception)

    return invoke


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    path = tmp_path / "drawn.xml"
    path.write_bytes(write_imagescope(OBJECTS, (0.5, 0.5)))
    return path


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.png"
    Image.new("RGB", SIZE, (230, 200, 220)).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path, slide: Path) -> Path:
    """A QuPath project of two images of the slide, without annotations."""
    image = NewImage(slide, "slide.png", *SIZE, (SIZE,), (0.5, 0.5), None, SIZE, is_openslide=False)
    twin = NewImage(slide, "twin", *SIZE, (SIZE,), (0.5, 0.5), None, SIZE, is_openslide=False)
    made = create_project(tmp_path / "project", [image, twin], {}, now=datetime(2025, 1, 1, tzinfo=UTC))
    return made.path


def xml_of(path: Path) -> tuple[Annotation, ...]:
    return read_imagescope(path.read_bytes()).annotations


def areas_by_class(annotations: Sequence[Annotation]) -> dict[str | None, float]:
    areas: dict[str | None, float] = {}
    for annotation in annotations:
        areas[annotation.path_class] = areas.get(annotation.path_class, 0.0) + annotation.geometry.area
    return areas


# from format to format


def test_xml_to_geojson_to_xml_keeps_every_object(xml: Path, tmp_path: Path, facts) -> None:
    there = facts(xml, tmp_path / "a.geojson")
    back = facts(tmp_path / "a.geojson", tmp_path / "b.xml")
    assert (there["read"], there["objects"], there["written"]) == (6, 5, 5)
    assert there["lost"] == {"arrow head": 1} and there["verbatim"] == {"arrow": 1}
    assert there["classes"] == {"Tumor": 3, "Stroma": 1, "": 1}
    assert back["written"] == 5 and not back["left_out"]
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "b.xml"))
    assert not difference.added and not difference.removed
    assert {(a.name, a.color) for a in xml_of(tmp_path / "b.xml")} == {(a.name, a.color) for a in xml_of(xml)}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_xml_to_mask_to_geojson_keeps_areas(xml: Path, slide: Path, tmp_path: Path, facts, suffix: str) -> None:
    mask = tmp_path / f"mask{suffix}"
    there = facts(xml, mask, "--slide", slide)
    assert (there["written"], there["left_out"], there["off_slide"]) == (4, {"arrow": 1}, 0)
    written = read_label_mask(mask)
    assert written.labels.shape == SIZE[::-1]
    assert written.names == ("Background", "Tumor", "Stroma", "Annotation")
    assert written.info.colors == ((0, 0, 0), RED, BLUE, GREEN)
    assert (written.downsample, written.mask_mpp) == (1.0, (0.5, 0.5))
    facts(mask, tmp_path / "c.geojson")
    found = areas_by_class(read_geojson((tmp_path / "c.geojson").read_bytes()).annotations)
    assert (found["Tumor"], found["Annotation"]) == (AREAS["Tumor"], AREAS[None])
    assert found["Stroma"] == pytest.approx(AREAS["Stroma"], rel=0.01)


def test_a_coarse_mask_goes_back_to_its_place(xml: Path, slide: Path, tmp_path: Path, facts) -> None:
    facts(xml, tmp_path / "coarse.tif", "--slide", slide, "--downsample", 10)
    assert read_label_mask(tmp_path / "coarse.tif").labels.shape == (50, 70)
    facts(tmp_path / "coarse.tif", tmp_path / "d.xml")
    drawn = next(a for a in xml_of(tmp_path / "d.xml") if a.path_class == "Annotation")
    assert drawn.geometry.bounds == (300, 20, 420, 90)
    assert facts(tmp_path / "coarse.tif", tmp_path / "same.png")["notes"] == []
    same = read_label_mask(tmp_path / "same.png")
    assert np.array_equal(same.labels, read_label_mask(tmp_path / "coarse.tif").labels)
    assert same.info == read_label_mask(tmp_path / "coarse.tif").info


def test_xml_to_qupath_and_back(xml: Path, project: Path, tmp_path: Path, facts) -> None:
    there = facts(xml, f"{project}#1")
    assert (there["written"], there["lost"]) == (5, {"arrow head": 1})
    data = QuPathProject(project).slides()[0].annotation_path
    assert [a.name for a in read_qpdata(data.read_bytes()).annotations] == [a.name for a in xml_of(xml)]
    summary = json.loads(data.with_name("summary.json").read_text("utf-8"))
    assert summary["hierarchy"]["annotationClassificationCounts"] == {"Tumor": 3, "Stroma": 1, "Unclassified": 1}
    back = facts(f"{project}#slide.png", tmp_path / "back.xml")
    assert (back["read"], back["off_slide"], back["written"]) == (5, 0, 5)
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "back.xml"))
    assert not difference.added and not difference.removed


def test_qupath_to_a_mask_needs_no_slide(xml: Path, project: Path, tmp_path: Path, facts) -> None:
    facts(xml, f"{project}#twin")
    (tmp_path / "slide.png").unlink()  # the project knows the size
    assert facts(f"{project}#2", tmp_path / "q.png")["written"] == 4
    assert read_label_mask(tmp_path / "q.png").labels.shape == SIZE[::-1]


def test_appending_again_keeps_what_is_there(xml: Path, project: Path, tmp_path: Path, facts, refusal) -> None:
    facts(xml, f"{project}#1")
    data = QuPathProject(project).slides()[0].annotation_path
    first = data.read_bytes()
    assert "--force" in refusal(xml, f"{project}#1")
    assert data.read_bytes() == first
    again = facts(xml, f"{project}#1", "--force")
    found = read_qpdata(data.read_bytes()).annotations
    assert found[:5] == read_qpdata(first).annotations
    assert len({a.object_id for a in found}) == len(found) == 10
    backup = next(line for line in again["notes"] if "as it was" in line).partition(": ")[2]
    assert Path(backup).read_bytes() == first
    assert Path(backup).is_relative_to(project.parent / ".slidebridge" / "backups")
    assert sorted(p.name for p in data.parent.iterdir()) == ["data.qpdata", "server.json", "summary.json"]


def test_qupath_to_geojson_equals_qupaths_own_export(shared_data: Path, tmp_path: Path, facts) -> None:
    projects = shared_data / "qupath_projects"
    for expected in sorted((projects / "expected").glob("*_[12].geojson")):
        name, _, image = expected.stem.rpartition("_")
        source = projects / name / "project.qpproj"
        target = tmp_path / f"{expected.stem}.geojson"
        written = facts(f"{source}#{image}", target)
        assert not written["left_out"]
        ours = read_geojson(target.read_bytes()).annotations
        theirs = read_geojson(expected.read_bytes()).annotations
        _assert_same_export(ours, theirs, expected.stem)


def _assert_same_export(ours: Sequence[Annotation], theirs: Sequence[Annotation], where: str) -> None:
    by_id = {a.object_id: a for a in ours}
    assert theirs and by_id.keys() >= {a.object_id for a in theirs}, where
    for expected in theirs:
        found = by_id[expected.object_id]
        kept = ("path_class", "kind", "name", "is_locked", "plane")
        assert [getattr(found, key) for key in kept] == [getattr(expected, key) for key in kept], where
        assert found.measurements.keys() == expected.measurements.keys()
        assert found.metadata == {key: value for key, value in expected.metadata.items() if key != "slidebridge"}
        assert np.allclose(found.geometry.bounds, expected.geometry.bounds, atol=0.0101), where
        # QuPath draws an ellipse with other vertices, and drops half of one polygon whose sides are below 0.3 px.
        if expected.shape is not Shape.ELLIPSE and expected.object_id != DROPPED_BY_QUPATH:
            assert found.geometry.hausdorff_distance(expected.geometry) <= 0.0145, where


def test_real_projects_and_files_go_everywhere(shared_data: Path, tmp_path: Path, facts) -> None:
    source = f"{shared_data / 'qupath_projects/shapes_070/project.qpproj'}#1"
    to_xml = facts(source, tmp_path / "s.xml")
    assert (to_xml["read"], to_xml["written"], to_xml["left_out"]) == (13, 11, {"points": 1, "polyline": 1})
    assert to_xml["lost"]["object type"] == 3
    to_mask = facts(source, tmp_path / "s.tif")
    assert to_mask["left_out"] == {"points": 1, "line": 1, "polyline": 1, "detection": 1, "tile": 1, "cell": 1}
    assert any("lie in several classes" in note for note in to_mask["notes"])
    # The rectangle around everything doesn't cover what lies in it.
    assert set(np.unique(read_label_mask(tmp_path / "s.tif").labels)) == {1, 2, 3, 4, 5, 6}


def test_gzip_depends_on_the_content_alone(xml: Path, tmp_path: Path, facts) -> None:
    facts(xml, tmp_path / "a.geojson.gz")
    facts(xml, tmp_path / "b.geojson.gz")
    data = (tmp_path / "a.geojson.gz").read_bytes()
    assert data == (tmp_path / "b.geojson.gz").read_bytes()
    assert len(read_geojson(gzip.decompress(data))) == 5


def test_predictions_go_out_as_plain_objects_but_not_into_masks(tmp_path: Path, slide: Path, facts) -> None:
    ours = [
        Annotation("p", box(0, 0, 50, 50), "Tumor: Predicted", is_ours=True, color=RED, metadata={"slidebridge": "7"}),
        Annotation("q", box(60, 0, 90, 50), "Proposed", Shape.RECTANGLE, is_ours=True, color=GREEN),
        Annotation("r", box(100, 0, 150, 50), "Tumor", color=RED),
    ]
    (tmp_path / "ours.geojson").write_bytes(write_geojson(ours, write_marker="7"))
    facts(tmp_path / "ours.geojson", tmp_path / "plain.geojson")
    assert b"slidebridge" not in (tmp_path / "plain.geojson").read_bytes()
    plain = read_geojson((tmp_path / "plain.geojson").read_bytes()).annotations
    assert [a.path_class for a in plain] == [a.path_class for a in ours]
    assert facts(tmp_path / "ours.geojson", tmp_path / "plain.xml")["written"] == 3
    into_mask = facts(tmp_path / "ours.geojson", tmp_path / "m.png", "--slide", slide)
    assert (into_mask["written"], into_mask["left_out"]) == (1, {"prediction": 1, "proposal": 1})


def test_a_cropped_image_is_moved_to_where_it_lies(project: Path, xml: Path, tmp_path: Path, facts) -> None:
    document = json.loads(project.read_text("utf-8"))
    image = document["images"][0]
    region = {"x": 100, "y": 50, "width": 600, "height": 450, "z": 0, "t": 0}
    inner = image["serverBuilder"]
    metadata = {**inner["metadata"], "width": 600, "height": 450}
    image["serverBuilder"] = {"builderType": "cropped", "region": region, "builder": inner, "metadata": metadata}
    project.write_text(json.dumps(document), "utf-8")
    into = facts(xml, f"{project}#1")
    assert any("moved by (-100, -50)" in note for note in into["notes"])
    data = QuPathProject(project).slides()[0].annotation_path.read_bytes()
    assert read_qpdata(data).annotations[0].geometry.bounds == (-80, -20, 120, 130)
    facts(f"{project}#1", tmp_path / "back.xml")
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "back.xml"))
    assert not difference.added and not difference.removed
    as_shown = facts(f"{project}#1", tmp_path / "shown.geojson")
    assert any("nothing was moved" in note for note in as_shown["notes"])
    assert read_geojson((tmp_path / "shown.geojson").read_bytes()).annotations[0].geometry.bounds[0] == -80
    facts(f"{project}#1", tmp_path / "cropped.png")
    assert read_label_mask(tmp_path / "cropped.png").labels[30:180, 20:220].min() == 1


@pytest.fixture
def cropped(tmp_path: Path) -> Path:
    """A project of a slide of which QuPath shows the scanned part only."""
    write_scn(tmp_path / "a.scn")
    size = PART[2:]
    image = NewImage(tmp_path / "a.scn", "a.scn", *size, (size,), (0.5, 0.5), 20.0, (64, 64), is_openslide=True)
    return create_project(tmp_path / "study", [image], {}, now=datetime(2030, 1, 2, tzinfo=UTC)).path


def test_what_qupath_shows_of_a_scanned_part_lies_where_it_was_scanned(cropped: Path, tmp_path: Path, facts) -> None:
    drawn = [Annotation("a", box(10 + PART[0], 20 + PART[1], 60 + PART[0], 70 + PART[1]), "Tumor", color=RED)]
    (tmp_path / "a.xml").write_bytes(write_imagescope(drawn, None))
    into = facts(tmp_path / "a.xml", f"{cropped}#1")
    assert any(f"QuPath shows the slide from ({PART[0]}, {PART[1]}) on" in note for note in into["notes"])
    (shown,) = read_qpdata(QuPathProject(cropped).slides()[0].annotation_path.read_bytes()).annotations
    assert shown.geometry.bounds == (10, 20, 60, 70)
    facts(f"{cropped}#1", tmp_path / "back.xml")
    assert xml_of(tmp_path / "back.xml")[0].geometry.bounds == drawn[0].geometry.bounds
    facts(f"{cropped}#1", tmp_path / "back.png")
    mask = read_label_mask(tmp_path / "back.png").labels
    assert mask.shape == WHOLE[::-1] and mask[20 + PART[1] : 70 + PART[1], 10 + PART[0] : 60 + PART[0]].all()
    assert facts(f"{cropped}#1", tmp_path / "shown.geojson")["off_slide"] == 0


def test_where_a_part_lies_is_never_guessed(cropped: Path, xml: Path, tmp_path: Path, facts, refusal) -> None:
    facts(xml, f"{cropped}#1")
    document = json.loads(cropped.read_text("utf-8"))
    document["images"][0]["serverBuilder"]["metadata"]["width"] -= 12  # the slide is another than QuPath knows
    cropped.write_text(json.dumps(document), "utf-8")
    assert "offset_of" in refusal(f"{cropped}#1", tmp_path / "out.xml")
    assert "offset_of" in refusal(xml, f"{cropped}#1", "--force")
    assert facts(f"{cropped}#1", tmp_path / "as_shown.geojson")["written"] == 5
    (cropped.parent / "slidebridge.toml").write_text('[slides.offset_of]\n"a.scn" = [300, 200]\n')
    assert any("moved by (300, 200)" in note for note in facts(f"{cropped}#1", tmp_path / "out.xml")["notes"])


# classes


def test_classes_name_color_and_order_labels(xml: Path, slide: Path, tmp_path: Path, facts) -> None:
    settings = tmp_path / "slidebridge.toml"
    settings.write_text(
        '[classes.colors]\nConnective = "#010203"\nTumor = "#040506"\nOther = "#070809"\n'
        '[classes.map]\nStroma = "Connective"\n"color:#00ff00" = "Other"\n'
    )
    facts(xml, tmp_path / "m.png", "--slide", slide, "--classes", settings)
    mask = read_label_mask(tmp_path / "m.png")
    assert mask.names == ("Background", "Connective", "Tumor", "Other")
    assert (mask.labels[100, 100], mask.labels[50, 350], mask.labels[300, 340]) == (2, 3, 1)
    facts(xml, tmp_path / "m.geojson", "--classes", settings)
    found = read_geojson((tmp_path / "m.geojson").read_bytes()).annotations
    assert {(a.path_class, a.color) for a in found} == {
        ("Connective", (1, 2, 3)),
        ("Tumor", (4, 5, 6)),
        ("Other", (7, 8, 9)),
    }


def test_unknown_classes_are_named_before_a_mask_is_written(xml: Path, slide: Path, tmp_path: Path, refusal) -> None:
    classes = tmp_path / "classes.json"
    classes.write_text('{"Tumor": "#ff0000"}')
    said = refusal(xml, tmp_path / "m.png", "--slide", slide, "--classes", classes)
    assert "'Stroma' (1)" in said and "[classes.map]" in said
    assert not (tmp_path / "m.png").exists()


def test_labels_of_a_foreign_mask(tmp_path: Path, facts) -> None:
    labels = np.zeros((40, 60), np.uint8)
    labels[5:15, 5:25], labels[20:30, 30:50] = 1, 3
    Image.fromarray(labels).save(tmp_path / "foreign.png")
    named = facts(tmp_path / "foreign.png", tmp_path / "a.geojson")
    assert named["classes"] == {"Label 1": 1, "Label 3": 1} and "Label 3" in named["notes"][0]
    classes = tmp_path / "classes.toml"
    classes.write_text('Tumor = "#ff0000"\nStroma = "#00ff00"\nFat = "#0000ff"\n')
    ordered = facts(tmp_path / "foreign.png", tmp_path / "b.geojson", "--classes", classes, "--downsample", 4)
    assert ordered["classes"] == {"Tumor": 1, "Fat": 1}
    bounds = [a.geometry.bounds for a in read_geojson((tmp_path / "b.geojson").read_bytes()).annotations]
    assert bounds == [(20, 20, 100, 60), (120, 80, 200, 120)]
    again = facts(tmp_path / "foreign.png", tmp_path / "c.tif")
    assert again["written"] == 2 and np.array_equal(read_label_mask(tmp_path / "c.tif").labels, labels)


# counts, --json, --dry-run


def test_lines_say_every_count(xml: Path, tmp_path: Path, run) -> None:
    result = run(xml, tmp_path / "a.geojson")
    assert result.exit_code == 0
    first, second, *more = result.stdout.splitlines()
    assert first.startswith(f"read 6 (5 objects) from {xml}: 0 repaired; verbatim: 1 arrow; off the slide not known")
    assert second == f"wrote 5 to {tmp_path / 'a.geojson'}: 3 Tumor, 1 Stroma, 1 no class"
    assert more == ["lost, the target has no place for it: arrow head of 1"]


def test_objects_off_the_slide_are_counted(tmp_path: Path, slide: Path, facts) -> None:
    objects = [Annotation("a", box(900, 0, 950, 50), "Tumor"), Annotation("b", box(0, 0, 50, 50), "Tumor")]
    (tmp_path / "off.xml").write_bytes(write_imagescope(objects, None))
    assert facts(tmp_path / "off.xml", tmp_path / "off.geojson", "--slide", slide)["off_slide"] == 1
    into_mask = facts(tmp_path / "off.xml", tmp_path / "off.png", "--slide", slide)
    assert (into_mask["off_slide"], into_mask["written"], into_mask["left_out"]) == (1, 1, {"off the slide": 1})


def test_what_geojson_and_masks_cannot_hold_is_said(tmp_path: Path, slide: Path, facts) -> None:
    bow = shapely.Polygon([(0, 0), (40, 40), (40, 0), (0, 40)])
    regions = write_imagescope([Annotation("a", bow, "Tumor"), Annotation("b", box(50, 50, 90, 90), "Tumor")], None)
    orphan = b'<Region Type="0" NegativeROA="1"><Vertices>' + b"".join(
        f'<Vertex X="{x}" Y="{y}"/>'.encode() for x, y in ((300, 300), (340, 300), (340, 340))
    )
    data = regions.replace(b"</Regions>", orphan + b"</Vertices></Region></Regions>", 1)
    (tmp_path / "odd.xml").write_bytes(data)
    found = facts(tmp_path / "odd.xml", tmp_path / "odd.geojson")
    assert (found["repaired"], found["verbatim"], found["left_out"]) == (1, {"negative": 1}, {"no shape": 1})
    into_mask = facts(tmp_path / "odd.xml", tmp_path / "odd.png", "--slide", slide, "--downsample", 100)
    assert any("smaller than a mask pixel" in note for note in into_mask["notes"])


def test_dry_run_writes_nothing(xml: Path, slide: Path, project: Path, tmp_path: Path, facts, run) -> None:
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    for target in (tmp_path / "n.xml", tmp_path / "n.geojson", tmp_path / "n.tif", f"{project}#1"):
        assert facts(xml, target, "--slide", slide, "--dry-run")["written"] >= 4
    assert "would write" in run(xml, tmp_path / "n.geojson", "--dry-run").stdout
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_an_empty_source_is_loud(tmp_path: Path, run) -> None:
    (tmp_path / "empty.xml").write_bytes(write_imagescope([], None))
    assert "nothing was found" in run(tmp_path / "empty.xml", tmp_path / "empty.geojson").stdout


def test_a_hierarchy_goes_into_geojson_if_asked_and_is_counted_if_not(tmp_path: Path, facts) -> None:
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    family = [
        Annotation(object_id, box(0, 0, 90 - n, 90 - n), "Tumor", parent_id=ids[n - 1] if n else None)
        for n, object_id in enumerate(ids)
    ]
    (tmp_path / "nested.geojson").write_bytes(compose_geojson(family, nests_children=True).data)
    flat = facts(tmp_path / "nested.geojson", tmp_path / "flat.geojson")
    assert flat["lost"] == {"parent object": 2} and "--nest" in str(flat["notes"])
    kept = facts(tmp_path / "nested.geojson", tmp_path / "kept.geojson", "--nest")
    assert (kept["written"], kept["lost"], kept["notes"]) == (3, {}, [])
    read = {name: read_geojson((tmp_path / f"{name}.geojson").read_bytes()).annotations for name in ("flat", "kept")}
    assert [a.parent_id for a in read["flat"]] == [None, None, None]
    assert [a.parent_id for a in read["kept"]] == [None, *ids[:2]]


def test_the_log_does_not_say_again_what_the_report_says(xml: Path, tmp_path: Path, facts, caplog) -> None:
    assert facts(xml, tmp_path / "a.geojson")["lost"] == {"arrow head": 1}
    assert not caplog.records


def test_half_transparent_colours_are_said_to_become_opaque(tmp_path: Path, facts) -> None:
    outline = '{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}'
    colors = ("[200, 0, 0, 128]", "[200, 0, 0, 255]", "[200, 0, 0]", str(0x80C80000 - 2**32), "-3670016", "13107200")
    classes = (f'{{"name": "T", "{"color" if c.startswith("[") else "colorRGB"}": {c}}}' for c in colors)
    text = ",".join(
        f'{{"type": "Feature", "geometry": {outline}, "properties": {{"classification": {c}}}}}' for c in classes
    )
    (tmp_path / "a.geojson").write_text(f"[{text}]")
    assert facts(tmp_path / "a.geojson", tmp_path / "a.xml")["lost"] == {"transparency of the color": 2}


def test_an_image_of_a_project_says_what_lies_off_it(tmp_path: Path, project: Path, facts) -> None:
    objects = [Annotation("a", box(9000, 0, 9050, 50), "Tumor"), Annotation("b", box(0, 0, 50, 50), "Tumor")]
    (tmp_path / "off.xml").write_bytes(write_imagescope(objects, None))
    (tmp_path / "off.geojson").write_bytes(write_geojson(objects))
    for name in ("off.xml", "off.geojson"):
        into_image = facts(tmp_path / name, f"{project}#1", "--dry-run")
        assert (into_image["off_slide"], into_image["written"]) == (1, 2)


def test_pixels_that_are_not_square_are_said_where_a_file_has_one_number(project: Path, tmp_path: Path, facts) -> None:
    facts(_one_object(tmp_path), f"{project}#1")
    values = json.loads(project.read_text())
    sides = {"pixelWidth": {"value": 0.25, "unit": "µm"}, "pixelHeight": {"value": 1.0, "unit": "µm"}}
    values["images"][0]["serverBuilder"]["metadata"]["pixelCalibration"] |= sides
    project.write_text(json.dumps(values))
    said = facts(f"{project}#1", tmp_path / "a.xml")["notes"]
    assert any("0.25 × 1 µm" in note and "0.5" in note for note in said)
    assert read_imagescope((tmp_path / "a.xml").read_bytes()).mpp == (0.5, 0.5)


def _one_object(folder: Path) -> Path:
    path = folder / "one.geojson"
    path.write_bytes(write_geojson([Annotation("b", box(0, 0, 50, 50), "Tumor")]))
    return path


def test_options_that_do_nothing_are_said(xml: Path, tmp_path: Path, facts) -> None:
    assert facts(xml, tmp_path / "a.xml", "--downsample", 4, "--nest")["notes"] == [
        "--downsample is for masks: it did nothing here",
        "--nest is for GeoJSON: it did nothing here",
    ]


# what is there stays


def test_a_file_that_is_there_is_replaced_by_force_only(xml: Path, tmp_path: Path, facts, refusal) -> None:
    target = tmp_path / "there.xml"
    target.write_bytes(write_imagescope(OBJECTS[:1], None))
    before = target.read_bytes()
    facts(xml, tmp_path / "a.geojson")
    assert "--force" in refusal(tmp_path / "a.geojson", target)
    assert target.read_bytes() == before
    facts(tmp_path / "a.geojson", target, "--force")
    assert len(xml_of(target)) == 5
    (backup,) = [p for p in (tmp_path / ".slidebridge" / "backups").rglob("*") if p.is_file()]
    assert backup.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".slidebridge-")]


def test_backups_go_to_the_project_around_it(xml: Path, tmp_path: Path, facts) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    (tmp_path / "slidebridge.toml").write_text("[watch]\nsettle_seconds = 0.0\n")
    (folder / "a.xml").write_bytes(write_imagescope(OBJECTS[:1], None))
    facts(xml, folder / "a.xml", "--force")
    assert list((tmp_path / ".slidebridge" / "backups").rglob("*")) and not (folder / ".slidebridge").exists()


def test_a_file_that_is_being_saved_is_left_alone(xml: Path, project: Path, tmp_path: Path, facts, refusal) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_bytes(xml.read_bytes()[:-20])
    assert "not completely written" in refusal(xml, cut, "--force")
    facts(xml, f"{project}#1")
    data = QuPathProject(project).slides()[0].annotation_path
    before = data.read_bytes()
    data.with_name("data.qpdata.bkp").write_bytes(b"")
    assert ".bkp" in refusal(xml, f"{project}#1", "--force")
    assert ".bkp" in refusal(f"{project}#1", tmp_path / "n.xml")
    assert data.read_bytes() == before


def test_a_mask_never_goes_over_a_picture(xml: Path, slide: Path, tmp_path: Path, facts, refusal) -> None:
    before = slide.read_bytes()
    assert "that is the slide" in refusal(xml, slide, "--slide", slide, "--force")
    (tmp_path / "photo.tif").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.tif")
    assert "is a picture" in refusal(xml, tmp_path / "photo.tif", "--slide", slide, "--force")
    for name, mode in (("photo.png", "RGB"), ("drawing.png", "P"), ("grey.png", "L"), ("grey.tif", "L")):
        Image.new(mode, (9, 9)).save(tmp_path / name)
        drawn = (tmp_path / name).read_bytes()
        assert "is a picture" in refusal(xml, tmp_path / name, "--slide", slide, "--force")
        assert (tmp_path / name).read_bytes() == drawn
    (tmp_path / "none.geojson").write_text("[]")
    for name in ("m.tif", "m.png"):
        facts(tmp_path / "none.geojson", tmp_path / name, "--slide", slide)
        facts(xml, tmp_path / name, "--slide", slide, "--force")
    assert slide.read_bytes() == before


# refusals


def test_refusals_name_the_way_out(xml: Path, slide: Path, project: Path, tmp_path: Path, refusal) -> None:
    (tmp_path / "asap.xml").write_text("<ASAP_Annotations/>")
    (tmp_path / "there.xml").write_text("<ASAP_Annotations/>")
    (tmp_path / "halo.xml").write_text('<Annotations><Annotation><Regions><Region Type="Polygon"/>')
    (tmp_path / "coco.json").write_text('{"info": {}, "categories": [{"id": 1}]}')
    (tmp_path / "small.png").write_bytes(b"")
    Image.new("L", (70, 50)).save(tmp_path / "small.png")
    new = tmp_path / "new.geojson"
    cases = [
        ((tmp_path / "absent.xml", new), "no such file"),
        ((tmp_path / "absent.png", new), "no such file"),
        ((xml, tmp_path / "there.xml", "--force"), "an ASAP XML file and stays"),
        ((tmp_path / "halo.xml", new), "export the annotations as GeoJSON from HALO"),
        ((tmp_path / "coco.json", new), "not QuPath's GeoJSON"),
        ((xml, tmp_path / "new.csv"), "'.csv'|.csv is no format"),
        ((xml, tmp_path), "Say --to"),
        ((xml, tmp_path, "--to", "asap"), "read only; --to takes"),
        ((xml, tmp_path, "--to", "docx"), "no format that we write"),
        ((xml, new, "--simplify", 1), "stays as it was drawn"),
        ((xml, new, "--transform", "flip-x"), "give --slide"),
        ((xml, new, "--report", tmp_path / "a.txt"), ".csv, .json"),
        ((xml, xml), "SRC and DST are the same"),
        ((xml, tmp_path / "no" / "a.xml"), "make it first"),
        ((xml, tmp_path / "m.png"), "give --slide"),
        ((xml, tmp_path / "m.png", "--slide", tmp_path), "is a folder; name the slide itself"),
        ((slide, new), "colour picture"),
        ((tmp_path / "small.png", new, "--slide", slide), "--downsample"),
        ((xml, tmp_path / "m.png", "--slide", tmp_path / "absent.svs"), "absent.svs"),
        ((xml, new, "--classes", tmp_path / "absent.toml"), "--classes"),
        ((f"{project}", new), "it has #1 (slide.png), #2 (twin)"),
        ((xml, f"{project}#7"), "the project has #1 (slide.png), #2 (twin)"),
        ((f"{project}#1", new), "no annotations yet"),
        ((xml, f"{tmp_path / 'absent.qpproj'}#1"), "no such project"),
    ]
    for arguments, expected in cases:
        said = refusal(*arguments)
        assert any(part in said for part in expected.split("|")), said
        assert not new.exists()


def test_other_tools_files_are_refused_by_name(shared_data: Path, tmp_path: Path, refusal) -> None:
    folder = shared_data / "qupath" / "wsidicom"
    for path in sorted((folder / "sectra").iterdir()):
        assert "Sectra" in refusal(path, tmp_path / "a.geojson")
    cytomine = tmp_path / "c.geojson"
    shutil.copy(folder / "cytomine" / "cytomine-polygon.txt", cytomine)
    assert "Cytomine" in refusal(cytomine, tmp_path / "a.xml")
    projects = shared_data / "qupath_projects"
    assert ".bkp" in refusal(f"{projects / 'interrupted_save_070/project.qpproj'}#1", tmp_path / "a.xml")
    assert "EOF" in refusal(f"{projects / 'truncated_no_backup_070/project.qpproj'}#1", tmp_path / "a.xml")


def test_the_names_of_turns_are_those_of_the_library() -> None:
    assert [turn.value for turn in convert.TurnName] == [turn.value for turn in Turn]


def test_a_downsample_below_one_is_misuse(xml: Path, tmp_path: Path, run) -> None:
    assert run(xml, tmp_path / "a.png", "--downsample", "0.5").exit_code == 2
