from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scripts.report.pictures import MOST_PATH_CHARS, draw, jpeg_of
from scripts.web.layers import Layer, Outline


def outline(x: float, y: float, size: float, layer: Layer = Layer.EXPERT, note: str = "") -> Outline:
    return Outline(layer, "Tumor", "#c80000", shapely.box(x, y, x + size, y + size), note)


def star(seed: int) -> Outline:
    random = np.random.default_rng(seed)
    angles = np.sort(random.random(400)) * 2 * np.pi
    radii = 1000 + 900 * random.random(400)
    ring = np.column_stack([5000 + radii * np.cos(angles), 5000 + radii * np.sin(angles)])
    return Outline(Layer.PREDICTION, "Tumor", "#c80000", shapely.Polygon(ring))


def test_outlines_of_a_class_are_one_path_and_proposals_each_its_own() -> None:
    found = draw(
        [
            outline(0, 0, 50),
            outline(100, 0, 50),
            outline(0, 100, 40, Layer.PROPOSAL, "1st"),
            outline(0, 200, 40, Layer.PROPOSAL, "2nd"),
        ],
        10.0,
    )
    assert [(s.layer, s.count, s.note) for s in found.shapes] == [
        (Layer.PROPOSAL, 1, "1st"),
        (Layer.PROPOSAL, 1, "2nd"),
        (Layer.EXPERT, 2, ""),
    ]
    assert found.shapes[0].path == "M4 10 4 14 0 14 0 10Z" and found.undrawn == 0


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.builds(
            outline,
            st.floats(0, 9000),
            st.floats(0, 9000),
            st.floats(1, 900),
            st.sampled_from(list(Layer)),
            st.sampled_from(["", "x"]),
        ),
        max_size=60,
    ),
    st.integers(0, 40),
)
def test_paths_are_bounded_and_every_outline_is_accounted_for(outlines: Sequence[Outline], stars: int) -> None:
    everything = [*outlines, *(star(seed) for seed in range(stars))]
    found = draw(everything, 10.0)
    assert sum(len(shape.path) for shape in found.shapes) <= MOST_PATH_CHARS
    assert sum(shape.count for shape in found.shapes) + found.undrawn == len(everything)


def test_too_many_outlines_leave_the_smallest_undrawn() -> None:
    many = [outline(0, 0, 30 + n * 10) for n in range(3000)]
    found = draw(many, 10.0)
    assert 0 < found.undrawn < 3000
    drawn = found.shapes[0].path.count("M")
    assert drawn == 3000 - found.undrawn
    widest = f"{(30 + 2999 * 10) / 10:g}"
    assert found.shapes[0].path.startswith(f"M{widest} 0 ")


def test_an_outline_that_is_too_much_by_itself_leaves_its_room_to_the_others() -> None:
    holes = [shapely.box(x, y, x + 600, y + 600) for x in range(50, 59_000, 700) for y in range(50, 59_000, 700)]
    sieve = shapely.Polygon(shapely.box(0, 0, 60_000, 60_000).exterior, [hole.exterior for hole in holes])
    found = draw([Outline(Layer.EXPERT, "Stroma", "#c80000", sieve), outline(0, 0, 5000)], 190.0)
    assert [shape.count for shape in found.shapes] == [1]
    assert found.undrawn == 1


@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_jpeg_is_small_and_says_nothing_but_pixels(kind: str) -> None:
    random = np.random.default_rng(0)
    flat = np.full((240, 320, 3), (225, 150, 190), np.uint8)
    data = jpeg_of(flat if kind == "flat" else random.integers(0, 256, (240, 320, 3), dtype=np.uint8))
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (320, 240) and not picture.getexif()
        assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert len(data) < 40_000
