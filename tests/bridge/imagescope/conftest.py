"""What the tests of this room share: real files, small generated ones, and a stand-in for ImageScope's own save."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from shapely.geometry import MultiPolygon, Point, box

from bridge.annotations import MachineObject, MachineRole

DATA = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
REAL_FILES = sorted([*DATA.glob("aperio_xml/*/*.xml"), *DATA.glob("segmentation/monuseg/**/*.xml")])


SMALL_FILES = [path for path in REAL_FILES if path.stat().st_size < 200_000]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    absent = pytest.param(None, marks=pytest.mark.skip(reason="real files are not beside this checkout"))
    for name, files in (("real_file", REAL_FILES), ("small_real_file", SMALL_FILES)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, files or [absent], ids=lambda path: path.stem if path else "absent")


Ring = Iterable[tuple[object, object]]


@pytest.fixture(scope="session")
def region_xml() -> Callable[..., str]:
    """One region: vertices and whatever attributes are asked for."""

    def build(vertices: Ring, **attributes: object) -> str:
        text = "".join(f' {key}="{value}"' for key, value in attributes.items())
        points = "\n".join(f'          <Vertex X="{x}" Y="{y}"/>' for x, y in vertices)
        return f"      <Region{text}>\n        <Vertices>\n{points}\n        </Vertices>\n      </Region>\n"

    return build


@pytest.fixture(scope="session")
def file_xml() -> Callable[..., bytes]:
    """A file in the older dialect: layers as name → regions, ids counted from 1."""

    def build(layers: dict[str, Iterable[str]], mpp: str = "0.25", color: int = 65280) -> bytes:
        parts = [f'<Annotations MicronsPerPixel="{mpp}">\n']
        for i, (name, regions) in enumerate(layers.items(), 1):
            parts.append(f'  <Annotation Id="{i}" Name="{name}" Type="4" LineColor="{color}">\n    <Regions>\n')
            parts += [*regions, "    </Regions>\n    <Plots/>\n  </Annotation>\n"]
        return "".join([*parts, "</Annotations>"]).encode()

    return build


@pytest.fixture(scope="session")
def square() -> Callable[..., list[tuple[int, int]]]:
    """Four corners of a square, not closed."""

    def build(x: int, y: int, side: int) -> list[tuple[int, int]]:
        return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]

    return build


@pytest.fixture(scope="session")
def machine_objects() -> tuple[MachineObject, ...]:
    """Predictions of two classes, one with a hole, one in two parts, and a proposal."""
    ring = Point(500.4, 500.6).buffer(100.3).difference(Point(510, 510).buffer(30))
    parts = MultiPolygon([box(0, 0, 10, 10), box(20, 20, 30, 30)])
    prediction, proposal = MachineRole.PREDICTION, MachineRole.PROPOSAL
    return (
        MachineObject("a", prediction, "Tumor: Predicted", ring, (255, 0, 0), probability=0.875),
        MachineObject("b", prediction, "Tumor: Predicted", parts, (255, 0, 0)),
        MachineObject("c", prediction, "Läsion & <α>: Predicted", box(5, 5, 90, 40), (1, 2, 3), name='say "ö"'),
        MachineObject("d", proposal, "Proposed", box(10, 10, 522, 522), (0, 0, 255), name="#1 uncertain Tumor, 0.41"),
    )


@pytest.fixture(scope="session")
def saved_by_imagescope() -> Callable[..., bytes]:
    """Write a file anew as another program would, keeping what it must: layers, names, colours, layer attributes.

    Ids, attribute order, number format, indentation and line ends change; what a region carries besides its known
    attributes is dropped. ``renumber`` gives regions ids from 1 in each layer, so that ``InputRegionId`` goes stale or
    even names another region.
    """

    def save(data: bytes, *, renumber: bool = True, number: str = "{:.6f}") -> bytes:
        root = ElementTree.fromstring(data)
        for layer_id, layer in enumerate(root.iter("Annotation"), 30_000):
            layer.set("Id", str(layer_id))
            layer.attrib = dict(sorted(layer.attrib.items()))
            for region_id, region in zip(itertools.count(1), layer.iter("Region")):
                for element in region.findall("Attributes"):
                    element.clear()
                if renumber:
                    region.set("Id", str(region_id))
                region.attrib = dict(sorted(region.attrib.items()))
        for vertex in root.iter("Vertex"):
            x, y = (float(vertex.get(axis, "")) for axis in "XY")
            vertex.attrib = {"Y": number.format(y), "X": number.format(x)}
        ElementTree.indent(root, "  ")
        return ElementTree.tostring(root, "unicode").replace("\n", "\r\n").encode()

    return save
