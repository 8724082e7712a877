"""How predictions and proposals are drawn; that they are read back is shown in test_edit.py."""

from __future__ import annotations

import math

import pytest
import shapely
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from bridge.annotations import Annotation, Edits, MachineObject, MachineRole, Shape
from bridge.errors import InvalidGeometryError
from bridge.qupath.create import create_qpdata
from bridge.qupath.edit import apply_edits
from bridge.qupath.read import read_qpdata

_ID = "0a0a0a0a-0000-4000-8000-000000000001"


def _drawn(geometry, role: MachineRole = MachineRole.PREDICTION, **options) -> Annotation:
    first = create_qpdata({}, file_path="/p/1", project_path="/p", entry_id="1")
    item = MachineObject(_ID, role, "Tumor: Predicted", geometry, (200, 0, 0), **options)
    (found,) = read_qpdata(apply_edits(first, Edits("m", add=(item,)))).annotations
    return found


@pytest.mark.parametrize(
    "geometry",
    [Polygon(), GeometryCollection([Point(1, 2)]), Polygon([(0, 0), (1, math.inf), (1, 1)]), Point(math.nan, 1)],
)
def test_geometry_that_qupath_cannot_hold_is_refused(geometry) -> None:
    with pytest.raises(InvalidGeometryError, match=_ID):
        _drawn(geometry)


def test_predictions_far_out_keep_to_float32(lab) -> None:
    far = box(180_000.123, 90_000.456, 180_100.789, 90_100.5)
    assert shapely.hausdorff_distance(_drawn(far).geometry, far) < 0.02, "float32 steps are 1/64 px out there"


def test_a_multipolygon_of_one_is_a_polygon() -> None:
    single = MultiPolygon([box(0, 0, 5, 5)])
    found = _drawn(single)
    assert found.shape is Shape.POLYGON and found.geometry.equals(box(0, 0, 5, 5))


def test_a_hole_that_rounding_would_spoil_is_snapped() -> None:
    sliver = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(0.004, 5), (5, 4.996), (5, 5.004)]])
    found = _drawn(sliver)
    assert found.geometry.is_valid and found.geometry.area == pytest.approx(100, abs=0.2)


def test_a_line_is_kept_as_well() -> None:
    assert _drawn(LineString([(0, 0), (3, 4.5)])).geometry.equals(LineString([(0, 0), (3, 4.5)]))


def test_a_proposal_is_a_locked_rectangle_whatever_the_options_say() -> None:
    found = _drawn(box(1.234, 2, 3, 4.567), MachineRole.PROPOSAL, is_editable=False, name="#1 uncertain, 0.41")
    assert (found.shape, found.is_locked, found.kind.value) == (Shape.RECTANGLE, True, "annotation")
    assert found.geometry.bounds == (1.23, 2, 3, 4.57) and found.name == "#1 uncertain, 0.41"
