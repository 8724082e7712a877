"""Changes to XML by someone who knows ImageScope's elements and attributes."""

from __future__ import annotations

import random
import re

_TAG = re.compile(rb"<(/?)([A-Za-z]\w*)((?:\s+[\w:]+=\"[^\"]*\")*)\s*(/?)>")
_ATTRIBUTE = re.compile(rb"([\w:]+)=\"([^\"]*)\"")
_VALUES = (
    b"",
    b"0",
    b"-1",
    b"1",
    b"2",
    b"3",
    b"4",
    b"99",
    b"2147483648",
    b"1e308",
    b"1e400",
    b"-1e400",
    b"NaN",
    b"INF",
    b"9,5",
    b"1,234.5",
    b"0x10",
    b" 7 ",
    b"7e",
    b"&#0;",
    b"&#10;",
    b"&amp;",
    b"&nope;",
    b"ROI",
    b"ok",
    b"Tumor (predicted)",
    b"Proposed",
    b"SlideBridge",
    b"Ignore*",
    b"\xed\xa0\x80",
    b"\xff",
    b"x" * 70_000,
    "ä漢😀".encode(),
)
_NAMES = (b"Annotations", b"Annotation", b"Regions", b"Region", b"Vertices", b"Vertex", b"Attribute", b"Plots", b"X")
_ATTRIBUTES = (
    b"Id",
    b"Type",
    b"Name",
    b"Text",
    b"NegativeROA",
    b"InputRegionId",
    b"LineColor",
    b"X",
    b"Y",
    b"GeoShape",
)
_PREFIXES = (
    b'<?xml version="1.0"?>',
    b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="windows-1252"?>',
    b'<?xml version="1.0" encoding="no-such-thing"?>',
    b'<!DOCTYPE Annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>',
    b'<!DOCTYPE Annotations SYSTEM "file:///etc/passwd">',
    b"<!-- c -->",
    b"\xef\xbb\xbf",
    b"\n\n",
)


def mutate_xml(data: bytes, chance: random.Random) -> bytes:
    """Return the text with one to three of its tags or attributes changed."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        tags = list(_TAG.finditer(data))
        if not tags:
            return data
        data = _changed(data, chance.choice(tags), tags, chance)
    return data


def _changed(data: bytes, tag: re.Match[bytes], tags: list[re.Match[bytes]], chance: random.Random) -> bytes:
    start, end = tag.span()
    match chance.randrange(10):
        case 0 | 1 | 2:
            return data[:start] + _with_attribute(tag[0], chance) + data[end:]
        case 3:
            return data[:start] + data[end:]
        case 4:
            return data[:end] + _element(data, chance.choice(tags), tags) * chance.choice((1, 1, 5, 100)) + data[end:]
        case 5:
            other = _element(data, tag, tags)
            return data[:start] + data[start + len(other) :]
        case 6:
            return data[:start] + tag[0].replace(tag[2], chance.choice(_NAMES), 1) + data[end:]
        case 7:
            depth = chance.choice((1, 5, 100, 3000))
            name = chance.choice(_NAMES)
            inner = _element(data, tag, tags)
            return (
                data[:start] + (b"<%s>" % name) * depth + inner + (b"</%s>" % name) * depth + data[start + len(inner) :]
            )
        case 8:
            return chance.choice(_PREFIXES) + data
        case _:
            return (
                data[:end]
                + chance.choice((b"<![CDATA[x]]>", b"<?p q?>", b"<!-- - -->", b"text", b"&#x41;"))
                + data[end:]
            )


def _with_attribute(tag: bytes, chance: random.Random) -> bytes:
    found = list(_ATTRIBUTE.finditer(tag))
    value = chance.choice(_VALUES)
    if not found or chance.random() < 0.2:
        name = chance.choice(_ATTRIBUTES)
        return tag.replace(b">", b' %s="%s">' % (name, value), 1)
    attribute = chance.choice(found)
    changed = b"" if chance.random() < 0.15 else b'%s="%s"' % (attribute[1], value)
    return tag[: attribute.start()] + changed + tag[attribute.end() :]


def _element(data: bytes, tag: re.Match[bytes], tags: list[re.Match[bytes]]) -> bytes:
    """Return the text from a tag to its end tag; the tag alone where it has none."""
    if tag[1] or tag[4]:
        return tag[0]
    depth = 0
    for other in tags[tags.index(tag) :]:
        if other[2] == tag[2] and not other[4]:
            depth += -1 if other[1] else 1
        if depth == 0:
            return data[tag.start() : other.end()]
    return tag[0]
