"""What ``slidebridge convert`` says: classes, counts, losses, ``--json``, ``--dry-run``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely
from mask_support import read_label_mask
from PIL import Image
from shapely.geometry import box

from bridge.annotations import Annotation
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import (
    compose_geojson,
    read_geojson,
    write_geojson,
)

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
