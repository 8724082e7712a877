"""Which slides are annotated when, and which of them validate: stratified, the same for all repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.simulation.options import SplitOptions
from models.simulation.slide import SimulatedSlide


@dataclass(frozen=True, slots=True)
class Split:
    """Slide keys.

    Parameters
    ----------
    subsets
        Disjoint and of about equal size; cycle c annotates subset c mod their number. Each holds training and
        validation slides in about the same mixture.
    validation
        Those that choose weights; all others train.
    """

    subsets: tuple[tuple[str, ...], ...]
    validation: frozenset[str]


def split_slides(slides: Sequence[SimulatedSlide], options: SplitOptions) -> Split:
    """Share slides out; independent of their order.

    Each group's slides are shuffled, and the first of them validate: so many that of all groups so far it is
    ``validation_share`` (rounded; one slide at least trains), for a group of one slide has no share of its own. Then
    all are dealt to the subsets like cards, the validation slides first, group after group: sizes differ by one at
    most, each group and the validation are spread as evenly as can be, and the first subset has some of both. There are
    at most as many subsets as slides that train: each has one of those.
    """
    generator = np.random.default_rng(options.seed)
    training: list[str] = []
    validation: list[str] = []
    seen = 0
    for group in sorted({slide.group for slide in slides}):
        keys = sorted(slide.key for slide in slides if slide.group == group)
        shuffled = [keys[i] for i in generator.permutation(len(keys))]
        seen += len(keys)
        count = min(round(options.validation_share * seen), len(slides) - 1) - len(validation)
        validation += shuffled[:count]
        training += shuffled[count:]
    count = min(options.subsets, len(training))
    dealt = [*validation, *training]
    return Split(tuple(tuple(dealt[first::count]) for first in range(count)), frozenset(validation))
