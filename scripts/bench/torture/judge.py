"""The judgement: both ledgers read from the start, every opening and check held against what had been saved.

A file is as it should be when it holds exactly the person's objects of the last save that finished; or of one that was
begun and cut; or of an earlier one that was missing for a while and has been put back. What is missing otherwise is
*owed*: to be found at the end in a file that people were told about, or it is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from scripts.bench.torture.counting import Span, write_windows
from scripts.bench.torture.ledger import Event
from scripts.bench.torture.memory import Memory, State
from scripts.bench.torture.prints import drawn_by_hand, where_now

Locate = Callable[[State], "Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """Where missing objects lie: in files that people were told to look at, and in backups of which they were told."""

    kept: Collection[str] = ()
    backed_up: Collection[str] = ()


@dataclass(slots=True)
class Owed:
    """A save that wasn't in the file when somebody looked.

    Parameters
    ----------
    missing
        Objects of it that the file lacks.
    undone
        Objects that the save had deleted or changed, and that are there as before.
    save
        When that save was made.
    held_seconds
        How long its tool had the file open before it wrote.
    """

    state: State
    missing: frozenset[str]
    undone: frozenset[str]
    at: float
    save: Span
    held_seconds: float


@dataclass(slots=True)
class Verdict:
    """What the referee counted."""

    saves: int = 0
    failed_saves: int = 0
    objects_checked: int = 0
    looks: int = 0
    unparsable: int = 0
    own_losses: int = 0  # of the tool: it was killed in its save, and the save before was never read by us
    restored: int = 0
    put_back_later: int = 0
    kept: int = 0
    in_backup: int = 0
    window_losses: int = 0
    held_losses: int = 0
    lost: int = 0
    false_deletions: int = 0
    deletions: int = 0
    notes: list[str] = field(default_factory=list)


def judge(
    tool: Sequence[Event], ours: Sequence[Event], locate: Locate, *, longest_hold: float, has_window: bool
) -> Verdict:
    """Hold the ledgers against each other.

    Parameters
    ----------
    locate
        Finds missing objects in the files that are left at the end.
    longest_hold
        Seconds after which a displaced file is let go: a tool that first writes later than that is too late.
    has_window
        The file system has no exchange: a save in the very moment of our write may go.
    """
    verdict = Verdict()
    owed = _follow(tool, verdict)
    windows = write_windows(ours) if has_window else []
    for item in owed:
        _settle(item, locate(item.missing), windows, longest_hold, verdict)
    _count_false_deletions(tool, ours, verdict)
    return verdict


def _follow(tool: Iterable[Event], verdict: Verdict) -> list[Owed]:
    memory, owed = Memory(), list[Owed]()
    begun, last, held = 0.0, (0.0, 0.0), 0.0
    for event in tool:
        match event["event"]:
            case "begin":
                begun = event["at"]
            case "end":
                verdict.saves += 1
                last, held = (begun, event["at"]), event["held_seconds"]
            case "failed":
                verdict.failed_saves += 1
            case "open" | "check":
                verdict.looks += 1
                _look(event, memory, owed, last, held, verdict)
            case "restored" if memory.begun:
                verdict.restored += 1
                verdict.own_losses += len(_missing(memory.saved, event["everything"]))
            case "restored" | "unparsable":
                verdict.unparsable += 1
                verdict.notes.append(f"at {event['at']:.3f} the file couldn't be parsed, though no save had been cut")
        memory.note(event)
    return owed


def _look(event: Event, memory: Memory, owed: list[Owed], last: Span, held: float, verdict: Verdict) -> None:
    everything, humans = frozenset(event["everything"]), frozenset(event["humans"])
    for state in (memory.saved, *memory.begun):
        if not _missing(state, everything) and not _undone(state, everything, humans):
            verdict.objects_checked += len(state)
            return
    for item in owed:
        if not _missing(item.state, everything) and not _undone(item.state, everything, humans):
            verdict.objects_checked += len(item.state)
            verdict.put_back_later += 1
            owed.remove(item)
            return
    verdict.objects_checked += len(memory.saved)
    missing, undone = _missing(memory.saved, everything), _undone(memory.saved, everything, humans)
    owed.append(Owed(memory.saved, missing, undone, event["at"], last, held))


def _missing(state: State, everything: Collection[str]) -> State:
    return frozenset(item for item in state if where_now(item, everything) is None)


def _undone(state: State, everything: Collection[str], humans: State) -> State:
    there = {where_now(item, everything) for item in state}
    return frozenset(item for item in humans if drawn_by_hand(item) and item not in there)


def _settle(item: Owed, found: Found, windows: Sequence[Span], longest_hold: float, verdict: Verdict) -> None:
    """Say where each object of a save is that wasn't in the file."""
    left = set(item.missing)
    kept = left & set(found.kept)
    backed_up = (left - kept) & set(found.backed_up)
    left -= kept | backed_up
    verdict.kept += len(kept)
    verdict.in_backup += len(backed_up)
    is_found = not left and (kept or backed_up)
    count = len(left) + (0 if is_found else len(item.undone))
    if count == 0:
        return
    where = f"save of {item.save[0]:.3f}–{item.save[1]:.3f}, missed at {item.at:.3f}: {count} objects"
    if item.held_seconds > longest_hold:
        verdict.held_losses += count
        verdict.notes.append(f"{where}; the tool held the file open for {item.held_seconds:.3f} s before it wrote")
    elif any(begin <= item.save[1] and item.save[0] <= end for begin, end in windows):
        verdict.window_losses += count
        verdict.notes.append(f"{where}; saved between our check and our rename")
    else:
        verdict.lost += count
        sample = ", ".join(sorted([*left, *item.undone])[:3])
        verdict.notes.append(f"{where}; nothing explains it: {sample!r}")


def _count_false_deletions(tool: Sequence[Event], ours: Iterable[Event], verdict: Verdict) -> None:
    acts = [(event["at"], act) for event in tool if event["event"] == "begin" for act in event["acts"]]
    false: Counter[str] = Counter()
    for event in ours:
        if event["event"] == "outcomes":
            allowed = _deleted([act for at, act in acts if at <= event["at"]])
            verdict.deletions = len(event["deleted"])
            false |= Counter(place for place in event["deleted"] if place not in allowed)
    verdict.false_deletions = false.total()
    verdict.notes += [f"counted as deleted, but nobody did: the object at {place}" for place in sorted(false)[:5]]


def _deleted(acts: Sequence[dict[str, str]]) -> set[str]:
    """Return the places of objects that a person deleted, as they were written: redrawn ones lie elsewhere by then."""
    gone = {act["place"] for act in acts if act["kind"] == "delete"}
    for act in reversed(acts):
        if act["kind"] == "correct" and act["now"] in gone:
            gone.add(act["place"])
    return gone
