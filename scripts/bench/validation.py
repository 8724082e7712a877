"""A project of nine real slides, trained slide after slide and validated: H-AI-L's Fig. 2b on real input.

``python -m scripts.bench.validation [--output FOLDER] [--steps N]`` cuts the demo's picture (H&E, 1,294 outlined nuclei
of three kinds) into nine slides of 250 µm. Those that the project's own hash holds out are outlined at once, blind. Of
the others one more is outlined before each training, over the predictions of the one before: what these had foreseen is
the prequential score. As in H-AI-L every training's model is used, better or not. Then it prints what ``slidebridge
validate`` does, and leaves CSVs and figures in ``FOLDER/validation``. Minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely

from bridge.annotations import PROPOSED, SlideEntry
from bridge.annotations.split import HOLD_OUT, HoldOutOptions, split_slides
from bridge.slides import write_pyramid
from scripts.demo.material import CLASSES, MPP, Material, load_material
from scripts.loop.passes import STEPS, Request, run
from scripts.loop.validate import validate
from scripts.loop.validate_files import write_files
from scripts.loop.validate_results import ValidationRequest
from scripts.loop.validate_text import lines
from scripts.options import SourceKind
from scripts.project import open_project
from scripts.survey import settings_text, write_settings

SIDE = 500
STEPS_EACH = 80
FRACTION = 0.45  # of nine: four or so, as many as H-AI-L's


def main(arguments: Sequence[str] = ()) -> None:
    """Make the project, train it, validate it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("validation_evidence"))
    parser.add_argument("--steps", type=int, default=STEPS_EACH, help="of each training")
    given = parser.parse_args(arguments)
    material = load_material()
    if given.output.exists():
        parser.error(f"{given.output} is there already; give another --output")
    held_out, training = set_up(given.output / "project", material, given.steps)
    for entry in (*held_out, training[0]):
        outline(entry, material)
    for number, following in enumerate((*training[1:], None), 1):
        for step in ("train", "predict"):
            result = run(given.output / "project", Request(STEPS[step], is_forced=True))
            sys.stdout.write("\n".join(result.lines()) + "\n" if step == "train" else "")
        if following is not None:
            outline(following, material)
        sys.stdout.write(f"training {number} of {len(training)} done\n")
        sys.stdout.flush()
    found = validate(given.output / "project", ValidationRequest())
    written = write_files(found, given.output / "validation")
    sys.stdout.write("\n".join([*lines(found), *(f"written: {path}" for path in written)]) + "\n")


def set_up(root: Path, material: Material, steps: int) -> tuple[list[SlideEntry], list[SlideEntry]]:
    """Write slides and settings; return the slides that will judge, and those that will train."""
    root.mkdir(parents=True)
    rows, columns = (side // SIDE for side in material.labels.shape)
    for row in range(rows):
        for column in range(columns):
            part = material.pixels[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            write_pyramid(root / f"part_{row}{column}.tif", part, (MPP, MPP))
    settings = {
        "model.mpp": MPP,
        "model.one_network": True,
        "train.max_steps": steps,
        "watch.settle_seconds": 0.05,
        "holdout.fraction": FRACTION,
    }
    write_settings(root, settings_text(SourceKind.GEOJSON, ".", CLASSES, {}, settings), may_replace=False)
    entries = open_project(root).source.slides()
    keys = [entry.key for entry in entries]
    parts = split_slides(keys, {}, keys, HoldOutOptions(FRACTION))
    held_out = [entry for entry in entries if parts[entry.key] == HOLD_OUT]
    return held_out, [entry for entry in entries if parts[entry.key] != HOLD_OUT]


def outline(entry: SlideEntry, material: Material) -> None:
    """Outline every nucleus of a slide, in one box that is the whole of it, in place of what was predicted there."""
    row, column = (int(digit) for digit in entry.slide_path.stem[-2:])
    here = shapely.box(0, 0, SIDE, SIDE)
    drawn = [("ROI", here)]
    for name, nucleus in material.outlines:
        moved = shapely.transform(nucleus, lambda xy: xy - [column * SIDE, row * SIDE])
        inside = shapely.intersection(moved, here)
        drawn += [(name, part) for part in shapely.get_parts(inside) if isinstance(part, shapely.Polygon)]
    path = entry.annotation_path
    collection: dict[str, Any] = {"type": "FeatureCollection", "features": []}
    if path.exists():
        collection = json.loads(path.read_text("utf-8"))
    kept = [feature for feature in collection["features"] if not _is_ours(feature)]
    collection["features"] = [*kept, *(_feature(name, shape) for name, shape in drawn)]
    path.write_text(json.dumps(collection), "utf-8")


def _is_ours(feature: Mapping[str, Any]) -> bool:
    name = str(feature["properties"].get("classification", {}).get("name", ""))
    return name == PROPOSED or name.endswith(": Predicted") or name.startswith("Predicted: ")


def _feature(name: str, shape: shapely.Polygon) -> dict[str, object]:
    properties = {"objectType": "annotation", "classification": {"name": name}}
    return {"type": "Feature", "geometry": json.loads(shapely.to_geojson(shape)), "properties": properties}


if __name__ == "__main__":
    main(sys.argv[1:])
