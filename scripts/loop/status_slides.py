"""What ``status`` tells of each slide: as it is read now, or as the daemon read it last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.annotations import SlideEntry
from bridge.store import CostRecord, LookRecord, ReadRecord, SlideRecord, Store
from bridge.store.write_overview import LastWrite
from scripts.loop.costs import cost_json
from scripts.loop.looks import unlike_line
from scripts.loop.slide_facts import SlideFacts
from scripts.loop.status_daemon import moment
from scripts.naming.slide_names import SlideNames
from scripts.plain_words import counted, span

_MOST_CELLS = (40, 64)  # of a name, and of what was read: longer ones stand out of their column


@dataclass(frozen=True, slots=True)
class SlideStatus:
    """One slide.

    Parameters
    ----------
    name
        What it is called here: perhaps a hash.
    facts
        For machines: of its file.
    said
        The same in a few words.
    last_write
        None before the first.
    look
        How unlike its training slides the model found it that predicted it last; None where nobody measured it.
    cost
        Of its last prediction; None before the first.
    """

    name: str
    facts: Mapping[str, object]
    said: str
    last_write: LastWrite | None
    look: LookRecord | None = None
    cost: CostRecord | None = None

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        look = self.look
        found = None if look is None else {"distance": look.distance, "is_far": look.is_far}
        facts = {"last_write": _write_json(self.last_write), "unlikeness": found, "prediction": cost_json(self.cost)}
        return {"name": self.name, **self.facts, **facts}

    def columns(self, now: datetime) -> tuple[str, str, str]:
        """Return the facts for people: whose they are, what was read, what was written."""
        unlike = f"; {unlike_line(self.look.distance)}" if self.look is not None and self.look.is_far else ""
        return f"{self.name}:", f"{self.said};", _write_line(self.last_write, now) + unlike


def slide_lines(slides: Sequence[SlideStatus], now: datetime) -> list[str]:
    """Return the slides for people, one line each, what belongs together in columns."""
    rows = [slide.columns(now) for slide in slides]
    first, second = (_width([row[column] for row in rows], most) for column, most in enumerate(_MOST_CELLS))
    return [f"  {name:{first}} {said:{second}} {write}" for name, said, write in rows]


def _width(texts: Sequence[str], most: int) -> int:
    """Return the width of a column: of the longest text in it, those that would make it too wide left out."""
    return max((len(text) for text in texts if len(text) <= most), default=0)


def slides_seen(seen: Mapping[str, SlideFacts], store: Store, names: SlideNames) -> tuple[SlideStatus, ...]:
    """Return the slides as they are now."""
    writes, looks, costs = _writes(store), _looks(store), _costs(store)
    return tuple(
        SlideStatus(names.of(key), found.facts, found.said, writes.get(key), looks.get(key), costs.get(key))
        for key, found in seen.items()
    )


def slides_read_before(entries: tuple[SlideEntry, ...], store: Store, names: SlideNames) -> tuple[SlideStatus, ...]:
    """Return slides as the store knows them: no file is opened."""
    writes, looks, costs = _writes(store), _looks(store), _costs(store)
    reads, known = store.last_reads(), {slide.key: slide for slide in store.slides()}
    return tuple(
        replace(
            _known(entry.key, reads.get(entry.key), known.get(entry.key), names, writes.get(entry.key)),
            look=looks.get(entry.key),
            cost=costs.get(entry.key),
        )
        for entry in entries
    )


def _writes(store: Store) -> Mapping[str, LastWrite]:
    return {write.slide_key: write for write in store.last_writes()}


def _looks(store: Store) -> Mapping[str, LookRecord]:
    return {look.slide_key: look for look in store.looks()}


def _costs(store: Store) -> Mapping[str, CostRecord]:
    return {cost.slide_key: cost for cost in store.newest_costs()}


def _known(
    key: str, read: ReadRecord | None, slide: SlideRecord | None, names: SlideNames, write: LastWrite | None
) -> SlideStatus:
    doubted = slide is not None and slide.suspicious_revision is not None
    facts = {
        "objects_of_people": read.human_count if read else None,
        "read_at": read.read_at.isoformat() if read else None,
        "suspicious": doubted,
    }
    said = "not read yet"
    if read is not None:
        said = f"{counted(read.human_count, 'object')} of people's, as of {moment(read.first_read_at)}"
    if doubted:
        said += f"; its newest save lost more than half of them: `slidebridge confirm {names.of(key)!r}` believes it"
    return SlideStatus(names.of(key), facts, said, write)


def _write_json(write: LastWrite | None) -> Mapping[str, object] | None:
    if write is None:
        return None
    return {
        "at": write.at.isoformat(),
        "marker": write.marker,
        "predictions": write.predictions,
        "proposals": write.proposals,
        "iteration": write.iteration,
    }


def _write_line(write: LastWrite | None, now: datetime) -> str:
    if write is None:
        return "not written to yet"
    brought = counted(write.proposals, "proposal")
    if write.predictions or write.iteration:  # nobody waits for predictions before the first model
        brought = f"{counted(write.predictions, 'prediction')}, {brought}"
    ago = f" ({span((now - write.at).total_seconds())} ago)"
    model = f", by the model of training {write.iteration}" if write.iteration else ""
    return f"written to {moment(write.at)}{ago}: {brought}{model}"
