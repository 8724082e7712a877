from __future__ import annotations

import pytest

from bridge.errors import QuPathFormatError
from bridge.qupath.java_class import ClassDesc, Field, Slot
from bridge.qupath.java_text import JavaString

_KIND = JavaString(b"Ljava/lang/String;")


def _class(name: str, flags: int, *fields: str, above: ClassDesc | None = None) -> ClassDesc:
    desc = ClassDesc(name, 1)
    desc.complete(flags, tuple(Field(f[0], f[1:], None if f[0] in "IDZ" else _KIND) for f in fields), above)
    return desc


def test_primitives_of_a_class_and_its_superclass_lie_together() -> None:
    above = _class("Above", 2, "Ia", "Db")
    below = _class("Below", 2, "Zc", "Ld", "Le", above=above)
    assert below.steps == (13, -2)
    assert below.slots == {
        "a": Slot(0, 0, "I"), "b": Slot(0, 4, "D"), "c": Slot(0, 12, "Z"), "d": Slot(1, 0, "L"), "e": Slot(2, 0, "L"),
    }  # fmt: skip


def test_what_a_class_writes_itself_ends_a_run() -> None:
    above = _class("HashMap", 3, "Ia")
    below = _class("LinkedHashMap", 2, "Zb", above=above)
    assert below.steps == (4, 0, 1)
    assert below.slots["b"] == Slot(2, 0, "Z")


def test_flat_size_and_item_size() -> None:
    assert _class("Integer", 2, "Ia", above=_class("Number", 2)).flat_size == 4
    assert _class("Pair", 2, "Ia", "Lb").flat_size == -1
    assert [ClassDesc(name, 1).item_size for name in ("[F", "[D", "[B", "[[F", "[Ljava.lang.Object;", "F")] == [
        4, 8, 1, 0, 0, -1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "fields"), [(2, ("La", "Ib")), (12, ("Ia",)), (6, ()), (4, ()), (64, ()), (0, ("Ia",))]
)
def test_what_java_never_writes_is_refused(flags: int, fields: tuple[str, ...]) -> None:
    with pytest.raises(QuPathFormatError):
        _class("Odd", flags, *fields)


def test_a_plain_class_below_an_externalizable_one_is_refused() -> None:
    with pytest.raises(QuPathFormatError, match="superclass"):
        _class("Below", 2, above=_class("Above", 12))
