"""Where QuPath's (0, 0) lies: every pairing of arguments, bounds and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.coords import Pyramid, Region
from bridge.errors import SlideError
from bridge.slides import open_slide
from bridge.slides.base import Slide
from bridge.slides.frame import stated_bounds, tool_corner
from scn_support import PART, WHOLE, write_scn


class StatedSlide(Slide):
    """Has a size and says its bounds; nothing is read."""

    def __init__(self, size: tuple[int, int], properties: Mapping[str, str]) -> None:
        super().__init__(Path("case.mrxs"), Pyramid((size,), (1.0,), None), properties)

    def read_level(self, level, x, y, width, height):
        raise AssertionError("nothing is read to find a corner")

    def close(self) -> None:
        pass


def _bounds(*values: object) -> dict[str, str]:
    return {f"openslide.bounds-{k}": str(v) for k, v in zip(("x", "y", "width", "height"), values, strict=True)}


@pytest.mark.parametrize(
    ("crops", "size", "corner"),
    [
        (True, (500, 300), (40, 30)),  # what QuPath does today
        (True, None, (40, 30)),  # its metadata left out: the arguments decide
        (True, (900, 700), (0, 0)),  # the whole slide: saved by a QuPath that never cropped
        (False, (900, 700), (0, 0)),  # --no-crop, or Bio-Formats
        (False, None, (0, 0)),
    ],
)
def test_corner(crops: bool, size, corner: tuple[int, int]) -> None:
    slide = StatedSlide((900, 700), _bounds(40, 30, 500, 300))
    assert tool_corner(slide, crops_to_bounds=crops, tool_size=size) == corner


@pytest.mark.parametrize(
    ("crops", "size"), [(True, (500, 301)), (True, (700, 900)), (False, (500, 300)), (False, (899, 700))]
)
def test_sizes_that_fit_nothing_are_refused_with_the_way_out(crops: bool, size: tuple[int, int]) -> None:
    slide = StatedSlide((900, 700), _bounds(40, 30, 500, 300))
    with pytest.raises(SlideError, match=r"900 × 700, its scanned part 500 × 300.*offset_of") as caught:
        tool_corner(slide, crops_to_bounds=crops, tool_size=size)
    assert f"{size[0]} × {size[1]}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_slide_of_the_same_name_is_refused() -> None:
    with pytest.raises(SlideError, match="another slide"):
        tool_corner(StatedSlide((900, 700), {}), crops_to_bounds=True, tool_size=(2000, 1000))


def test_bounds_that_reach_over_the_slide_are_taken_as_stated() -> None:
    """QuPath adds the stated corner, whatever the size."""
    slide = StatedSlide((900, 700), _bounds(-8, 30, 1000, 300))
    assert stated_bounds(slide.properties) == Region(-8, 30, 1000, 300)
    assert tool_corner(slide, crops_to_bounds=True, tool_size=(1000, 300)) == (-8, 30)


@pytest.mark.parametrize(
    "properties",
    [{}, _bounds(1, 2, 3, "x"), _bounds(1, 2, 0, 3), _bounds(1.5, 2, 3, 4), {"openslide.bounds-x": "1"}],
)
def test_without_four_whole_numbers_there_are_no_bounds(properties: Mapping[str, str]) -> None:
    assert stated_bounds(properties) is None
    assert tool_corner(StatedSlide((9, 7), properties), crops_to_bounds=True, tool_size=(9, 7)) == (0, 0)


def test_a_scn_slide_states_its_bounds(tmp_path: Path) -> None:
    write_scn(tmp_path / "a.scn")
    with open_slide(tmp_path / "a.scn") as slide:
        assert slide.pyramid.dimensions[0] == WHOLE
        assert stated_bounds(slide.properties) == Region(*PART)
        assert tool_corner(slide, crops_to_bounds=True, tool_size=PART[2:]) == PART[:2]
