"""Which mpp a slide has, when several places say it."""

from __future__ import annotations

import math
from typing import NamedTuple

from bridge.errors import MissingResolutionError

Mpp = tuple[float, float]
"""(x, y) µm per level-0 pixel."""

_DISAGREEMENT = 0.05
_ANISOTROPY = 0.01
# A picture saved at "72 dpi" claims 353 µm per pixel. The finest common print and screen setting is 600 dpi (42 µm);
# slide scanners and microscopes stay below that.
_FINEST, _COARSEST = 0.005, 40.0


class Resolution(NamedTuple):
    """The mpp to work with, and one line for each thing that is odd about it."""

    mpp: Mpp
    warnings: tuple[str, ...]


def usable_mpp(mpp: float | Mpp | None) -> Mpp | None:
    """Return (x, y) if both sides are finite and positive, else None (files say 0, −1 and NaN for "unknown")."""
    if mpp is None:
        return None
    x, y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    return (float(x), float(y)) if all(math.isfinite(side) and side > 0 for side in (x, y)) else None


def believable_mpp(mpp: Mpp | None) -> Mpp | None:
    """Return an mpp that a file states only if a microscope could have made it: 0.005 to 40 µm, not 72 dpi."""
    mpp = usable_mpp(mpp)
    if mpp is None or not all(_FINEST <= side <= _COARSEST for side in mpp):
        return None
    return mpp


def choose_mpp(
    slide_name: str,
    *,
    per_slide: float | Mpp | None = None,
    tool: float | Mpp | None = None,
    slide: float | Mpp | None = None,
    annotation_file: float | Mpp | None = None,
    default: float | Mpp | None = None,
) -> Resolution:
    """Choose the mpp of a slide: the first of the arguments, in their order, that is finite and positive.

    Each is µm per level-0 pixel, one number for both sides or (x, y); None, 0, negative and NaN mean unknown.

    Parameters
    ----------
    slide_name
        For the messages.
    per_slide
        The user's setting for this slide.
    tool
        QuPath's calibration.
    slide
        ``Slide.pyramid.mpp``.
    annotation_file
        ImageScope's ``MicronsPerPixel``; often 0, sometimes a constant that some program always writes.
    default
        ``[slides] mpp``: only a fallback, so its disagreement is not reported.

    Returns
    -------
    Resolution
        The mpp, and a warning for each source that disagrees with it by more than 5 % and for pixels that are not
        square by more than 1 %.

    Raises
    ------
    MissingResolutionError
        Nobody knows it; the message tells what to set.

    Examples
    --------
    >>> choose_mpp("a.svs", slide=(0.25, 0.25), annotation_file=0.252)
    Resolution(mpp=(0.25, 0.25), warnings=())
    >>> choose_mpp("a.svs", slide=(0.25, 0.25), annotation_file=0.5).warnings
    ('slide a.svs: the slide says 0.25 µm per pixel, the annotation file 0.5; 0.25 is used',)
    """
    stated = (
        ("its setting", usable_mpp(per_slide)),
        ("QuPath's calibration", usable_mpp(tool)),
        ("the slide", usable_mpp(slide)),
        ("the annotation file", usable_mpp(annotation_file)),
    )
    known = [(who, mpp) for who, mpp in stated if mpp is not None]
    if not known and (fallback := usable_mpp(default)) is not None:
        known = [("[slides] mpp", fallback)]
    if not known:
        raise MissingResolutionError(
            f"slide {slide_name} has no mpp (µm per pixel); set [slides] mpp, name the slide in [slides] mpp_of,"
            " or calibrate it in QuPath"
        )
    who, mpp = known[0]
    warnings = [
        f"slide {slide_name}: {who} says {_text(mpp)} µm per pixel, {other} {_text(theirs)}; {_text(mpp)} is used"
        for other, theirs in known[1:]
        if _apart(mpp, theirs) > _DISAGREEMENT
    ]
    if abs(mpp[0] / mpp[1] - 1) > _ANISOTROPY:
        warnings.append(f"slide {slide_name}: pixels are not square, {_text(mpp)} µm")
    return Resolution(mpp, tuple(warnings))


def _apart(mpp: Mpp, theirs: Mpp) -> float:
    return max(abs(b / a - 1) for a, b in zip(mpp, theirs, strict=True))


def _text(mpp: Mpp) -> str:
    return f"{mpp[0]:g}" if mpp[0] == mpp[1] else f"{mpp[0]:g} × {mpp[1]:g}"
