"""Names of many areas and shapes at once are those of each."""

from __future__ import annotations

import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations.labels import area_key, area_keys, shape_keys
from bridge.annotations.plan import LabelledShape

COORDINATES = st.one_of(
    st.integers(-9, 99_999).map(float),
    st.integers(-9, 9_999).map(lambda value: value + 0.5),
    st.floats(-0.6, 1e5, allow_nan=False),
)


@st.composite
def boxes(draw: st.DrawFn) -> shapely.Polygon:
    x, y = draw(COORDINATES), draw(COORDINATES)
    return shapely.box(x, y, x + draw(st.floats(0.25, 500)), y + draw(st.floats(0.25, 500)))


@given(areas=st.lists(boxes(), max_size=6))
@settings(max_examples=80, deadline=None)
def test_keys_taken_at_once_are_those_of_each(areas: list[shapely.Polygon]) -> None:
    shapes = [LabelledShape(area, place % 3) for place, area in enumerate(areas)]
    assert area_keys(areas) == [area_key(area) for area in areas]
    assert shape_keys(shapes) == [name for shape in shapes for name in shape_keys([shape])]
