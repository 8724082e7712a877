"""A slide with its annotations in a tool, ImageScope or QuPath, whose user opens, changes and saves the file.

Imported by tests as ``tool_bench`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shapely import box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation
from bridge.imagescope import read_imagescope
from bridge.qupath import QuPathProject, create_project, read_qpdata
from bridge.qupath.plain import append_annotations
from lab_support import Lab, labelled
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.imagescope import resave
from scripts.bench.simulators.imagescope_editor import edit_xml
from scripts.bench.simulators.qupath import edit_image, save_image

NOW = datetime(2030, 1, 2, tzinfo=UTC)
DRAWN = Annotation("bbbbbbbb-0000-4000-8000-000000000000", box(30, 330, 60, 360), "Blob", color=(200, 0, 0))


@dataclass(frozen=True)
class Bench:
    """One slide in a tool: what is in its file, and how the tool changes and saves it."""

    lab: Lab
    path: Path
    read: Callable[[bytes], Any]
    edit: Callable[[bytes, Changes], bytes]
    save: Callable[[bytes], object]

    def passed(self, command: str = "propose") -> None:
        """Run a pass; the one that trains nothing where that doesn't matter."""
        result = self.lab.run(command)
        assert result.exit_code == 0, result.output + str(result.exception)

    def objects(self) -> list[Annotation]:
        return list(self.read(self.path.read_bytes()).annotations)

    def ours(self) -> list[Annotation]:
        return [a for a in self.objects() if a.path_class in ("Proposed", "Blob: Predicted", "Blob (predicted)")]

    def proposals(self) -> list[Annotation]:
        return [a for a in self.objects() if a.path_class == "Proposed"]

    def change(self, changes: Changes) -> None:
        """Save as somebody who had our newest write before them."""
        self.save(self.edit(self.path.read_bytes(), changes))

    def outcomes(self) -> dict[str, int]:
        return dict(json.loads(self.lab.run("status", "--json").stdout)["outcomes"])


def imagescope(lab: Lab) -> Bench:
    lab.write(labelled())
    return Bench(
        lab, lab.xml, read_imagescope, lambda data, changes: resave(edit_xml(data, changes)), lab.xml.write_bytes
    )


def people(seed: int = 0) -> list[Annotation]:
    shapes: list[tuple[str, BaseGeometry]] = [
        (name, shape) for name, drawn in labelled(seed).items() for shape, _ in drawn
    ]
    return [
        Annotation(f"{i:08x}-0000-4000-8000-000000000000", shape, name, color=(200, 0, 0))
        for i, (name, shape) in enumerate(shapes, start=1)
    ]


def qupath_project(lab: Lab) -> QuPathProject:
    from scripts.set_up import new_image

    project = create_project(lab.root / "study", [new_image(lab.slide)], {}, now=NOW)
    entry = project.slides()[0]
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), people()).data)
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")
    return project


def qupath(lab: Lab) -> Bench:
    path = qupath_project(lab).slides()[0].annotation_path
    return Bench(lab, path, read_qpdata, edit_image, lambda data: save_image(path, data, count=3, pause=lambda: None))


TOOLS = (imagescope, qupath)
