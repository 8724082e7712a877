"""Changes to a file as splices of its bytes; everything between them goes out as it came in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.imagescope.elements import Document, Element, LayerElement

_SELECTED = re.compile(rb"""\sSelected\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Splice:
    """Bytes ``start`` to ``end`` (half-open) are replaced; equal offsets insert."""

    start: int
    end: int
    text: bytes = b""


def apply_splices(body: bytes, splices: Iterable[Splice], start: int = 0, end: int | None = None) -> bytes:
    """Return bytes ``start`` to ``end`` of the body with the splices made.

    Inserts at one place keep their order and go before a cut that begins there.
    """
    position, parts = start, []
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        assert splice.start >= position, "splices don't overlap"
        parts += [body[position : splice.start], splice.text]
        position = splice.end
    return b"".join([*parts, body[position : len(body) if end is None else end]])


def cut_layer(document: Document, layer: LayerElement) -> Splice:
    """Take a layer out with its indentation and one line end: exactly what ``chunk`` puts around it.

    The indentation is one tab, or, where another program has indented by spaces, all of them.
    """
    body, element = document.body, layer.element
    start = element.start
    if body[start - 1 : start] == b"\t":
        start -= 1
    else:
        while body[start - 1 : start] == b" ":
            start -= 1
    return Splice(start, _after_newline(body, element.end))


def chunk(document: Document, text: bytes) -> bytes:
    """Return a layer as we insert it: a tab before, a line end after."""
    return b"\t" + text + document.newline.encode()


def append_layers(document: Document, layers: Iterable[bytes]) -> Splice:
    """Put layers right before ``</Annotations>``, where ``cut_layer`` takes them out without a trace."""
    chunks = b"".join(chunk(document, layer) for layer in layers)
    root = document.root
    if not root.is_self_closed:
        return Splice(root.close, root.close, chunks)
    return Splice(root.end - 2, root.end, b">" + document.newline.encode() + chunks + b"</Annotations>")


def cut_line(document: Document, element: Element) -> Splice:
    """Take an element out; with its whole line or lines where nothing else is on them."""
    body, start = document.body, element.start
    while body[start - 1 : start] in (b"\t", b" "):
        start -= 1
    if body[start - 1 : start] != b"\n":
        return Splice(element.start, element.end)
    return Splice(start, _after_newline(body, element.end))


def insert_regions(document: Document, layer: LayerElement, regions: bytes) -> Splice:
    """Put regions (whole lines) after the last one of a layer, whatever the layer lacks."""
    newline = document.newline.encode()
    container = layer.container
    if container is not None and not container.is_self_closed:
        return _insert_before(document, container.close, regions)
    if container is not None:
        return Splice(container.end - 2, container.end, b">" + newline + regions + b"\t\t</Regions>")
    regions = b"\t\t<Regions>" + newline + regions + b"\t\t</Regions>" + newline
    element = layer.element
    if element.is_self_closed:
        return Splice(element.end - 2, element.end, b">" + newline + regions + b"\t</Annotation>")
    return _insert_before(document, element.close, regions)


def unselect(document: Document, layer: LayerElement) -> list[Splice]:
    """Set a layer's ``Selected`` to 0, so that what a person draws next doesn't land in it."""
    element = layer.element
    found = _SELECTED.search(document.body, element.start, element.open_end)
    if found is None or found[1] == b"0":
        return []
    return [Splice(*found.span(1), b"0")]


def _insert_before(document: Document, close: int, lines: bytes) -> Splice:
    """Insert whole lines above a closing tag; on the spot, with a line end before, where it doesn't begin its line."""
    start = close
    while document.body[start - 1 : start] in (b"\t", b" "):
        start -= 1
    if document.body[start - 1 : start] == b"\n":
        return Splice(start, start, lines)
    return Splice(close, close, document.newline.encode() + lines)


def _after_newline(body: bytes, position: int) -> int:
    for newline in (b"\r\n", b"\n"):
        if body.startswith(newline, position):
            return position + len(newline)
    return position
