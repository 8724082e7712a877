"""The contract between the loop and a viewer that has slides open and takes our results without a file being replaced.

deliver ──▶ WAITING ──taken by one viewer──▶ TAKEN ──put into its memory──▶ SHOWN ──the person saves──▶ in the file
               └──withdraw──▶ gone
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bridge.annotations.objects import Annotation, Rgb
from bridge.annotations.source import MachineObject
from bridge.coords import Region


@dataclass(frozen=True, slots=True)
class OpenSlide:
    """One slide that is open in a viewer, or in several at once.

    Parameters
    ----------
    is_changed
        Something in it is not saved yet.
    is_on_screen
        A person can see it now.
    sessions
        Of the viewers that have it open.
    markers
        Write markers that these viewers hold in memory: what their next save will carry.
    """

    is_changed: bool = False
    is_on_screen: bool = False
    sessions: frozenset[str] = frozenset()
    markers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Promotion:
    """A prediction of ours that becomes a person's: its state in the file, and the plain class that it gets."""

    annotation: Annotation
    path_class: str
    color: Rgb


@dataclass(frozen=True, slots=True)
class Delivery:
    """Edits for a viewer to make in memory; all geometry in the frame of the tool.

    Parameters
    ----------
    marker
        Names the write; the viewer's next save carries it.
    add
        New objects.
    remove, promote
        Objects of ours as the file has them. A viewer in which one looks different leaves it alone: it is a person's.
    """

    marker: str
    add: tuple[MachineObject, ...] = ()
    remove: tuple[Annotation, ...] = ()
    promote: tuple[Promotion, ...] = ()


class DeliveryState(Enum):
    """How far a delivery came, as far as the viewer's files tell."""

    WAITING = "waiting"  # nobody has taken it
    TAKEN = "taken"  # a viewer is putting it into its memory
    SHOWN = "shown"  # in the viewer's memory, or it failed there
    GONE = "gone"  # no trace of it


@dataclass(frozen=True, slots=True)
class DeliveryProgress:
    """A delivery as the viewer's files have it.

    Parameters
    ----------
    session
        Of the viewer that took it; None before that.
    left
        Ids of objects that were to be removed or made plain and weren't, being gone or changed since the last save:
        what became of them is for the next save to tell.
    trouble
        Why the viewer couldn't put it into its memory; None where it could. It takes nothing more for that slide until
        the slide is opened anew.
    """

    state: DeliveryState
    session: str | None = None
    left: frozenset[str] = frozenset()
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class ViewerRequest:
    """What a person asked for in the viewer's menu: predict this slide now, a region of it first (the tool's frame)."""

    slide_key: str
    region: Region | None = None


class Viewer(Protocol):
    """A program that says what it has open and takes deliveries."""

    def prepare(self) -> None:
        """Let the viewers know that somebody listens; before, they say nothing. Call it at start.

        Raises
        ------
        WriteFailedError
            The folder can't be made.
        """
        ...

    def open_slides(self, now: float) -> Mapping[str, OpenSlide]:
        """Return slide key → what is open now.

        Parameters
        ----------
        now
            Seconds of a clock of ours that never goes back; no clock of the viewer's is compared with it.
        """
        ...

    def deliver(self, slide_key: str, delivery: Delivery) -> None:
        """Leave a delivery for whichever viewer has the slide open.

        Raises
        ------
        WriteFailedError
            The folder can't be written.
        """
        ...

    def progress(self, slide_key: str, marker: str) -> DeliveryProgress:
        """Say how far a delivery came. Ask this before ``open_slides``: the viewer reports in that order."""
        ...

    def withdraw(self, slide_key: str, marker: str) -> bool:
        """Take a delivery back; True: no viewer has taken it, nor will. Exactly one side gets it."""
        ...

    def forget(self, slide_key: str, marker: str) -> None:
        """Clear away what is left of a delivery that has come to its end."""
        ...

    def requests(self) -> tuple[ViewerRequest, ...]:
        """Return what people asked for since the last call, each once, oldest first."""
        ...
