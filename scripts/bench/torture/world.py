"""A project with one slide, set up as ``slidebridge new`` would, and an annotation file that a person began."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bridge.imagescope import ImageScopeFolder
from bridge.qupath import QuPathProject, create_project
from bridge.slides import write_pyramid
from scripts.bench.torture.options import Job, Options, Tool
from scripts.project import open_project
from scripts.set_up import new_image

SIDE = 2048  # of the slide, level-0 pixels
CLASSES = ("Tumor", "Stroma")
_MPP = 0.5
_SETTINGS = """
[source]
kind = "{kind}"
path = "{path}"

[classes.colors]
Tumor = "#c80000"
Stroma = "#00b400"

[watch]
settle_seconds = {settle}

[propose]
k = 3
region_um = {region}
"""
CELL_PX = 32  # level-0 pixels of a cell of the coarse grid, and the side of a proposed box


def make_world(root: Path, options: Options) -> Job:
    """Make the slide, the settings, and a first annotation file without objects."""
    slide = root / "case.tif"
    write_pyramid(slide, np.full((SIDE, SIDE, 3), 220, np.uint8), (_MPP, _MPP))
    if options.tool is Tool.QUPATH:
        target, kind, path = _new_qupath(root, slide), "qupath", "study/project.qpproj"
    else:
        target, kind, path = root / "case.xml", "imagescope", "."
        target.write_bytes(ImageScopeFolder(root).create(ImageScopeFolder(root).slides()[0]))
    job = Job(options, root, target)
    job.first.write_bytes(target.read_bytes())
    settings = _SETTINGS.format(kind=kind, path=path, settle=job.pace.settle_seconds, region=CELL_PX * _MPP)
    (root / "slidebridge.toml").write_text(settings, "utf-8")
    open_project(root)  # now rather than in the first process: settings that don't load are a mistake of ours
    return job


def _new_qupath(root: Path, slide: Path) -> Path:
    source = create_project(root / "study", [new_image(slide)], {}, now=datetime.now(UTC))
    entry = QuPathProject(source.path).slides()[0]
    entry.annotation_path.parent.mkdir(parents=True, exist_ok=True)
    entry.annotation_path.write_bytes(source.create(entry))
    return entry.annotation_path
