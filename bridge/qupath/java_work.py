"""What a writer still has to write, beside the items of a stream."""

from __future__ import annotations

from bridge.qupath.java_stream import Item, JavaObject


class Mark:
    """What is written as it stands: an end mark, or primitives after an object field."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Stop:
    """A place among the items of an Externalizable object that a writer notes on coming by.

    Parameters
    ----------
    owner
        The object.
    at
        Number of its items that come before.

    Attributes
    ----------
    size, handles
        Bytes written and nodes numbered before that place; −1 while nobody came by.
    work
        What was still to be written after the object's items, the next one last.
    """

    __slots__ = ("at", "handles", "owner", "size", "work")

    def __init__(self, owner: JavaObject, at: int) -> None:
        self.owner = owner
        self.at = at
        self.size = -1
        self.handles = -1
        self.work: list[Work] = []


Work = Item | Mark | Stop
