"""A small H-AI-L project: two labelled slides, one to be predicted, one that judges; and what its users do with files.

Imported by tests as ``hail_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry
from typer.testing import Result

from lab_support import RUNNER, blobs, draw_slide

QUICK = """
[watch]
settle_seconds = 0.01

[model]
encoder = "plain"
mpp = 1.0
one_network = true

[train]
max_steps = 6
tile_px = 64
batch_size = 2
"""


def hail_xml(layers: Mapping[int, Sequence[BaseGeometry]], names: Mapping[int, str] | None = None) -> bytes:
    """Return a file as H-AI-L's predict writes it: Id = class, no names, DisplayId always 1."""
    lines = ['<Annotations MicronsPerPixel="0.252000">']
    for number, shapes in layers.items():
        name = f' Name="{names[number]}"' if names and number in names else ""
        lines.append(f'  <Annotation Id="{number}"{name} Type="4" Visible="1" ReadOnly="0" LineColor="65280">')
        lines.append("    <Regions>")
        for place, shape in enumerate(shapes, 1):
            lines.append(f'      <Region NegativeROA="0" ImageFocus="-1" DisplayId="1" Type="0" Id="{place}">')
            lines.append("        <Vertices>")
            lines += [f'          <Vertex X="{x:.0f}" Y="{y:.0f}" Z="0"/>' for x, y in shape.exterior.coords]
            lines += ["        </Vertices>", "      </Region>"]
        lines += ["    </Regions>", "  </Annotation>"]
    return "\n".join([*lines, "</Annotations>", ""]).encode()


def every_blob(seed: int) -> list[BaseGeometry]:
    """Return an expert's outlines of all that is on a slide."""
    return [shapely.Point(x, y).buffer(radius) for x, y, radius in blobs(seed)]


@dataclass(frozen=True)
class HailLab:
    """A project folder, and the commands run in it."""

    root: Path

    @property
    def offered(self) -> Path:
        """Where the predictions of the slide without annotations go."""
        return self.root / "Predicted_XMLs" / "new.xml"

    def add(self, folder: str, name: str, seed: int, *, is_labelled: bool) -> None:
        """Put a slide, and the expert's work on it, into a folder of the project."""
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        draw_slide(place / f"{name}.tif", seed)
        if is_labelled:
            (place / f"{name}.xml").write_bytes(hail_xml({1: every_blob(seed)}))

    def fingerprint(self) -> Mapping[str, str]:
        """Return the content of everything that is people's, by path."""
        kept = [path for name in ("TRAINING_data", "HOLDOUT_data") for path in (self.root / name).rglob("*")]
        files = [path for path in sorted(kept) if path.is_file()]
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def take_over(self, iteration: int) -> Path:
        """Do what an H-AI-L user does with corrected predictions: move them beside the slides."""
        target = self.root / "TRAINING_data" / str(iteration) / self.offered.name
        target.parent.mkdir(exist_ok=True)
        return self.offered.rename(target)

    def set(self, text: str) -> None:
        """Add lines to the settings."""
        path = self.root / "slidebridge.toml"
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    def run(self, *arguments: str) -> Result:
        """Run a command in this project, as ``slidebridge`` would."""
        from scripts.cli import app

        return RUNNER.invoke(app, [*arguments, "--project", str(self.root)])


def make_hail(root: Path, settings: str = QUICK) -> HailLab:
    """Make a project and set it up with ``slidebridge new --hail``."""
    from scripts.cli import app

    lab = HailLab(root)
    lab.add("TRAINING_data/0", "first", 1, is_labelled=True)
    lab.add("TRAINING_data/0", "second", 2, is_labelled=True)
    lab.add("TRAINING_data/1", "new", 3, is_labelled=False)
    lab.add("HOLDOUT_data", "judge", 4, is_labelled=True)
    done = RUNNER.invoke(app, ["new", "--hail", str(root)])
    assert done.exit_code == 0, done.output
    lab.set(settings)
    return lab
