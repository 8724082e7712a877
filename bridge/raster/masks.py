"""The two arrays of the middle: what is labelled where, and what a model believes where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window

_PIXELS_AT_ONCE = 2**18  # what stays in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class LabelMask:
    """Label indices over one window.

    Parameters
    ----------
    labels
        uint8, [y, x], of the window's shape. Label i means ``names[i]``; 255 means ignored.
    window
        Which grid pixels the array holds, and the downsample of that grid.
    names
        Class names by label; the first is ``Background``.

    Raises
    ------
    ValueError
        The array is not uint8 or not of the window's shape.
    """

    labels: NDArray[np.uint8]
    window: Window
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8:
            raise ValueError(f"a label mask is uint8, got {self.labels.dtype}; convert it before")
        if self.labels.shape != self.window.shape:
            raise ValueError(f"labels of shape {self.labels.shape} don't fill a window of shape {self.window.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class ProbabilityMap:
    """Class probabilities over one window.

    Parameters
    ----------
    probabilities
        float32, (class, y, x); one plane per name, each of the window's shape.
    window
        Which grid pixels the array holds, and the downsample of that grid.
    names
        Class names, in the order of the planes; the first is ``Background``.

    Raises
    ------
    ValueError
        The array is not float32, or its shape is not (names, window height, window width).
    """

    probabilities: NDArray[np.float32]
    window: Window
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.probabilities.dtype != np.float32:
            raise ValueError(f"a probability map is float32, got {self.probabilities.dtype}; convert it before")
        expected = (len(self.names), *self.window.shape)
        if self.probabilities.shape != expected:
            raise ValueError(f"probabilities of shape {self.probabilities.shape} where {expected} is needed")

    def crop(self, window: Window) -> ProbabilityMap:
        """Return the part under a window that lies inside this one; a view, not a copy.

        Raises
        ------
        ValueError
            The window reaches beyond this one or lies on another grid.
        """
        _check_inside(window, self.window)
        rows, columns = self.window.slices(window)
        return ProbabilityMap(self.probabilities[:, rows, columns], window, self.names)

    def most_probable(self) -> LabelMask:
        """Return the class of highest probability per pixel; of equal ones the first."""
        labels = np.zeros(self.window.shape, np.uint8)
        if self.probabilities.strides[1:] == (0, 0):  # one pixel, shown everywhere
            label = int(self.probabilities[:, 0, 0].argmax())
            if label:  # zeros come from the system for free
                labels[:] = label
            return LabelMask(labels, self.window, self.names)
        rows = max(1, _PIXELS_AT_ONCE // self.window.width)
        for top in range(0, self.window.height, rows):
            _most_probable(self.probabilities[:, top : top + rows], labels[top : top + rows])
        return LabelMask(labels, self.window, self.names)


def _most_probable(planes: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Write the index of the largest plane; a tenth of the time of ``argmax`` along the first axis."""
    largest = planes[0]
    for label in range(1, len(planes)):
        is_larger = planes[label] > largest
        np.maximum(out, is_larger.view(np.uint8) * np.uint8(label), out=out)  # the later label is the larger number
        largest = np.maximum(largest, planes[label])


def _check_inside(inner: Window, outer: Window) -> None:
    if outer.intersection(inner) != inner:
        raise ValueError(f"{inner} does not lie inside {outer}")
