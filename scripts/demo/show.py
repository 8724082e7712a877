"""What the demo says: what it does at the moment, how each round went, and at the end a table that explains itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.demo.material import CLASSES
from scripts.demo.play import Round
from scripts.plain_words import counted, span

_COLUMNS = (
    "round",
    "labelled %",
    "outlines",
    "accepted",
    "corrected",
    "rejected",
    "all nuclei",
    *CLASSES,
    "seconds",
)


def working(number: int, rounds: int, boxes: int) -> str:
    """Return that the expert sits down to work."""
    return (
        f"round {number} of {rounds}: the simulated expert answers up to {counted(boxes, 'box', 'boxes')}; some seconds"
    )


def learning(number: int, rounds: int, before: Round | None) -> str:
    """Return that SlideBridge does its part; ``before`` is the round before, which took about as long."""
    long = "1 min on two cores" if before is None else span(before.seconds)
    return f"round {number} of {rounds}: training, predicting and proposing new boxes; about {long}"


def ended(found: Round, rounds: int) -> str:
    """Return how a round went."""
    return (
        f"round {found.round} of {rounds} took {span(found.seconds)}: {100 * found.labelled_fraction:.1f} % of the"
        f" picture is labelled, Dice of all nuclei {found.dice:.3f} (1 is perfect)"
    )


def lines(played: Sequence[Round], otsu: float, output: Path) -> Iterator[str]:
    """Yield the table, what it means, what one should see in it, and where to look."""
    yield ""
    yield "  ".join(_COLUMNS)
    yield from map(_row, played)
    yield ""
    yield from _meaning()
    yield _verdict(played[0], played[-1], otsu)
    overlays = " to ".join(dict.fromkeys(f"round_{one.round}.png" for one in (played[0], played[-1])))
    yield f"look at learning_curve.png and {overlays} in {output}; the project is {output / 'project'}"


def _meaning() -> Iterator[str]:
    yield "labelled %, outlines: how much of the picture is labelled so far, and how many outlines are the expert's"
    yield "accepted, corrected, rejected: what the expert did in this round with what had been predicted in the boxes"
    yield (
        f"all nuclei, {', '.join(CLASSES)}: Dice on the third of the picture that nobody labels, which says how well"
        " what is predicted covers what is true: 0 not at all, 1 exactly; seconds: how long the round took"
    )


def _verdict(first: Round, last: Round, otsu: float) -> str:
    return (
        f"what to see: Dice of all nuclei (here {first.dice:.3f} → {last.dice:.3f}) should rise as more is labelled,"
        f" and end above the {otsu:.3f} of Otsu's threshold on the blue of the stain, which learns nothing; one"
        " round may lose 0.02 or 0.03"
    )


def _row(found: Round) -> str:
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
