"""What the file must hold, told from the person's ledger alone.

Normally there is one answer: the objects of the last save that finished. A tool that was killed in a save leaves two:
that one, and the save that was begun.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from scripts.bench.torture.ledger import Event
from scripts.bench.torture.prints import where_now

State = frozenset[str]  # prints of a person's objects


@dataclass(slots=True)
class Memory:
    """What a person has saved.

    Parameters
    ----------
    saved
        Objects of the last save that finished, or that the person was shown since.
    begun
        Objects of saves that began after it and didn't finish.
    """

    saved: State = frozenset()
    begun: list[State] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Follow the ledger by one event; an ``open`` is followed by ``show``, by whoever judges it."""
        match event["event"]:
            case "begin":
                self.begun.append(frozenset(event["state"]))
            case "end":
                self.saved, self.begun = self.begun[-1], []
            case "failed" if not event.get("is_cut"):  # else the tool has put its own cut file back
                self.begun.pop()
            case "restored":  # from here on the file may hold that; a kill may come before it is shown
                self.begun.append(human_state(self, event["everything"], event["humans"]))
            case "shown":
                self.show(frozenset(event["state"]))

    def show(self, state: State) -> None:
        """Take what the person sees for what there is: the next save builds on it."""
        self.saved, self.begun = state, []


def human_state(memory: Memory, everything: Collection[str], humans: Collection[str]) -> State:
    """Return what of a file is a person's: what bears no mark of ours, and what the memory knows for theirs.

    Parameters
    ----------
    everything, humans
        Prints of all objects of the file, and of those without our identity.
    """
    known = (item for state in (memory.saved, *memory.begun) for item in state)
    return frozenset(humans) | {now for item in known if (now := where_now(item, everything)) is not None}


def recalled(events: Iterable[Event]) -> Memory:
    """Return the memory after some events."""
    memory = Memory()
    for event in events:
        if event["event"] in ("end", "failed") and not memory.begun:
            continue  # its beginning was before the first event given
        memory.note(event)
    return memory
