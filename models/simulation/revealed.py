"""What is annotated so far: boxes and patch labels by slide, and the model that learns from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np

from models.active import MapBox
from models.simulation.area import annotated_share, times_in
from models.simulation.learner import Learned, Learner
from models.simulation.slide import SimulatedSlide, Times
from models.simulation.split import Split


class Revealed:
    """Boxes of the slides of one run, in the order in which they were annotated.

    Parameters
    ----------
    slides
        All that are annotated.
    split
        Which of them validate.
    """

    def __init__(self, slides: Sequence[SimulatedSlide], split: Split) -> None:
        self._slides = {slide.key: slide for slide in slides}
        self._split = split
        self._boxes: dict[str, list[MapBox]] = {key: [] for key in self._slides}
        self._drawn_boxes: dict[str, list[MapBox]] = {key: [] for key in self._slides}
        self._labels: dict[str, list[tuple[MapBox, int]]] = {key: [] for key in self._slides}

    @classmethod
    def everything(cls, slides: Sequence[SimulatedSlide], split: Split) -> Self:
        """Return all slides, each annotated as one box."""
        whole = cls(slides, split)
        whole.add({slide.key: [MapBox(0, 0, slide.shape[1], slide.shape[0])] for slide in slides}, {})
        return whole

    def add(
        self,
        boxes: Mapping[str, Sequence[MapBox]],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
    ) -> None:
        """Reveal more boxes; of those with a patch label nothing but that, until they are selected again and drawn."""
        for key, found in boxes.items():
            labelled = {box for box, _ in patch_labels.get(key, ())}
            self._boxes[key] += found
            self._drawn_boxes[key] += [box for box in found if box not in labelled]
        for key, labels in patch_labels.items():
            self._labels[key] += labels

    @property
    def share(self) -> float:
        """Of all tissue, what boxes cover; a box with a patch label covers like any other."""
        return annotated_share(list(self._slides.values()), self._boxes)

    def boxes(self, key: str) -> tuple[MapBox, ...]:
        """Return the boxes of a slide."""
        return tuple(self._boxes[key])

    def is_covered(self, key: str, box: MapBox, others: Sequence[MapBox] = ()) -> bool:
        """Say whether everything inside a box is drawn already, there or in some other boxes."""
        shape = self._slides[key].shape
        times = np.maximum(self._drawn(key), times_in(others, shape))
        return bool((times[box.y : box.y + box.height, box.x : box.x + box.width] > 0).all())

    def learn(self, learner: Learner, seed: int) -> Learned:
        """Train on it, from scratch; errors as `Learner.learn`."""
        validation = self._split.validation
        return learner.learn(
            self._drawn_of(key for key in self._slides if key not in validation),
            self._drawn_of(key for key in self._slides if key in validation),
            {key: tuple(labels) for key, labels in self._labels.items() if labels},
            seed=seed,
        )

    def _drawn_of(self, keys: Iterable[str]) -> dict[str, Times]:
        return {key: self._drawn(key) for key in keys}

    def _drawn(self, key: str) -> Times:
        return times_in(self._drawn_boxes[key], self._slides[key].shape)
