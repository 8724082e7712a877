"""What happens to sections: folds, and a marker's strokes on the glass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scripts.experiments.chance import Floats, SmoothField, key_of, uniform
from scripts.experiments.frame import Frame
from scripts.experiments.options import SlideOptions, TumourOptions

_FOLD_UM, _PEN_UM = 18.0, 150.0  # half widths
_THICKER = 0.85
_INK = np.array([1.3, 0.75, 0.18], dtype=np.float32)  # optical density of a blue marker


class Artefacts:
    """The artefacts of one slide: bands along lines that bend."""

    def __init__(self, slide: SlideOptions, tumour: TumourOptions) -> None:
        self._slide, self._tumour = slide, tumour

    def folds(self, frame: Frame) -> NDArray[np.float32]:
        """Return the factor of thickness."""
        thickness = np.ones(frame.shape, dtype=np.float32)
        for number in range(self._tumour.folds):
            thickness += _THICKER * self._band("fold", number, _FOLD_UM, 4.0, frame)
        return thickness

    def ink(self, frame: Frame) -> NDArray[np.float32] | None:
        """Return the ink's optical density; None where no stroke passes."""
        cover = np.zeros(frame.shape, dtype=np.float32)
        for number in range(self._tumour.pen_marks):
            cover = np.maximum(cover, self._band("pen", number, _PEN_UM, 12.0, frame))
        return cover[..., None] * _INK if cover.any() else None

    def _band(self, stream: str, number: int, half_um: float, soft_um: float, frame: Frame) -> NDArray[np.float32]:
        """Return 1 in a band, 0 outside, between them a slope of ``soft_um``."""
        chance = uniform(key_of(self._slide.seed, f"{stream}/{number}"), np.arange(3), np.arange(3))
        angle = np.pi * chance[0]
        x, y = frame.xs_um[None, :] - self._middle(0, chance[1]), frame.ys_um[:, None] - self._middle(1, chance[2])
        across = -x * np.sin(angle) + y * np.cos(angle)
        bend = SmoothField(key_of(self._slide.seed, f"{stream}/{number}/bend"), 400.0).grid(frame.xs_um, frame.ys_um)
        distance = np.abs(across + 60 * bend)
        return np.asarray(np.clip((half_um - distance) / soft_um + 0.5, 0, 1), dtype=np.float32)

    def _middle(self, axis: int, chance: Floats) -> float:
        size = (self._slide.width_px, self._slide.height_px)[axis] * self._slide.mpp
        return float(size * (0.25 + 0.5 * chance))
