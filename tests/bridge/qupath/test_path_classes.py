from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import QuPathFormatError
from bridge.qupath.java_values import Allowance
from bridge.qupath.path_classes import PathClassReader, argb_of, rgb_of

_byte = st.integers(0, 255)


@settings(deadline=None)
@given(st.tuples(_byte, _byte, _byte), st.integers(-256, 255))
def test_colours_survive_whatever_their_alpha(color, alpha) -> None:
    assert rgb_of(argb_of(color)) == color
    assert -(2**31) <= argb_of(color) < 0
    assert rgb_of((argb_of(color) & 0xFFFFFF) | alpha << 24) == color


def test_full_names(lab) -> None:
    reader = PathClassReader(Allowance(1000))
    assert reader.read(lab.path_class("Tumor: Positive: Strong", (1, 2, 3))) == ("Tumor: Positive: Strong", (1, 2, 3))
    assert reader.read(lab.path_class("Tumor", (9, 9, 9))) == ("Tumor", (1, 2, 3)), "made with the class below it"
    assert reader.read(None) == (None, None)


def test_a_class_without_colour_or_name(lab) -> None:
    reader = PathClassReader(Allowance(1000))
    kind = "qupath.lib.objects.classes.PathClass"
    assert reader.read(lab.object(kind, None, lab.text("Grey"), None)) == ("Grey", None)
    assert reader.read(lab.object(kind, lab.integer(argb_of((1, 2, 3))), None, None)) == (None, (1, 2, 3))
    assert reader.read(lab.integer(3)) == (None, None)


def test_a_class_above_itself_is_refused(lab) -> None:
    loop = lab.object("qupath.lib.objects.classes.PathClass", None, lab.text("A"), None)
    loop.parts[2] = loop
    with pytest.raises(QuPathFormatError, match="above"):
        PathClassReader(Allowance(1000)).read(loop)
