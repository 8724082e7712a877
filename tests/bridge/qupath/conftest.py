"""A workshop for ``data.qpdata`` files of every kind, so that the tests need no real ones."""

from __future__ import annotations

import json
import math
import uuid
from struct import pack

import pytest
import shapely
from shapely.geometry import Point, Polygon

from bridge.qupath import class_table as table
from bridge.qupath.class_table import ClassEntry
from bridge.qupath.graph_builder import EVERY_PLANE, GraphBuilder
from bridge.qupath.java_stream import ObjectArray
from bridge.qupath.java_writer import write_stream

_OBJECTS, _ROI, _MEASUREMENTS = "qupath.lib.objects.", "qupath.lib.roi.", "qupath.lib.measurements."
_NUMERIC = _MEASUREMENTS + "NumericMeasurementList$"
_GRID = _OBJECTS + "hierarchy.DefaultTMAGrid"
_JTS = "org.locationtech.jts.geom."
_PROXY = "$SerializationProxy"
_PLANE = (("I", "c", None), ("I", "t", None), ("I", "z", None))
_X_Y = (("[", "x", "[F"), ("[", "y", "[F"))
_BOX = table.CLASSES[table.RECTANGLE]

MORE_CLASSES = {
    **table.CLASSES,
    _OBJECTS + "PathTileObject": ClassEntry(1, 12, (), table.DETECTION),
    _OBJECTS + "PathCellObject": ClassEntry(1, 12, (), table.DETECTION),
    _OBJECTS + "TMACoreObject": ClassEntry(1, 12, (), _OBJECTS + "PathROIObject"),
    _ROI + "EllipseROI" + _PROXY: _BOX,
    _ROI + "LineROI" + _PROXY: _BOX,
    _ROI + "PolylineROI" + _PROXY: ClassEntry(1, 2, _PLANE + _X_Y),
    _ROI + "PointsROI" + _PROXY: ClassEntry(1, 2, (*_PLANE, ("L", "name", "Ljava/lang/String;"), *_X_Y)),
    _ROI + "AreaROI" + _PROXY: ClassEntry(1, 2, (*_PLANE, ("[", "x", "[[F"), ("[", "y", "[[F"))),
    _ROI + "GeometryROI" + _PROXY: ClassEntry(1, 2, (*_PLANE, ("L", "geometry", f"L{_JTS}Geometry;"))),
    _ROI + "FutureROI" + _PROXY: ClassEntry(1, 2, _PLANE),
    _JTS + "Geometry": ClassEntry(8763622679187376702, 2, (("I", "SRID", None),)),
    _JTS + "Point": ClassEntry(1, 2, (("L", "coordinates", "L;"),), _JTS + "Geometry"),
    _JTS + "LineString": ClassEntry(1, 2, (("L", "points", "L;"),), _JTS + "Geometry"),
    _JTS + "LinearRing": ClassEntry(1, 2, (), _JTS + "LineString"),
    _JTS + "Polygon": ClassEntry(1, 2, (("[", "holes", "[L;"), ("L", "shell", "L;")), _JTS + "Geometry"),
    _JTS + "MultiPolygon": ClassEntry(1, 2, (("[", "geometries", "[L;"),), _JTS + "Geometry"),
    _JTS + "impl.CoordinateArraySequence": ClassEntry(
        1, 2, (("I", "dimension", None), ("[", "coordinates", f"[L{_JTS}Coordinate;"))
    ),
    _JTS + "impl.PackedCoordinateSequence$Double": ClassEntry(1, 2, (("I", "dimension", None), ("[", "coords", "[D"))),
    _JTS + "Coordinate": ClassEntry(6683108902428366910, 2, tuple(("D", name, None) for name in "xyz")),
    _NUMERIC + "AbstractNumericMeasurementList": ClassEntry(
        1, 2, (("Z", "isClosed", None), ("L", "map", "Ljava/util/Map;"), ("L", "names", "Ljava/util/List;"))
    ),
    _NUMERIC + "DoubleList": ClassEntry(1, 2, (("[", "values", "[D"),), _NUMERIC + "AbstractNumericMeasurementList"),
    _NUMERIC + "FloatList": ClassEntry(1, 2, (("[", "values", "[F"),), _NUMERIC + "AbstractNumericMeasurementList"),
    _MEASUREMENTS + "DefaultMeasurementList": ClassEntry(1, 2, (("L", "list", "Ljava/util/List;"),)),
    _MEASUREMENTS + "DoubleMeasurement": ClassEntry(1, 2, (("D", "value", None), ("L", "name", "Ljava/lang/String;"))),
    "java.util.ArrayList": ClassEntry(8683452581122892189, 3, (("I", "size", None),)),
    "java.util.Collections$UnmodifiableList": ClassEntry(-283967356065247728, 2, (("L", "list", "Ljava/util/List;"),)),
    _GRID: ClassEntry(1, 2, (("I", "gridHeight", None), ("I", "gridWidth", None), ("L", "cores", "Ljava/util/List;"))),
    "[[F": ClassEntry(1, 2),
    "[D": ClassEntry(4514449696888150558, 2),
}


class Lab(GraphBuilder):
    """Builds the nodes of QuPath objects that the product reads but never writes, and whole files of them."""

    def __init__(self):
        super().__init__((), MORE_CLASSES)

    # ROIs

    def _vertices(self, points):
        x, y = zip(*points, strict=True) if points else ((), ())
        return [self.primitives("[F", pack(f">{len(values)}f", *values)) for values in (x, y)]

    def vertices_roi(self, kind, points, plane=(-1, 0, 0)):
        c, z, t = plane
        between = {"Polygon": (None, None), "Points": (None,), "Polyline": ()}[kind]
        return self.object(f"{_ROI}{kind}ROI{_PROXY}", pack(">iii", c, t, z), *between, *self._vertices(points))

    def box_roi(self, kind, x, y, x2, y2, plane=(-1, 0, 0)):
        c, z, t = plane
        return self.object(f"{_ROI}{kind}ROI{_PROXY}", pack(">iiddddi", c, t, x, x2, y, y2, z), None)

    def geometry_roi(self, geometry, **options):
        return self.geometry(shapely.to_wkb(geometry, **{"byte_order": 0, **options}))

    def area_roi(self, rings):
        xs, ys = zip(*(self._vertices(ring) for ring in rings), strict=True)
        arrays = [ObjectArray(self.desc("[[F"), list(values)) for values in (xs, ys)]
        return self.object(f"{_ROI}AreaROI{_PROXY}", EVERY_PLANE, *arrays)

    def jts_roi(self, node):
        return self.object(f"{_ROI}GeometryROI{_PROXY}", EVERY_PLANE, node)

    def jts(self, geometry, packed=False):
        """Write a shapely geometry as QuPath before 0.2 wrote a JTS one."""
        kind, srid = geometry.geom_type, pack(">i", 0)
        if kind == "MultiPolygon":
            return self.object(_JTS + kind, srid, self._array([self.jts(part, packed) for part in geometry.geoms]))
        if kind == "Polygon":
            holes = self._array([self.jts(ring, packed) for ring in geometry.interiors])
            return self.object(_JTS + kind, srid, holes, self.jts(geometry.exterior, packed))
        return self.object(_JTS + kind, srid, self._sequence(list(geometry.coords), packed))

    def _sequence(self, points, packed):
        two = pack(">i", 2)
        if packed:
            flat = [value for point in points for value in point]
            coords = self.primitives("[D", pack(f">{len(flat)}d", *flat))
            return self.object(_JTS + "impl.PackedCoordinateSequence$Double", two, coords)
        coordinates = [self.object(_JTS + "Coordinate", pack(">ddd", x, y, math.nan)) for x, y in points]
        return self.object(_JTS + "impl.CoordinateArraySequence", two, self._array(coordinates))

    def _array(self, items):
        return ObjectArray(self.desc(table.OBJECTS_ARRAY), list(items))

    # measurements

    def array_list(self, items):
        size = pack(">i", len(items))
        return self.object("java.util.ArrayList", size, [size, *items])

    def numeric_list(self, letter, values, spare=0, is_wrapped=False):
        names = self.array_list([self.text(name) for name in values])
        if is_wrapped:
            names = self.object("java.util.Collections$UnmodifiableList", names)
        numbers = [*values.values(), *([0.0] * spare)]
        array = self.primitives(f"[{letter}", pack(f">{len(numbers)}{letter.lower()}", *numbers))
        kind = {"D": "DoubleList", "F": "FloatList"}[letter]
        return self.object(_NUMERIC + kind, pack(">?", not spare), None, names, array)

    def general_list(self, values):
        entries = [
            self.object(_MEASUREMENTS + "DoubleMeasurement", pack(">d", value), self.text(name))
            for name, value in values.items()
        ]
        return self.object(_MEASUREMENTS + "DefaultMeasurementList", self.array_list(entries))

    # objects and files

    def path_object(
        self,
        kind,
        roi,
        *,
        object_id=None,
        name=None,
        color=None,
        metadata=None,
        measurements=None,
        children=(),
        is_locked=False,
        path_class=None,
        probability=math.nan,
        nucleus=None,
        is_missing=False,
        has_metadata=True,
        has_lock=True,
    ):
        pairs = {**({} if object_id is None else {"Object ID": object_id}), **(metadata or {})}
        items = [
            None if name is None else self.text(name),
            None if color is None else self.integer(color),
            *([self.metadata(self.texts(list(pairs)), self.texts(list(pairs.values())))] if has_metadata else []),
            measurements,
            pack(">i", len(children)),
            *children,
            *([self.boolean(is_locked)] if has_lock else []),
            path_class,
            roi,
            pack(">d", probability) + (pack(">?", is_missing) if kind == "TMACore" else b""),
        ]
        if kind == "PathCell":
            items.append(nucleus)
        return self.object(f"{_OBJECTS}{kind}Object", items)

    def box(self, x=0.0, y=0.0, x2=10.0, y2=10.0, **options):
        """Return a rectangular annotation."""
        return self.path_object("PathAnnotation", self.box_roi("Rectangle", x, y, x2, y2), **options)

    def tma_grid(self, width, cores):
        return self.object(_GRID, pack(">ii", len(cores) // max(width, 1), width), self.array_list(cores))

    def version_2(self, children, header="Image path: file:/slides/1.svs"):
        """Return a file as QuPath 0.2 wrote it: no metadata where none was set, no UUIDs."""
        root = self.object(table.ROOT, [None, None, None, pack(">i", len(children)), *children])
        title = b"Data file version 2"
        return write_stream(
            [
                pack(">H", len(title)) + title,
                self.text(header),
                self.enum(table.IMAGE_TYPE, "BRIGHTFIELD_H_DAB"),
                self.object(table.WORKFLOW, [pack(">ii", 1, 0)]),
                self.object(table.HIERARCHY, root, None),
                self.hash_map({}),
                self.text("EOF"),
            ]
        )

    def records(self, children, version=3, tma_grid=None):
        """Return the items of a whole file with these objects below the root."""
        title = f"Data file version {version}".encode()
        metadata = self.metadata(self.texts(["Object ID"]), self.texts([str(uuid.UUID(int=0))]))
        root = self.object(table.ROOT, [None, None, metadata, None, pack(">i", len(children)), *children])
        mpp = {"value": 0.5, "unit": "µm"}
        server = {"metadata": {"pixelCalibration": {"pixelWidth": mpp, "pixelHeight": mpp}}}
        return [
            pack(">H", len(title)) + title,
            self.text(json.dumps({"dataVersion": version, "server": server}, ensure_ascii=False)),
            self.enum(table.IMAGE_TYPE, "BRIGHTFIELD_H_E"),
            self.object(table.HIERARCHY, root, tma_grid),
            self.hash_map({"PROJECT_ENTRY_ID": "/p/project.qpproj::1"}),
            self.text("EOF"),
        ]

    def file(self, children, version=3, tma_grid=None):
        return write_stream(self.records(children, version, tma_grid))

    def every_kind(self):
        """Return a file with every kind of object, ROI and measurement list, and odd texts."""
        tumor, positive = self.path_class("Tumor", (200, 0, 0)), self.path_class("Tumor: Positive", (255, 80, 80))
        holed = Polygon([(0, 0), (60, 0), (60, 60), (0, 60)], [[(10, 10), (20, 10), (20, 20)]])
        triangle = [(1.5, 2.25), (30.0, 4.0), (12.0, 40.5)]
        numbers = {"area": 1.5, "nan": math.nan, "inf": math.inf}
        some_id = (str(uuid.UUID(int=i)) for i in range(1, 100))
        cell = self.path_object(
            "PathCell",
            self.vertices_roi("Polygon", triangle),
            object_id=next(some_id),
            nucleus=self.box_roi("Ellipse", 5, 5, 9, 9),
            measurements=self.numeric_list("F", {"mean": 0.1}, spare=3),
            path_class=positive,
        )
        parent = self.path_object(
            "PathAnnotation",
            self.geometry_roi(holed),
            object_id=next(some_id),
            name="région Ω 区域 😀 \0 \ud83d",
            metadata={"ANNOTATION_DESCRIPTION": "a\nb", "reviewer": "ab"},
            measurements=self.general_list(numbers),
            children=[cell],
            is_locked=True,
            path_class=tumor,
            probability=0.62,
            color=-16711936,
        )
        core = self.path_object(
            "TMACore", self.box_roi("Ellipse", 0, 0, 300, 200), object_id=next(some_id), name="A-1", is_missing=True
        )
        others = [
            self.path_object(kind, roi, object_id=next(some_id), **options)
            for kind, roi, options in (
                ("PathDetection", self.vertices_roi("Polygon", triangle), {"measurements": self._wrapped(numbers)}),
                ("PathTile", self.box_roi("Rectangle", 0, 0, 64, 64, (0, 2, 1)), {}),
                ("PathAnnotation", self.vertices_roi("Points", [(3, 4), (5, 6)]), {"path_class": tumor}),
                ("PathAnnotation", self.vertices_roi("Points", [(3, 4)]), {}),
                ("PathAnnotation", self.vertices_roi("Polyline", triangle), {}),
                ("PathAnnotation", self.box_roi("Line", 1, 2, 3, 4), {}),
                ("PathAnnotation", self.geometry_roi(Point(1, 2).buffer(5)), {"path_class": tumor}),
            )
        ]
        return self.file([parent, core, *others])

    def _wrapped(self, numbers):
        return self.numeric_list("D", numbers, is_wrapped=True)


@pytest.fixture(scope="session")
def new_lab():
    """Make a new workshop; nodes of one must not be used in two files of another."""
    return Lab


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture(scope="session")
def every_kind():
    """The bytes of a file with every kind of object."""
    return Lab().every_kind()


@pytest.fixture(scope="session")
def real_files(shared_data):
    """The whole ``data.qpdata`` files of real QuPath, by project and image."""
    found = {
        f"{path.parts[-4]}/{path.parts[-2]}": path.read_bytes()
        for folder in ("qupath_projects", "qupath/qupath_to_lmd")
        for path in sorted((shared_data / folder).glob("*/data/*/data.qpdata"))
    }
    cut = ("interrupted_save_070/1", "truncated_no_backup_070/1")
    assert len(found) > 20
    return {name: data for name, data in found.items() if name not in cut}
