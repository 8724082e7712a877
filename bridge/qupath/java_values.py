"""Values of ``java.lang`` and ``java.util`` in a stream → Python's."""

from __future__ import annotations

from struct import unpack

from bridge.errors import QuPathFormatError
from bridge.qupath.java_stream import Item, JavaObject, ObjectArray, PrimitiveArray
from bridge.qupath.java_text import JavaString

_MAX_WRAPPERS = 8  # unmodifiable list around synchronized list around …
_NUMBER_LETTERS = {"[D": "d", "[F": "f"}


PAIR = 32  # what a name with its value costs of an allowance


class Allowance:
    """How many bytes may be unfolded from one stream before it is refused.

    Nodes are shared: a few bytes may refer to a long array again and again, so that what they unfold to is far larger
    than the file. Real files share class names, keys and little else.
    """

    __slots__ = ("_left",)

    def __init__(self, stream_bytes: int) -> None:
        self._left = 16 * stream_bytes + 1_000_000

    def spend(self, amount: int) -> None:
        """Take an amount off what is left.

        Raises
        ------
        QuPathFormatError
            Nothing is left.
        """
        if not self.try_spend(amount):
            raise QuPathFormatError(
                "the same arrays are referred to again and again, or ellipses are larger than any slide:"
                " not a file that QuPath wrote"
            )

    def try_spend(self, amount: int) -> bool:
        """Take an amount off what is left and say whether that much was left."""
        self._left -= amount
        return self._left >= 0


def text_or_none(item: object) -> str | None:
    """Return the text of a string node, None for anything else."""
    return item.text if isinstance(item, JavaString) else None


def boxed_int(item: object) -> int | None:
    """Return the value of a ``java.lang.Integer``, None for anything else."""
    if not isinstance(item, JavaObject) or item.desc.name != "java.lang.Integer":
        return None
    value = item.number("value")
    return None if value is None else int(value)


def numbers(item: object) -> tuple[float, ...]:
    """Return the elements of a ``double[]`` or ``float[]``, nothing for anything else."""
    if not isinstance(item, PrimitiveArray) or item.desc.name not in _NUMBER_LETTERS:
        return ()
    letter = _NUMBER_LETTERS[item.desc.name]
    return unpack(f">{len(item.data) // item.desc.item_size}{letter}", item.data)


def list_items(item: object) -> list[Item]:
    """Return the elements of an array or of any list of ``java.util``, wrapped or not."""
    for _ in range(_MAX_WRAPPERS):
        if isinstance(item, ObjectArray):
            return item.items
        if not isinstance(item, JavaObject):
            return []
        inner = item.field("list") or item.field("a") or item.field("c")
        if inner is None:
            return [element for element in item.written() if not isinstance(element, bytes)]
        item = inner
    return []


def is_hash_map(item: object) -> bool:
    """Say whether the item is a ``HashMap`` or a ``LinkedHashMap``."""
    return isinstance(item, JavaObject) and any(level.name == "java.util.HashMap" for level in item.desc.lineage())


def map_items(hash_map: JavaObject) -> list[tuple[Item, Item]]:
    """Return keys and values of a ``HashMap`` or ``LinkedHashMap``, in the stream's order."""
    written = hash_map.written()[1:]
    return list(zip(written[::2], written[1::2], strict=False))
