"""What a conversion did, in numbers and in lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from scripts.plain_words import counted


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """Counts of a conversion; every object of the source is either written or left out.

    Parameters
    ----------
    source, target
        As given.
    read
        What the reader met; in ImageScope the regions, those included that became holes.
    objects
        Objects that this made.
    repaired
        Objects whose outline crosses itself.
    verbatim
        Objects without area and other kinds that are never rasterized, by kind.
    off_slide
        Objects wholly off the slide; None where its size is not known.
    written
        Objects in the target.
    left_out
        Objects that are not, by reason.
    lost
        What written objects lose for want of a place → how many of them.
    classes
        Written objects by class; the empty name for none.
    notes
        One line each, for people.
    """

    source: str
    target: str
    read: int
    objects: int
    repaired: int
    verbatim: Mapping[str, int]
    off_slide: int | None
    written: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_dry_run: bool = False

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        classes = {encodable(name): count for name, count in self.classes.items()}
        texts = {"source": encodable(self.source), "target": encodable(self.target)}
        return {**asdict(self), **texts, "classes": classes, "notes": [encodable(note) for note in self.notes]}

    def lines(self) -> list[str]:
        """Return the facts for people."""
        off = "off the slide not known, give --slide" if self.off_slide is None else f"{self.off_slide} off the slide"
        holes = f" ({counted(self.objects, 'object')})" if self.objects != self.read else ""
        verbatim = f"verbatim: {_told(self.verbatim) or 'none'}"
        by_class = _told({name or "no class": count for name, count in self.classes.items()})
        verb = "would write" if self.is_dry_run else "wrote"
        lines = [
            f"read {self.read}{holes} from {self.source}: {self.repaired} repaired; {verbatim}; {off}",
            f"{verb} {self.written} to {self.target}" + (f": {by_class}" if by_class else ""),
        ]
        lines += [f"left out, the target can't hold it: {_told(self.left_out)}"] if self.left_out else []
        lost = ", ".join(f"{what} of {count}" for what, count in self.lost.items())
        lines += [f"lost, the target has no place for it: {lost}"] if lost else []
        return [encodable(line) for line in (*lines, *self.notes)]


def encodable(text: str) -> str:
    r"""Return a text that UTF-8 can hold: halves of surrogate pairs become question marks, as in QuPath's exports.

    Examples
    --------
    >>> encodable("half \ud83d")
    'half ?'
    """
    return text.encode(errors="replace").decode()


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
