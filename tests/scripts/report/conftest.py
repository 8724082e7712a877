"""One small project that was trained, judged and predicted, for all tests of the report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from learn_support import classroom

from bridge.annotations.labels import area_key
from bridge.store import PrequentialRecord
from lab_support import SETTINGS, Lab, blobs, draw_slide, xml_of
from scripts.loop.validate import validate
from scripts.loop.validate_results import ValidationRequest
from scripts.report.facts import ReportFacts
from scripts.report.gather import ReportRequest, gather

MPP = 12.0
SLIDES = {"s1": 1, "s2": 2, "s3": 3}
ROIS = (shapely.box(20, 20, 180, 180), shapely.box(200, 200, 360, 360))


def save(lab: Lab, name: str) -> None:
    outlines = [shapely.Point(x + 0.3, y + 0.2).buffer(r) for x, y, r in blobs(SLIDES[name])]
    inside = [outline for outline in outlines if any(outline.intersects(box) for box in ROIS)]
    layers = {"Blob": [(shape, "") for shape in inside], "ROI": [(box, "") for box in ROIS]}
    (lab.root / f"{name}.xml").write_bytes(xml_of(layers, MPP))


@dataclass(frozen=True)
class Told:
    """A project and what the report says of it."""

    lab: Lab
    facts: ReportFacts

    @property
    def now(self) -> datetime:
        return self.facts.now


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    lab = Lab(tmp_path_factory.mktemp("report") / "nuclei")
    lab.root.mkdir()
    for name, seed in SLIDES.items():
        draw_slide(lab.root / f"{name}.tif", seed, (MPP, MPP))
        save(lab, name)
    settings = SETTINGS.replace("mpp = 1.0", f"mpp = {2 * MPP}").replace("max_steps = 6", "max_steps = 2")
    settings = settings.replace("region_um = 40", "region_um = 500")
    (lab.root / "slidebridge.toml").write_text(settings + "\n[holdout]\nfraction = 0.4\n", "utf-8")
    assert lab.run("sync").exit_code == 0
    validate(lab.root, ValidationRequest())
    now = datetime.now(UTC)
    with classroom(lab) as room:
        key = next(key for key, parts in room.store.split().parts.items() if "train" in parts.values())
        room.store.record_prequential(
            PrequentialRecord(key, area_key(ROIS[0]), 1, now, ("Background", "Blob"), ((900, 50), (30, 20)))
        )
    return Told(lab, gather(lab.root, ReportRequest(now + timedelta(minutes=5))))


@pytest.fixture
def bare(tmp_path: Path) -> Lab:
    """A project with a slide and nothing else."""
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    return Lab(tmp_path)
