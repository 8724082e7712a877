"""How well a model does on the test slides: intersection over union, slide by slide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL
from models.errors import TrainingDataError
from models.simulation.learner import Learned
from models.simulation.slide import SimulatedSlide


def predicted_labels(probabilities: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the likeliest class of each cell; of equal ones the last, so that two classes are told by p ≥ ½.

    Parameters
    ----------
    probabilities
        Shape (classes, rows, columns).
    """
    last = probabilities.shape[0] - 1
    return np.asarray(last - probabilities[::-1].argmax(axis=0), np.uint8)


def slide_iou(slide: SimulatedSlide, labels: NDArray[np.uint8], n_classes: int) -> list[float | None]:
    """Return the IoU of each class but background on one slide; None of a class that the slide doesn't hold.

    Parameters
    ----------
    labels
        Of the cells; every part of a cell is judged as it.
    """
    predicted = labels.repeat(slide.parts, axis=0).repeat(slide.parts, axis=1)
    predicted = np.where(slide.truth == IGNORE_LABEL, IGNORE_LABEL, predicted)
    found: list[float | None] = []
    for label in range(1, n_classes):
        is_true, is_predicted = slide.truth == label, predicted == label
        union = np.count_nonzero(is_true | is_predicted)
        found.append(np.count_nonzero(is_true & is_predicted) / union if is_true.any() else None)
    return found


def judged(learned: Learned, slides: Sequence[SimulatedSlide], classes: Sequence[str]) -> dict[str, float]:
    """Return class → mean IoU of the slides that hold it, for the classes that any slide holds.

    Parameters
    ----------
    classes
        Names by label; the first is background and isn't judged.

    Raises
    ------
    TrainingDataError
        No slide holds any class.
    """
    rows = [slide_iou(slide, predicted_labels(learned.probabilities(slide.key)), len(classes)) for slide in slides]
    columns = {name: [row[i] for row in rows if row[i] is not None] for i, name in enumerate(classes[1:])}
    scores = {name: float(np.mean(np.asarray(held, np.float64))) for name, held in columns.items() if held}
    if not scores:
        raise TrainingDataError(f"no test slide holds {' or '.join(classes[1:])}: name test slides that do")
    return scores
