"""What a person said in a file that nobody could make sense of: a line for each, with the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bridge.annotations.ownership import is_named_as_written
from bridge.annotations.roles import Fate, Outcome, Reconciliation, Role
from bridge.annotations.scheme import ClassScheme, LabelOptions
from bridge.annotations.source import MachineRole

__all__ = ["NO_AREA", "only_points", "unread_lines"]

_REGION = "Region*"  # QuPath's own class for an area; it stands beside the tissues in every project's list


NO_AREA = "points and lines have no area to learn from: outline such objects, then add the class to [classes.colors]"


def only_points(reconciled: Reconciliation) -> frozenset[str]:
    """Return the classes unknown to the scheme of which there are only points and lines."""
    others = [o for o in reconciled.of(Role.OTHER) if o.path_class is not None]
    with_area = {o.path_class for o in others if o.annotation.shape.is_area}
    return frozenset(name for name in reconciled.unknown if name not in with_area)


def unread_lines(reconciled: Reconciliation, scheme: ClassScheme, labels: LabelOptions) -> list[str]:
    """Return a line for each class that the scheme lacks, and for each Text of a box that is no answer."""
    return [*_classes(reconciled, labels), *_answers(reconciled, scheme, labels)]


def _classes(reconciled: Reconciliation, labels: LabelOptions) -> Iterator[str]:
    without_area = only_points(reconciled)
    for name, count in sorted(reconciled.unknown.items()):
        way_out = NO_AREA if name in without_area else "add it to [classes.colors] or [classes.map]"
        if name == _REGION:
            listed = ", ".join(f'"{one}"' for one in (*labels.roi_classes, _REGION))
            way_out = f"if all in it is labelled, let it count as an ROI: [labels] roi_classes = [{listed}]"
        yield f"{count} {'object' if count == 1 else 'objects'} of class {name!r} kept as other; {way_out}"


def _answers(reconciled: Reconciliation, scheme: ClassScheme, labels: LabelOptions) -> Iterator[str]:
    texts = Counter(o.annotation.name for o in reconciled.outcomes if o.annotation is not None and _is_no_answer(o))
    answers = ", ".join((*labels.roi_classes, *labels.ignore_classes, *scheme.names))
    for text, count in sorted((str(text), count) for text, count in texts.items()):
        says = "the Text of a box says" if count == 1 else f"the Texts of {count} boxes say"
        yield f"{says} {text!r}, which is no answer; answers are {answers}"


def _is_no_answer(outcome: Outcome) -> bool:
    """Say whether a person typed something into a box's Text (ImageScope) that left it open."""
    box, written = outcome.annotation, outcome.written
    is_box = outcome.fate is Fate.OPEN and written.role is MachineRole.PROPOSAL
    is_typed = box is not None and box.layer is not None and bool(box.name) and not is_named_as_written(box, written)
    return is_box and is_typed
