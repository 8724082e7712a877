"""What a model got right and wrong on one slide, and by which rules it was judged: values, without the judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.slides import TissueOptions
from models.metrics.confusion import Confusion
from models.metrics.froc import FrocOptions, SlideDetections
from models.metrics.objects import LEAST_IOU, ObjectCounts


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What counts as an object, and how they are compared.

    Parameters
    ----------
    least_iou
        From which IoU on a predicted object is a true one.
    least_um2
        Smaller predicted objects don't count, as they are never written; smaller true ones are nothing to be missed.
    froc
        Of lesions.
    tissue
        Tells which share of a slide's tissue was judged.
    """

    least_iou: float = LEAST_IOU
    least_um2: float = 10.0
    froc: FrocOptions = field(default_factory=FrocOptions)
    tissue: TissueOptions = field(default_factory=TissueOptions)


@dataclass(frozen=True, slots=True, eq=False)
class SlideJudgement:
    """What a model got right and wrong on the held-out areas of one slide.

    Parameters
    ----------
    confusion
        Pixels.
    objects
        Objects, per class and of all classes together (the name that ``Confusion.pooled`` gives them).
    detections
        The same names: lesions hit, by the rules of FROC; they mean something where the slide was judged whole.
    tissue_share
        Of the slide's tissue, what was judged.
    largest_um
        The same names: longest diameter of the largest labelled object; 0 without any.
    """

    confusion: Confusion
    objects: Mapping[str, ObjectCounts]
    detections: Mapping[str, SlideDetections]
    tissue_share: float
    largest_um: Mapping[str, float]
