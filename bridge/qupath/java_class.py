"""Classes as a Java serialization stream describes them, and how their objects are laid out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bridge.errors import QuPathFormatError
from bridge.qupath.java_text import JavaString

WRITE_METHOD = 0x01
SERIALIZABLE = 0x02
EXTERNALIZABLE = 0x04
BLOCK_DATA = 0x08
ENUM = 0x10
_KNOWN_FLAGS = (0, SERIALIZABLE, SERIALIZABLE | WRITE_METHOD, EXTERNALIZABLE | BLOCK_DATA, ENUM | SERIALIZABLE)

ANNOTATION = 0  # a step: items until the end mark
NOT_FLAT = -1

PRIMITIVE_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}


class Field(NamedTuple):
    """One field that a class writes: type code, name, and the type's name unless it is primitive."""

    code: str
    name: str
    type_name: JavaString | None = None


class Slot(NamedTuple):
    """Where a field lies in the parts of an object."""

    part: int
    offset: int
    code: str


class ClassDesc:
    """A class as the stream describes it: name, version, flags, fields, superclass.

    Attributes
    ----------
    steps
        How its objects are written: n > 0: n bytes of primitives, −n: n items, 0: items until the end mark. Empty parts
        are left out. None until the description is complete.
    flat_size
        Bytes of an object that consists of primitives only, else −1.
    item_size
        Bytes of one element of an array of primitives, 0 for an array of objects, −1 for no array.
    """

    __slots__ = ("_slots", "fields", "flags", "flat_size", "item_size", "name", "steps", "superclass", "uid")

    def __init__(self, name: str, uid: int) -> None:
        self.name = name
        self.uid = uid
        self.flags = 0
        self.fields: tuple[Field, ...] = ()
        self.superclass: ClassDesc | None = None
        self.steps: tuple[int, ...] | None = None
        self.flat_size = NOT_FLAT
        self.item_size = _item_size(name)
        self._slots: dict[str, Slot] | None = None

    def complete(self, flags: int, fields: tuple[Field, ...], superclass: ClassDesc | None) -> None:
        """Set what follows name and version in the stream.

        Raises
        ------
        QuPathFormatError
            Flags or order of fields are none that Java writes.
        """
        self.flags, self.fields, self.superclass = flags, fields, superclass
        self.steps = _steps(self)
        if len(self.steps) == 1 and self.steps[0] > 0:
            self.flat_size = self.steps[0]

    def lineage(self) -> Iterator[ClassDesc]:
        """Yield the class and its superclasses, the class itself first."""
        level: ClassDesc | None = self
        while level is not None:
            yield level
            level = level.superclass

    @property
    def slots(self) -> dict[str, Slot]:
        """Where each field lies in the parts of an object, by name; a subclass hides its superclass's field."""
        if self._slots is None:
            self._slots = _slots(self)
        return self._slots


def _item_size(name: str) -> int:
    if not name.startswith("["):
        return -1
    return PRIMITIVE_SIZES.get(name[1:], 0)


def _steps(desc: ClassDesc) -> tuple[int, ...]:
    above = desc.superclass
    if desc.flags not in _KNOWN_FLAGS or (desc.fields and not desc.flags & SERIALIZABLE):
        raise QuPathFormatError(f"class {desc.name[:80]!r} has flags {desc.flags:#04x}, which QuPath doesn't write")
    if desc.flags & EXTERNALIZABLE:
        return (ANNOTATION,)
    if above is not None and above.flags & EXTERNALIZABLE:
        raise QuPathFormatError(f"class {desc.name[:80]!r} is not written as its superclass is")
    sizes = [PRIMITIVE_SIZES.get(field.code, 0) for field in desc.fields]
    if 0 in sizes and any(sizes[sizes.index(0) :]):
        raise QuPathFormatError(f"class {desc.name[:80]!r} has a primitive field after an object")
    steps = [] if above is None or above.steps is None else list(above.steps)
    _append_step(steps, sum(sizes))
    _append_step(steps, -sizes.count(0))
    if desc.flags & WRITE_METHOD:
        steps.append(ANNOTATION)
    return tuple(steps)


def _append_step(steps: list[int], step: int) -> None:
    if steps and steps[-1] * step > 0:
        steps[-1] += step
    elif step:
        steps.append(step)


def _slots(desc: ClassDesc) -> dict[str, Slot]:
    slots: dict[str, Slot] = {}
    part, offset = 0, 0  # offset > 0: the part at hand is an open run of primitives
    for level in reversed(tuple(desc.lineage())):
        for field in level.fields:
            size = PRIMITIVE_SIZES.get(field.code, 0)
            if not size and offset:
                part, offset = part + 1, 0
            slots[field.name] = Slot(part, offset, field.code)
            part, offset = (part, offset + size) if size else (part + 1, 0)
        if level.flags & WRITE_METHOD:
            part, offset = part + (1 if offset else 0) + 1, 0
    return slots
