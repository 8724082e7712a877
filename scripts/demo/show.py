"""The demo's table, as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scripts.demo.material import CLASSES
from scripts.demo.play import Round

_COLUMNS = ("round", "labelled %", "human regions", "accepted", "corrected", "rejected", "Dice", *CLASSES, "seconds")


def header() -> str:
    """Return the heading of the table."""
    return "  ".join(_COLUMNS)


def row(found: Round) -> str:
    """Return one round as a line under the heading."""
    values = (
        str(found.round),
        f"{100 * found.labelled_fraction:.1f}",
        str(found.human_regions),
        str(found.accepted),
        str(found.corrected),
        str(found.rejected),
        f"{found.dice:.3f}",
        *(f"{found.dice_per_class[name]:.3f}" for name in CLASSES),
        f"{found.seconds:.0f}",
    )
    return "  ".join(value.rjust(len(title)) for value, title in zip(values, _COLUMNS, strict=True))


def summary(facts: Mapping[str, object], output: Path) -> str:
    """Return what it came to, and where to look."""
    rounds = facts["rounds"]
    assert isinstance(rounds, list)
    first, last = rounds[0], rounds[-1]
    return (
        f"Dice of all nuclei on the third that nobody labelled: {first['dice']:.3f} → {last['dice']:.3f}"
        f" with {100 * last['labelled_fraction']:.1f} % of the picture labelled; Otsu: {facts['otsu_dice']:.3f}\n"
        f"look at {output / 'learning_curve.png'} and {output / 'round_0.png'} …; the project is {output / 'project'}"
    )
