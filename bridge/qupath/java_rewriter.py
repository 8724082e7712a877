"""A stream that is written twice: as it was read, and, from some place on, as it was changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.qupath.java_stream import BASE_HANDLE, Item, JavaObject, Node
from bridge.qupath.java_work import Stop
from bridge.qupath.java_writer import StreamWriter, write_stream


class Rewriter:
    """The stream as it was read, and how to write it again.

    Parameters
    ----------
    items
        The whole stream.
    owner
        An Externalizable object whose items will change.
    head
        The last of its first ``head`` items will be bytes as many as now.
    kept
        So many of its first items, and everything in them, will stay as they are, that one apart.
    """

    def __init__(self, items: Sequence[Item], owner: JavaObject, head: int, kept: int) -> None:
        self._items = items
        self._owner = owner
        self._head = Stop(owner, head)
        self._kept = Stop(owner, kept)
        self._writer = StreamWriter((self._head, self._kept))
        self._writer.write(items)

    def is_as(self, data: bytes) -> bool:
        """Say whether the stream is written as these bytes; to be asked before anything changes."""
        return self._writer.out == data

    def write_again(self, changed: Iterable[Node]) -> bytes:
        """Return the stream as it is now; to be called once.

        Parameters
        ----------
        changed
            Every node in which something has changed, but for the owner and new ones; where one of them was written
            before the kept items were, the whole stream is written anew.
        """
        writer, kept = self._writer, self._kept
        limit = BASE_HANDLE + kept.handles
        if kept.size < 0 or writer.is_reset or any(writer.handles[node] < limit for node in changed):
            return write_stream(self._items)
        while len(writer.handles) > kept.handles:
            writer.handles.popitem()  # the newest
        del writer.out[kept.size :]
        items = self._owner.written()
        block = items[self._head.at - 1]
        assert isinstance(block, bytes)
        writer.out[self._head.size - len(block) : self._head.size] = block
        writer.work_off([*kept.work, *reversed(items[kept.at :])])
        return bytes(writer.out)
