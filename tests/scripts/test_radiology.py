"""H-AI-L's other material: a series of flat greyscale slices, from the first annotation to predicted outlines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from lab_support import RUNNER, xml_of
from scripts.project import open_project

pytestmark = pytest.mark.heavy
SIDE = 128
MPP = 500.0  # half a millimetre
DRAWN, UNSEEN = ("slice 1", "slice 2", "slice 3"), "slice 4"
SETTINGS = f"""
[slides]
mpp = {MPP}

[labels]
complete = "slide"

[holdout]
fraction = 0

[model]
encoder = "plain"
mpp = {MPP}
low_factor = 2

[train]
max_steps = 30
tile_px = 64
batch_size = 4
device = "cpu"

[predict]
tile_px = 128
simplify_um = {MPP / 4}

[propose]
k = 1
region_um = {32 * MPP}
"""


def organ_of(name: str) -> shapely.Polygon:
    """Return where the gland lies: elsewhere, and of another size, on each slice."""
    number = int(name[-1])
    return shapely.Point(48 + 10 * number, 80 - 7 * number).buffer(15 + 2 * number)


def draw_slice(path: Path, name: str) -> None:
    """Write a slice: black around a grey body, in which the gland is bright."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    pixels = np.full((SIDE, SIDE), 8.0)
    pixels[shapely.contains_xy(shapely.Point(64, 64).buffer(58), columns, rows)] = 90
    pixels[shapely.contains_xy(organ_of(name), columns, rows)] = 170
    pixels += np.random.default_rng(int(name[-1])).normal(0, 6, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "L").save(path)


def geojson_of(shape: BaseGeometry) -> bytes:
    feature = {
        "type": "Feature",
        "geometry": mapping(shape),
        "properties": {"objectType": "annotation", "classification": {"name": "Gland", "color": [200, 0, 0]}},
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def make(root: Path, kind: str) -> None:
    suffix = {"imagescope": ".png", "geojson": ".tif"}[kind]
    for name in (*DRAWN, UNSEEN):
        draw_slice(root / f"{name}{suffix}", name)
    for name in DRAWN:
        if kind == "imagescope":
            (root / f"{name}.xml").write_bytes(xml_of({"Gland": [(organ_of(name), "")]}, mpp=0))
        else:
            (root / f"{name}.geojson").write_bytes(geojson_of(organ_of(name)))


def predicted(root: Path) -> BaseGeometry:
    source = open_project(root).source
    (entry,) = (entry for entry in source.slides() if entry.name.startswith(UNSEEN))
    found = source.parse(entry.annotation_path.read_bytes(), entry).annotations
    return shapely.union_all([a.geometry for a in found if a.path_class == "Gland: Predicted"])


@pytest.mark.parametrize("kind", ["imagescope", "geojson"])
def test_a_series_of_grey_slices_is_learned_from_and_predicted(tmp_path: Path, kind: str) -> None:
    from scripts.cli import app

    make(tmp_path, kind)
    done = RUNNER.invoke(app, ["new", f"--{kind}", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "set [slides] mpp" in done.output
    assert "classes: Gland" in done.output
    settings = tmp_path / "slidebridge.toml"
    settings.write_text(settings.read_text("utf-8") + SETTINGS, "utf-8")
    done = RUNNER.invoke(app, ["sync", "--project", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found, truth = predicted(tmp_path), organ_of(UNSEEN)
    dice = 2 * found.intersection(truth).area / (found.area + truth.area)
    assert dice > 0.85
