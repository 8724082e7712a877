"""The interface of whoever learns from what the simulation has revealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.active import MapBox
from models.simulation.slide import Times


class Learned(Protocol):
    """A model as one cycle's training left it."""

    def probabilities(self, key: str) -> NDArray[np.float32]:
        """Return each class's probability in each cell of a slide, shape (classes, rows, columns).

        Cells without tissue are background, class 0, for sure.
        """
        ...


class Learner(Protocol):
    """Trains a model from scratch on what is revealed; knows the slides."""

    def learn(
        self,
        revealed: Mapping[str, Times],
        validation: Mapping[str, Times],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
        *,
        seed: int,
    ) -> Learned:
        """Train.

        Parameters
        ----------
        revealed
            Slide key → how many boxes reveal each cell, of the slides that train. 0: not known; more than 1, where
            boxes may be selected again: learned from so much more often.
        validation
            The same of the slides that choose among the states of a training.
        patch_labels
            Slide key → boxes of which only the main class is known.
        seed
            Of all chance: the same arguments give the same model.

        Raises
        ------
        TrainingDataError
            No cell is revealed to train on.
        """
        ...
