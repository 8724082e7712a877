"""The classes that we write, as QuPath 0.4 to 0.7 and Java describe them.

Version and flags as in files of those versions; fields in Java's order: primitives first, each group by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bridge.qupath.java_class import BLOCK_DATA, ENUM, EXTERNALIZABLE, SERIALIZABLE, WRITE_METHOD

_EXTERNAL = EXTERNALIZABLE | BLOCK_DATA
_CUSTOM = SERIALIZABLE | WRITE_METHOD
_QUPATH = "qupath.lib."
_OBJECTS = _QUPATH + "objects."
_ROI = _QUPATH + "roi."
_TEXT = "Ljava/lang/String;"

ROOT = _OBJECTS + "PathRootObject"
ANNOTATION = _OBJECTS + "PathAnnotationObject"
DETECTION = _OBJECTS + "PathDetectionObject"
METADATA_MAP = _OBJECTS + "MetadataMap"
PATH_CLASS = _OBJECTS + "classes.PathClass"
HIERARCHY = _OBJECTS + "hierarchy.PathObjectHierarchy"
WORKFLOW = _QUPATH + "plugins.workflow.Workflow"
STAINS = _QUPATH + "color.ColorDeconvolutionStains"
IMAGE_TYPE = _QUPATH + "images.ImageData$ImageType"
RECTANGLE = _ROI + "RectangleROI$SerializationProxy"
POLYGON = _ROI + "PolygonROI$SerializationProxy"
GEOMETRY = _ROI + "GeometryROI$WKBSerializationProxy"
OBJECTS_ARRAY = "[Ljava.lang.Object;"
INTEGER = "java.lang.Integer"
BOOLEAN = "java.lang.Boolean"
HASH_MAP = "java.util.HashMap"
LOCALE = "java.util.Locale"


class ClassEntry(NamedTuple):
    """How a class is described: version, flags, (type code, name, type name) of its fields, superclass."""

    uid: int
    flags: int
    fields: tuple[tuple[str, str, str | None], ...] = ()
    superclass: str | None = None


_C_T = (("I", "c", None), ("I", "t", None))
_Z = (("I", "z", None),)
_NAME = (("L", "name", _TEXT),)
_X_Y = (("[", "x", "[F"), ("[", "y", "[F"))
_CORNERS = (("D", "x", None), ("D", "x2", None), ("D", "y", None), ("D", "y2", None))
_STATS = (("L", "stats", "Lqupath/lib/roi/ClosedShapeStatistics;"),)

CLASSES: Mapping[str, ClassEntry] = {
    _OBJECTS + "PathObject": ClassEntry(1, _EXTERNAL),
    _OBJECTS + "PathROIObject": ClassEntry(1, _EXTERNAL, (), _OBJECTS + "PathObject"),
    ROOT: ClassEntry(1, _EXTERNAL, (), _OBJECTS + "PathObject"),
    ANNOTATION: ClassEntry(1, _EXTERNAL, (), _OBJECTS + "PathROIObject"),
    DETECTION: ClassEntry(1, _EXTERNAL, (), _OBJECTS + "PathROIObject"),
    METADATA_MAP: ClassEntry(1, _EXTERNAL),
    PATH_CLASS: ClassEntry(
        1,
        SERIALIZABLE,
        (
            ("L", "colorRGB", "Ljava/lang/Integer;"),
            ("L", "name", _TEXT),
            ("L", "parentClass", "Lqupath/lib/objects/classes/PathClass;"),
        ),
    ),
    HIERARCHY: ClassEntry(
        1,
        SERIALIZABLE,
        (
            ("L", "rootObject", "Lqupath/lib/objects/PathObject;"),
            ("L", "tmaGrid", "Lqupath/lib/objects/hierarchy/TMAGrid;"),
        ),
    ),
    WORKFLOW: ClassEntry(1, _EXTERNAL),
    STAINS: ClassEntry(1, _EXTERNAL),
    IMAGE_TYPE: ClassEntry(0, ENUM | SERIALIZABLE, (), "java.lang.Enum"),
    "java.lang.Enum": ClassEntry(0, ENUM | SERIALIZABLE),
    RECTANGLE: ClassEntry(1, SERIALIZABLE, _C_T + _CORNERS + _Z + _NAME),
    POLYGON: ClassEntry(1, SERIALIZABLE, _C_T + _Z + _NAME + _STATS + _X_Y),
    GEOMETRY: ClassEntry(
        1,
        SERIALIZABLE,
        (*_C_T, *_Z, ("L", "stats", "Lqupath/lib/roi/GeometryROI$GeometryStats;"), ("[", "wkb", "[B")),
    ),
    "java.lang.Number": ClassEntry(-8742448824652078965, SERIALIZABLE),
    INTEGER: ClassEntry(1360826667806852920, SERIALIZABLE, (("I", "value", None),), "java.lang.Number"),
    BOOLEAN: ClassEntry(-3665804199014368530, SERIALIZABLE, (("Z", "value", None),)),
    HASH_MAP: ClassEntry(362498820763181265, _CUSTOM, (("F", "loadFactor", None), ("I", "threshold", None))),
    LOCALE: ClassEntry(
        9149081749638150636,
        _CUSTOM,
        (
            ("I", "hashcode", None),
            *(("L", name, _TEXT) for name in ("country", "extensions", "language", "script", "variant")),
        ),
    ),
    OBJECTS_ARRAY: ClassEntry(-8012369246846506644, SERIALIZABLE),
    "[F": ClassEntry(836686056779680834, SERIALIZABLE),
    "[B": ClassEntry(-5984413125824719648, SERIALIZABLE),
}
