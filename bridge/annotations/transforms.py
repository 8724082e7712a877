"""Turning, mirroring and moving what was drawn on another view of the slide; nothing here is ever done unasked.

A *frame* is (width, height) of a slide in level-0 pixels, x to the right, y downwards. Turns are clockwise as seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from shapely import affinity
from shapely.geometry.base import BaseGeometry

from bridge.annotations.objects import Annotation

Frame = tuple[int, int]


class Turn(Enum):
    """What is done to the objects so that they lie right on the slide."""

    ROTATE_90 = "rotate90"  # clockwise
    ROTATE_180 = "rotate180"
    ROTATE_270 = "rotate270"  # what ImageScope's view of Leica's SCN needs: x' = y, y' = h − x
    FLIP_X = "flip-x"  # left and right
    FLIP_Y = "flip-y"  # top and bottom

    @property
    def inverse(self) -> Turn:
        """The turn that takes it back, in the turned frame."""
        return {Turn.ROTATE_90: Turn.ROTATE_270, Turn.ROTATE_270: Turn.ROTATE_90}.get(self, self)

    @property
    def swaps_sides(self) -> bool:
        """Whether width becomes height."""
        return self in (Turn.ROTATE_90, Turn.ROTATE_270)


def turned_frame(frame: Frame, turn: Turn) -> Frame:
    """Return the frame that a frame becomes.

    Examples
    --------
    >>> turned_frame((100, 40), Turn.ROTATE_90)
    (40, 100)
    """
    return (frame[1], frame[0]) if turn.swaps_sides else frame


def turn_annotations(annotations: Sequence[Annotation], turn: Turn, frame: Frame) -> tuple[Annotation, ...]:
    """Return the annotations turned; everything but geometry and nucleus stays, and so does every area.

    Parameters
    ----------
    frame
        (width, height) of the view they were drawn on, *before* the turn; that afterwards is ``turned_frame``.
    """
    matrix = _matrix(turn, frame)
    return tuple(_changed(annotation, matrix) for annotation in annotations)


def move_annotations(annotations: Sequence[Annotation], offset: tuple[float, float]) -> tuple[Annotation, ...]:
    """Return the annotations moved by (x, y) level-0 pixels."""
    if not any(offset):
        return tuple(annotations)
    matrix = (1.0, 0.0, 0.0, 1.0, *offset)
    return tuple(_changed(annotation, matrix) for annotation in annotations)


def _matrix(turn: Turn, frame: Frame) -> tuple[float, ...]:
    """Return (a, b, d, e, x, y) of x' = a·x + b·y + x, y' = d·x + e·y + y."""
    width, height = frame
    return {
        Turn.ROTATE_90: (0, -1, 1, 0, height, 0),
        Turn.ROTATE_180: (-1, 0, 0, -1, width, height),
        Turn.ROTATE_270: (0, 1, -1, 0, 0, width),
        Turn.FLIP_X: (-1, 0, 0, 1, width, 0),
        Turn.FLIP_Y: (1, 0, 0, -1, 0, height),
    }[turn]


def _changed(annotation: Annotation, matrix: tuple[float, ...]) -> Annotation:
    nucleus = None if annotation.nucleus is None else _transformed(annotation.nucleus, matrix)
    return replace(annotation, geometry=_transformed(annotation.geometry, matrix), nucleus=nucleus)


def _transformed(geometry: BaseGeometry, matrix: tuple[float, ...]) -> BaseGeometry:
    return geometry if geometry.is_empty else affinity.affine_transform(geometry, list(matrix))
