"""Staining and scanning: stain densities → RGB, differently per centre and slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.experiments.chance import SmoothField, key_of, normal
from scripts.experiments.frame import Frame
from scripts.experiments.options import SlideOptions
from scripts.experiments.tissues import palette

_TURN = 0.06  # sd of a stain direction's coordinates between centres; slides of one centre differ by a third of it
_STRENGTH = 0.12  # sd of a stain's log strength between centres
_WHITE = 3.0  # sd of the glass's RGB between centres, of 255
_WITHIN = 1 / 3  # slides of one centre differ by this share of what centres differ by
_LIGHT = 0.012  # sd of the light over a slide
_LIGHT_UM = 1500.0
_GRAIN = 1.3  # sd of the camera's noise, of 255


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How one slide turns densities into colours.

    Parameters
    ----------
    stains
        Optical densities of the two stains, each of unit length times the stain's strength, shape (2, 3).
    white
        RGB of glass.
    seed
        Of the light and the camera's noise.
    """

    stains: NDArray[np.float32]
    white: NDArray[np.float32]
    seed: int

    def render(
        self, densities: NDArray[np.float32], ink: NDArray[np.float32] | None, frame: Frame
    ) -> NDArray[np.uint8]:
        """Return RGB of densities (h, w, 2), with the optical density of ink (h, w, 3) on top if there is any."""
        optical = densities.reshape(-1, 2) @ self.stains
        optical = optical.reshape(*frame.shape, 3)
        if ink is not None:
            optical += ink
        light = 1 + _LIGHT * SmoothField(key_of(self.seed, "light"), _LIGHT_UM).grid(frame.xs_um, frame.ys_um)
        rgb = np.exp(-optical) * (self.white * light[..., None])
        rgb += _GRAIN * normal(key_of(self.seed, "grain"), frame.columns[None, :], frame.rows[:, None])[..., None]
        return np.asarray(np.clip(rgb + 0.5, 0, 255), dtype=np.uint8)


def draw_look(options: SlideOptions) -> Look:
    """Draw a slide's look: its centre's, moved a little by the slide's own chance."""
    measured = palette()
    center = _moves(f"center/{options.center}", 0)
    own = _moves("slide", options.seed)
    moves = options.stain_variation * (center + _WITHIN * own)
    stains = measured.stains + _TURN * moves[:6].reshape(2, 3)
    stains = np.clip(stains, 0.02, None)
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    stains *= np.exp(_STRENGTH * moves[6:8])[:, None]
    white = np.clip(measured.white + _WHITE * moves[8:11], 215, 252)
    return Look(stains.astype(np.float32), white.astype(np.float32), options.seed)


def _moves(stream: str, seed: int) -> NDArray[np.float64]:
    places = np.arange(11)
    return normal(key_of(seed, f"look/{stream}"), places, places).astype(np.float64)
