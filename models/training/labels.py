"""Whether there are labels enough to train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.annotations import ClassScheme
from models.data import SlideIndex
from models.errors import TrainingDataError


def require_labels(labels: Mapping[str, set[int]], scheme: ClassScheme, min_labels: int) -> None:
    """Refuse to train on too few different labels; background counts where an ROI says what it is.

    Parameters
    ----------
    labels
        Slide key → labels that train there.

    Raises
    ------
    TrainingDataError
        Says what there is, and what would mend it.
    """
    found = sorted({label for there in labels.values() for label in there})
    if len(found) >= min_labels:
        return
    names = ", ".join(scheme.names[label] for label in found) or "nothing"
    slides = "1 slide" if len(labels) == 1 else f"{len(labels)} slides"
    raise TrainingDataError(
        f"fewer than {'two' if min_labels == 2 else min_labels} labels to train on: {names} on {slides};"
        " label all that is in one proposed box, and set its class (in ImageScope its Text) to ROI"
    )


def labels_of(indices: Sequence[SlideIndex]) -> dict[str, set[int]]:
    """Return the labels that each slide's index holds."""
    return {index.slide_key: set(index.positions) for index in indices}
