"""What the tests of ``slidebridge convert`` convert, and how they look at what came of it."""

from __future__ import annotations

from pathlib import Path

from shapely.geometry import LineString, Point, box

from bridge.annotations import Annotation, Shape
from bridge.imagescope import read_imagescope

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 255, 0)
SIZE = (700, 500)
RING = Point(400.5, 300).buffer(90).difference(Point(400, 300).buffer(40))
OBJECTS = (
    Annotation("a", box(20, 30, 220, 180), "Tumor", Shape.RECTANGLE, name="first", color=RED),
    Annotation("b", RING, "Stroma", Shape.GEOMETRY, color=BLUE),
    Annotation("c", box(50, 250, 150, 350), "Tumor", name="ünïcode <&> 区域", color=RED),
    Annotation("d", box(300, 20, 420, 90), None, color=GREEN),
    Annotation("e", LineString([(10, 10), (90, 60)]), "Tumor", Shape.ARROW, color=RED),
)
AREAS = {"Tumor": 200 * 150 + 100 * 100, "Stroma": RING.area, None: 120 * 70}


def xml_of(path: Path) -> tuple[Annotation, ...]:
    return read_imagescope(path.read_bytes()).annotations
