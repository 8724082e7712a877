"""What the ledgers say of how the two sides met: overlaps in time, conflicts, merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scripts.bench.torture.ledger import Event

Span = tuple[float, float]  # moments


def write_windows(ours: Iterable[Event]) -> list[Span]:
    """Return when our side was between a last check and its end, writing or recovering.

    A write that was killed has no end in the ledger: it lasted until the next event of our side.
    """
    windows: list[Span] = []
    begun: float | None = None
    for event in ours:
        if begun is not None:
            windows.append((begun, event["at"]))
            begun = None
        if event["event"] == "staged":
            begun = event["at"]
        elif event["event"] == "recovered":
            windows.append((event["began"], event["at"]))
    return windows


def contested(tool: Iterable[Event], ours: Iterable[Event]) -> int:
    """Count our writes, from reading the file on, in which a save of the tool began or was under way."""
    return _overlaps(_saves(tool), [(event["began"], event["at"]) for event in ours if event["event"] == "write"])


def contested_closely(tool: Iterable[Event], ours: Iterable[Event]) -> int:
    """Count our writes between whose last check and end a save of the tool began or was under way."""
    return _overlaps(_saves(tool), write_windows(ours))


def _overlaps(saves: Sequence[Span], writes: Iterable[Span]) -> int:
    count = place = 0
    for began, ended in sorted(writes):
        while place < len(saves) and saves[place][1] < began:
            place += 1
        count += place < len(saves) and saves[place][0] <= ended
    return count


def _saves(tool: Iterable[Event]) -> list[Span]:
    """Return when the tool was saving; a save that was killed lasted until the next event of its side."""
    spans: list[Span] = []
    begun: float | None = None
    for event in tool:
        if begun is not None:
            spans.append((begun, event["at"]))
            begun = None
        if event["event"] == "begin":
            begun = event["at"]
    return spans


def our_counts(ours: Iterable[Event]) -> Counter[str]:
    """Count what our side did: writes, conflicts, merges and the rest."""
    counts: Counter[str] = Counter()
    is_after_conflict = False
    for event in ours:
        match event["event"]:
            case "write":
                counts[event["outcome"]] += 1
                is_conflict = event["outcome"] == "conflict"
                counts["merged"] += is_after_conflict and event["outcome"] == "written"
                counts["taken back at once"] += is_conflict and "swapped" in event["steps"]
                is_after_conflict = is_conflict
            case "recovered":
                counts.update(event["outcomes"])
            case "read":
                counts["overwritten"] += event["overwritten"]
                counts["suspicious"] += event["suspicious"]
                is_after_conflict = False
            case "unread" | "push failed" | "not looked after":
                counts[event["event"]] += 1
    return counts
