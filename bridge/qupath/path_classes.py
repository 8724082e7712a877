"""QuPath's classes in the graph: full names and colours, and back."""

from __future__ import annotations

from bridge.annotations import Rgb
from bridge.errors import QuPathFormatError
from bridge.qupath.java_stream import Item, JavaObject
from bridge.qupath.java_values import Allowance, boxed_int, text_or_none

PATH_CLASS = "qupath.lib.objects.classes.PathClass"
SEPARATOR = ": "

_PACKAGE = "qupath.lib.objects.classes."
_MAX_PARENTS = 64
NamedClass = tuple[str | None, Rgb | None]


def rgb_of(argb: int) -> Rgb:
    """Return red, green and blue of QuPath's packed colour, whatever its alpha and sign.

    Examples
    --------
    >>> rgb_of(-3670016)
    (200, 0, 0)
    """
    return argb >> 16 & 255, argb >> 8 & 255, argb & 255


def is_translucent(argb: int) -> bool:
    """Say whether a packed colour is half transparent; no alpha at all is what programs write that know none.

    Examples
    --------
    >>> is_translucent(0x80C80000), is_translucent(-3670016), is_translucent(0xC80000)
    (True, False, False)
    """
    return 0 < argb >> 24 & 255 < 255


def argb_of(color: Rgb) -> int:
    """Return QuPath's packed colour: opaque, as Java's signed int.

    Examples
    --------
    >>> argb_of((200, 0, 0))
    -3670016
    """
    red, green, blue = color
    return (0xFF000000 | red << 16 | green << 8 | blue) - 0x1_0000_0000


class PathClassReader:
    """Names each class once, however many objects bear it."""

    __slots__ = ("_allowance", "_known", "_translucent")

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._known: dict[JavaObject, NamedClass] = {}
        self._translucent: set[JavaObject] = set()

    def read(self, item: Item) -> NamedClass:
        """Return full name (``"Tumor: Positive"``) and colour; None for what the class lacks.

        Raises
        ------
        QuPathFormatError
            A class has itself, or too many, above it.
        """
        if not isinstance(item, JavaObject):
            return None, None
        named = self._known.get(item)
        if named is None:
            named = self._known[item] = self._read(item)
        return named

    def is_translucent(self, item: Item) -> bool:
        """Say whether a class that was read has a half transparent colour."""
        return bool(self._translucent) and item in self._translucent

    def _read(self, path_class: JavaObject) -> NamedClass:
        parts = []
        level: Item = path_class
        while isinstance(level, JavaObject) and level.desc.name.startswith(_PACKAGE):
            parts.append(text_or_none(level.field("name")))
            level = level.field("parentClass")
            if len(parts) > _MAX_PARENTS:
                raise QuPathFormatError(f"a class with more than {_MAX_PARENTS} classes above it")
        name = SEPARATOR.join(part for part in reversed(parts) if part)
        self._allowance.spend(len(name))
        argb = boxed_int(path_class.field("colorRGB"))
        if argb is not None and is_translucent(argb):
            self._translucent.add(path_class)
        return (name or None), (None if argb is None else rgb_of(argb))
