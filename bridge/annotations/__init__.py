"""Annotations without any tool: objects, class scheme, roles, ownership, label plan.

Pure: no file, clock or tool. Adapters (``bridge.imagescope``, ``bridge.qupath``) make these values and read them; the
contract they keep is ``Source``. May call ``bridge.coords`` and ``bridge.errors`` only.
"""

from bridge.annotations.geometry import Defect, Repaired, repair, repair_area
from bridge.annotations.objects import (
    Annotation,
    AnnotationSet,
    Layer,
    ObjectKind,
    Plane,
    ReadCounts,
    Rgb,
    Shape,
    TmaGrid,
)
from bridge.annotations.outlines import is_same_outline
from bridge.annotations.plan import LabelledShape, LabelPlan, Part, PatchLabel
from bridge.annotations.proposals import Proposal
from bridge.annotations.scheme import (
    BACKGROUND,
    IGNORE_LABEL,
    PREDICTED,
    PROPOSED,
    ROI,
    ClassScheme,
    LabelOptions,
    format_color,
    parse_color,
    plain_class,
    predicted_class,
)
from bridge.annotations.source import Edits, FileUse, MachineObject, MachineRole, SlideEntry, Source
from bridge.annotations.viewer import (
    Delivery,
    DeliveryProgress,
    DeliveryState,
    OpenSlide,
    Promotion,
    Viewer,
    ViewerRequest,
)

__all__ = [
    "BACKGROUND",
    "IGNORE_LABEL",
    "PREDICTED",
    "PROPOSED",
    "ROI",
    "Annotation",
    "AnnotationSet",
    "ClassScheme",
    "Defect",
    "Delivery",
    "DeliveryProgress",
    "DeliveryState",
    "Edits",
    "FileUse",
    "LabelOptions",
    "LabelPlan",
    "LabelledShape",
    "Layer",
    "MachineObject",
    "MachineRole",
    "ObjectKind",
    "OpenSlide",
    "Part",
    "PatchLabel",
    "Plane",
    "Promotion",
    "Proposal",
    "ReadCounts",
    "Repaired",
    "Rgb",
    "Shape",
    "SlideEntry",
    "Source",
    "TmaGrid",
    "Viewer",
    "ViewerRequest",
    "format_color",
    "is_same_outline",
    "parse_color",
    "plain_class",
    "predicted_class",
    "repair",
    "repair_area",
]
