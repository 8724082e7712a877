"""Judgements kept under the project's data folder: a second validation only judges what is new.

One small file per model and slide, ``validation/<checkpoint>/<hash of the slide's key>.json``. It counts while what was
judged on is the same (`judged_hash`); labels that changed, or another setting, put a new one in its place. They stay
when the model is pruned: what it scored is still known then.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from bridge.annotations import ClassScheme, LabelPlan
from bridge.files import replace_whole
from bridge.ingest import SlideReading
from models.metrics import Confusion, JudgeOptions, ObjectCounts, SlideDetections, SlideJudgement
from scripts.config import Settings
from scripts.project import Project

logger = logging.getLogger(__name__)
FOLDER = "validation"  # below the project's data folder
_FORMAT = 1
_MOST_BYTES = 2**26


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A judgement, and how long it took.

    Parameters
    ----------
    seconds
        For reading, predicting and comparing.
    """

    judgement: SlideJudgement
    seconds: float


class JudgementCache:
    """Keeps judgements; what can't be read is judged again.

    Parameters
    ----------
    folder
        Ours, below the project's data folder; made with the first judgement.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, checkpoint_id: str, slide_key: str, judged: str) -> Kept | None:
        """Return what a model scored on a slide; None where it wasn't judged, or on something else.

        Parameters
        ----------
        judged
            `judged_hash` of what it is to be judged on now.
        """
        path = self._path(checkpoint_id, slide_key)
        try:
            if path.stat().st_size > _MOST_BYTES:
                return None
            data = json.loads(path.read_bytes())
            return _parsed(data) if data["judged"] == judged else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
            logger.warning("a kept judgement can't be read and is made again path=%s error=%s", path, error)
            return None

    def keep(self, checkpoint_id: str, slide_key: str, judged: str, kept: Kept) -> None:
        """Keep what a model scored on a slide; a disk that is full costs the next validation time, and nothing else."""
        path = self._path(checkpoint_id, slide_key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(path, json.dumps(_written(judged, kept)).encode(), is_shared=False)
        except OSError as error:
            logger.warning("a judgement can't be kept path=%s error=%s", path, error.strerror)

    def _path(self, checkpoint_id: str, slide_key: str) -> Path:
        name = hashlib.sha256(slide_key.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self._folder / checkpoint_id / f"{name}.json"


def judge_options(project: Project) -> JudgeOptions:
    """Return what counts as an object in a project."""
    settings = project.settings
    return replace(JudgeOptions(), least_um2=settings.predict.min_area_um2, tissue=settings.tissue)


def judged_hash(
    reading: SlideReading, plan: LabelPlan, scheme: ClassScheme, settings: Settings, options: JudgeOptions
) -> str:
    """Name everything but the model that decides a judgement on a slide: held-out labels, pixels, settings.

    Labels elsewhere on the slide don't count: regions that train change with every save.
    """
    model, path = settings.model, reading.slide_path
    stat = path.stat() if path.exists() else None
    facts = (
        _FORMAT,
        reading.entry.key,
        (stat.st_size, stat.st_mtime_ns) if stat is not None else None,
        (reading.mpp, reading.pyramid.dimensions),
        (scheme.names, scheme.labels_by_priority()),
        (model.one_network, model.hot_spot_threshold, model.hot_spot_min_um2, model.hot_spot_padding_um),
        (model.map_stride_px, settings.tissue),
        options,
    )
    digest = hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass"))
    for line in _judging(plan):
        digest.update(line)
    return digest.hexdigest()


def _judging(plan: LabelPlan) -> Iterator[bytes]:
    """Yield what of a plan decides its held-out labels."""
    held = shapely.union_all(plan.hold_out)
    shapely.prepare(held)
    for area in plan.hold_out:
        yield b"hold-out" + shapely.to_wkb(area)
    for shape in plan.shapes:
        if shapely.intersects(held, shape.geometry):
            yield f"{shape.label} {shape.is_blind}".encode() + shapely.to_wkb(shape.geometry)
    for title, areas in (("complete", plan.complete), ("ignore", plan.ignore)):
        for area in areas:
            if shapely.intersects(held, area):
                yield title.encode() + shapely.to_wkb(area)


def _written(judged: str, kept: Kept) -> Mapping[str, object]:
    found = kept.judgement
    return {
        "judged": judged,
        "seconds": kept.seconds,
        "classes": list(found.confusion.names),
        "counts": found.confusion.counts.tolist(),
        "objects": {name: asdict(counts) for name, counts in found.objects.items()},
        "detections": {name: asdict(detections) for name, detections in found.detections.items()},
        "tissue_share": found.tissue_share,
        "largest_um": dict(found.largest_um),
    }


def _parsed(data: Mapping[str, Any]) -> Kept:
    names = tuple(str(name) for name in data["classes"])
    counts = np.array(data["counts"], np.int64).reshape(len(names), len(names))
    objects = {str(name): ObjectCounts(**counted) for name, counted in data["objects"].items()}
    detections = {str(name): _parsed_detections(found) for name, found in data["detections"].items()}
    largest = {str(name): float(length) for name, length in data["largest_um"].items()}
    judgement = SlideJudgement(Confusion(counts, names), objects, detections, float(data["tissue_share"]), largest)
    return Kept(judgement, float(data["seconds"]))


def _parsed_detections(found: Mapping[str, Any]) -> SlideDetections:
    hits, false_positives = (tuple(map(float, found[name])) for name in ("hits", "false_positives"))
    return SlideDetections(int(found["lesions"]), hits, false_positives)
