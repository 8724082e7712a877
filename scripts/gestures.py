"""How a person answers a box in their tool, as instructions say it: QuPath has classes, ImageScope the row's Text."""

from __future__ import annotations

from scripts.options import SourceKind

_IN_IMAGESCOPE = frozenset({SourceKind.IMAGESCOPE, SourceKind.HAIL})


def answer_with_roi(kind: SourceKind, box: str = "the box") -> str:
    """Return the instruction to say of a box that labelling inside is complete.

    Parameters
    ----------
    kind
        Where the project's annotations live.
    box
        What the box is called in the sentence.

    Examples
    --------
    >>> answer_with_roi(SourceKind.QUPATH)
    "set the box's class to ROI"
    >>> answer_with_roi(SourceKind.IMAGESCOPE, "each box")
    "type ROI into each box's Text"
    """
    return f"type ROI into {box}'s Text" if kind in _IN_IMAGESCOPE else f"set {box}'s class to ROI"
