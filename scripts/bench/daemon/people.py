"""What the experts' ledgers say: what is theirs, what they saved and when, what they answered and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.bench.daemon.world import Place
from scripts.bench.torture.ledger import read_ledger


@dataclass(frozen=True, slots=True)
class Save:
    """One save of a person's: its revision, and when it was over, seconds since 1970."""

    revision: str
    ended: float


@dataclass(slots=True)
class Person:
    """What the ledger says of one slide.

    Parameters
    ----------
    wanted
        Prints of objects that are the person's and must be there.
    answered
        Place of a box → what was said to it.
    deleted
        Places of predictions that the person deleted.
    missed
        Objects that weren't there when the person opened the image again.
    """

    wanted: set[str] = field(default_factory=set)
    saves: list[Save] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)


def read_people(place: Place) -> Mapping[str, Person]:
    """Return what the ledger says, by slide; a save that began and never ended counts as made."""
    people: dict[str, Person] = {}
    for event in read_ledger(place.ledger):
        person = people.setdefault(event["slide"], Person())
        match event["event"]:
            case "begin":
                person.wanted -= set(event["lost"])
                person.wanted |= set(event["gained"])
                person.answered |= event["answered"]
                person.deleted |= set(event["deleted"])
                person.saves.append(Save(event["revision"], float("inf")))
            case "end":
                person.saves[-1] = Save(person.saves[-1].revision, event["wall"])
            case "missed":
                person.missed |= set(event["prints"])
    return people
