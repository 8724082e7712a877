"""The Java side: what a Java machine would hold."""

import math
import os
import sys
from types import SimpleNamespace

import shapely
from packaging.version import Version

from bridge.annotations import ObjectKind, Shape
from bridge.qupath.path_classes import argb_of
from paquo import BEHAVIOUR

sys.stdout.write(f"INFO: the Java machine starts with {os.environ['PAQUO_JAVA_OPTS']}\n")
qupath_version = SimpleNamespace(version=Version(os.environ.get("STAND_IN_VERSION", "0.7.0")))
compatibility = SimpleNamespace(supports_newer_measurements_interface=qupath_version.version >= Version("0.6.0"))
_KINDS = {
    ObjectKind.ANNOTATION: "PathAnnotationObject",
    ObjectKind.DETECTION: "PathDetectionObject",
    ObjectKind.TILE: "PathTileObject",
    ObjectKind.CELL: "PathCellObject",
    ObjectKind.TMA_CORE: "TMACoreObject",
}


class Text:
    """A java.lang.String."""

    def __init__(self, text):
        self._text = text

    def toString(self):
        return self

    def __str__(self):
        return self._text


def text(value):
    return None if value is None else Text(value)


def argb(color):
    return None if color is None else argb_of(color)


class Geometry:
    def __init__(self, shape):
        self.shape = shape

    def getNumPoints(self):
        return shapely.get_num_coordinates(self.shape)


class WKBWriter:
    def __init__(self, dimensions):
        assert dimensions == 2

    def write(self, geometry):
        return shapely.to_wkb(geometry.shape, byte_order=0)


class Roi:
    def __init__(self, geometry, shape, plane, simple_name=None):
        self._geometry = geometry
        self._is_polygon = shape is Shape.POLYGON
        self._name = simple_name or f"{shape.value.capitalize()}ROI"
        self.getC, self.getZ, self.getT = (lambda: plane.c), (lambda: plane.z), (lambda: plane.t)
        x, y, x2, y2 = geometry.bounds
        self.getBoundsX, self.getBoundsY = (lambda: x), (lambda: y)
        self.getBoundsWidth, self.getBoundsHeight = (lambda: x2 - x), (lambda: y2 - y)

    def getClass(self):
        return SimpleNamespace(getSimpleName=lambda: self._name)

    def getNumPoints(self):
        return shapely.get_num_coordinates(self._geometry) - self._is_polygon

    def getAllPoints(self):
        ring = shapely.get_coordinates(self._geometry)[:-1]
        return [SimpleNamespace(getX=lambda x=x: x, getY=lambda y=y: y) for x, y in ring]

    def getGeometry(self):
        if BEHAVIOUR == "cleans polygons" and self._is_polygon:
            return Geometry(shapely.box(*self._geometry.bounds))
        return Geometry(self._geometry)


class Measurements:
    def __init__(self, values):
        self._values = values
        if compatibility.supports_newer_measurements_interface:
            self.get = lambda name: values[str(name)]
        else:
            self.getMeasurementValue = lambda name: values[str(name)]

    def getMeasurementNames(self):
        return [Text(name) for name in self._values]


class PathObject:
    def __init__(self, annotation):
        self._annotation = a = annotation
        self.parent, self.children = None, []
        self.getID = lambda: Text(a.object_id)
        self.getName = lambda: text("wrong" if BEHAVIOUR == "renames" else a.name)
        self.isLocked = lambda: a.is_locked
        self.getColor = lambda: argb(a.own_color)
        self.getClassProbability = lambda: math.nan if a.probability is None else a.probability
        self.getMeasurementList = lambda: Measurements(a.measurements)
        self.getParent = lambda: self.parent
        self.getChildObjects = lambda: self.children
        self.isRootObject = lambda: False
        self.getROI = lambda: None if a.shape is Shape.NONE else Roi(a.geometry, a.shape, a.plane)
        if a.kind is ObjectKind.TMA_CORE:
            self.isMissing = lambda: a.is_missing
        if qupath_version.version >= Version("0.5.0"):
            self.getMetadata = self._metadata

    def _metadata(self):
        pairs = [
            SimpleNamespace(getKey=lambda k=k: Text(k), getValue=lambda v=v: Text(v))
            for k, v in self._annotation.metadata.items()
        ]
        return SimpleNamespace(entrySet=lambda: pairs)

    def getClass(self):
        return SimpleNamespace(getSimpleName=lambda: _KINDS[self._annotation.kind])

    def getPathClass(self):
        if self._annotation.path_class is None:
            return None
        path_class = Text(self._annotation.path_class)
        path_class.getColor = lambda: argb(self._annotation.color)
        return path_class


class PathCellObject(PathObject):
    def getNucleusROI(self):
        a = self._annotation
        return None if a.nucleus is None else Roi(a.nucleus, Shape.POLYGON, a.plane)


class Root:
    def __init__(self):
        self.children = []
        self.getChildObjects = lambda: self.children
        self.isRootObject = lambda: True


class Hierarchy:
    def __init__(self, found):
        self._root = Root()
        by_id = {None: self._root}
        for annotation in found.annotations:
            made = (PathCellObject if annotation.kind is ObjectKind.CELL else PathObject)(annotation)
            made.parent = by_id[annotation.parent_id]
            made.parent.children.append(made)
            by_id[annotation.object_id] = made
        self._grid, self._by_id = found.tma_grid, by_id
        self.getRootObject = lambda: self._root

    def getTMAGrid(self):
        grid = self._grid
        if grid is None:
            return None
        return SimpleNamespace(
            getGridWidth=lambda: grid.width,
            getGridHeight=lambda: len(grid.core_ids) // grid.width,
            getTMACore=lambda row, column: self._by_id[grid.core_ids[row * grid.width + column]],
        )
