"""Whose mpp is believed."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import MissingResolutionError
from bridge.slides.resolution import believable_mpp, choose_mpp, usable_mpp

ORDER = ("per_slide", "tool", "slide", "annotation_file", "default")
UNKNOWN = (None, 0, -1.0, math.nan, math.inf, (0.0, 0.0), (0.25, math.nan), (-1.0, 0.25))


@pytest.mark.parametrize(("first", "second"), list(pairwise(ORDER)))
def test_order_of_belief(first: str, second: str) -> None:
    assert choose_mpp("a", **{first: 0.25, second: (0.26, 0.26)}).mpp == (0.25, 0.25)  # type: ignore[arg-type]


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_what_means_unknown_is_passed_over(unknown: float) -> None:
    resolution = choose_mpp("a", per_slide=unknown, tool=unknown, slide=unknown, annotation_file=0.5)
    assert resolution == ((0.5, 0.5), ())


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_nobody_knows(unknown: float) -> None:
    with pytest.raises(MissingResolutionError, match=r"12\.svs has no mpp.*\[slides\] mpp"):
        choose_mpp("12.svs", slide=unknown, default=unknown)


def test_default_is_used_last_and_silently() -> None:
    assert choose_mpp("a", default=0.5) == ((0.5, 0.5), ())
    assert choose_mpp("a", slide=0.25, default=0.5) == ((0.25, 0.25), ())


def test_disagreement_over_five_percent_is_reported() -> None:
    _, warnings = choose_mpp("12.svs", tool=0.25, slide=0.5, annotation_file=0.252)
    assert warnings == ("slide 12.svs: QuPath's calibration says 0.25 µm per pixel, the slide 0.5; 0.25 is used",)
    assert choose_mpp("a", tool=0.2, slide=0.2 * 1.049).warnings == ()
    assert len(choose_mpp("a", tool=0.2, slide=(0.2, 0.2 * 1.051)).warnings) == 1


def test_pixels_that_are_not_square_are_reported() -> None:
    assert choose_mpp("a", slide=(0.25, 0.252)).warnings == ()
    (warning,) = choose_mpp("a", slide=(0.25, 0.26)).warnings
    assert "0.25 × 0.26" in warning


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_usable_is_finite_and_positive(value: float) -> None:
    usable = usable_mpp((value, 1.0))
    assert (usable is not None) == (math.isfinite(value) and value > 0)
    assert usable in (None, (value, 1.0))


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600])
def test_print_resolutions_are_not_believed(dpi: int) -> None:
    assert believable_mpp((25_400 / dpi, 25_400 / dpi)) is None


@pytest.mark.parametrize("mpp", [0.1, 0.25, 0.5, 4.0, 16.0])
def test_microscopes_are_believed(mpp: float) -> None:
    assert believable_mpp((mpp, mpp)) == (mpp, mpp)
