"""A project on a real H&E picture, labelled in rounds by a simulated expert: what the pictures in docs/ show.

The picture and its outlines are histolytics' (BSD-3), as in ``slidebridge demo``; each of its quarters is a slide here.
Imported by tests as ``picture_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shapely import affinity, box

from bridge.annotations.geometry import repair_area
from bridge.slides import write_pyramid
from lab_support import Lab, xml_of
from scripts.demo.expert_imagescope import label
from scripts.demo.material import CLASSES, MPP, load_material
from scripts.demo.play import SETTINGS
from scripts.demo.truth import save_truth
from scripts.options import SourceKind
from scripts.survey import settings_text, write_settings

SIDE = 750
_CORNERS: Mapping[str, tuple[int, int]] = {
    "HGSC block 1": (0, 0),
    "HGSC block 2": (SIDE, 0),
    "HGSC block 3": (0, SIDE),
    "HGSC block 4": (SIDE, SIDE),
}


@dataclass(frozen=True)
class PictureLab(Lab):
    """Four slides and an expert."""

    def learn(self) -> None:
        """Let SlideBridge learn from what was saved, and write."""
        result = self.run("sync")
        assert result.exit_code == 0, result.output + repr(result.exception)

    def work(self, most_boxes: int, *names: str) -> None:
        """Let the expert work off proposals of some slides, or of all that they work on."""
        for name in names or tuple(_CORNERS)[:-1]:  # the last slide is never labelled
            label(self.root / f"{name}.xml", self._truth(name), SIDE, SIDE, SIDE, most_boxes)

    def set_up(self) -> None:
        """Write slides, settings, and what the expert knows."""
        material = load_material()
        settings = SETTINGS | {"propose.k": 4, "holdout.fraction": 0.3, "train.max_steps": 60}
        text = settings_text(SourceKind.IMAGESCOPE, ".", CLASSES, {}, settings)
        write_settings(self.root, text, may_replace=True)
        for name, (x, y) in _CORNERS.items():
            part = box(x, y, x + SIDE, y + SIDE)
            write_pyramid(self.root / f"{name}.tif", material.pixels[y : y + SIDE, x : x + SIDE], (MPP, MPP))
            cut = [(kind, repair_area(shape & part)) for kind, shape in material.outlines]
            moved = [(kind, affinity.translate(shape, -x, -y)) for kind, shape in cut if not shape.is_empty]
            self._truth(name).parent.mkdir(exist_ok=True)
            save_truth(self._truth(name), moved, SIDE)
            (self.root / f"{name}.xml").write_bytes(xml_of({"Ignore": []}, MPP))  # nothing of it

    def _truth(self, name: str) -> Path:
        return self.root.with_name(f"{self.root.name} truth") / f"{name}.json"


def picture_lab(root: Path, rounds: int = 3) -> PictureLab:
    """Make the project, and let expert and machine take turns."""
    root.mkdir(parents=True)
    lab = PictureLab(root)
    lab.set_up()
    lab.learn()  # the first proposals
    for _ in range(rounds):
        lab.work(2)
        lab.learn()
    assert lab.run("validate").exit_code == 0  # judges every model of the project: the learning curve
    return lab
