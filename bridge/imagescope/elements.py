"""The elements of an ImageScope file: what they mean, and where their bytes are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.imagescope.encoding import Encoding

_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
_MICROSOFT_NAN = re.compile(r"\s*[+-]?1\.#(INF|IND|[QS]NAN)0*\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Element:
    """Where an element's bytes are: ``<start … open_end>``content``<close/ … end>``, half-open offsets.

    An element that closes itself (``<Regions/>``) has ``open_end == close == end``.
    """

    start: int
    open_end: int
    close: int
    end: int

    @property
    def is_self_closed(self) -> bool:
        """Whether the element is one tag, ``<…/>``."""
        return self.close == self.end


@dataclass(frozen=True, slots=True)
class Property:
    """An ``<Attribute Name Value>`` below ``<Attributes>``; without a name, its ``Id`` names it."""

    element: Element
    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class RegionElement:
    """A drawn shape.

    Parameters
    ----------
    vertices
        float64, shape (n, 2), (x, y) in level-0 pixels, as written; not finite where the file says so.
    """

    element: Element
    attributes: Mapping[str, str]
    vertices: NDArray[np.float64]
    properties: tuple[Property, ...]

    @property
    def id(self) -> str:
        """The file's id, unique within a layer at best; empty when absent."""
        return self.attributes.get("Id", "")

    @property
    def is_negative(self) -> bool:
        """Whether the region cuts a hole instead of covering an area."""
        return self.attributes.get("NegativeROA", "").strip().lower() in ("1", "true")


@dataclass(frozen=True, slots=True, eq=False)
class LayerElement:
    """An ``<Annotation>``, which is ImageScope's layer.

    Parameters
    ----------
    container
        Its ``<Regions>``; None where it has none.
    """

    element: Element
    attributes: Mapping[str, str]
    properties: tuple[Property, ...]
    regions: tuple[RegionElement, ...]
    container: Element | None

    @property
    def name(self) -> str:
        """``Name``, else ``LayerName`` (the Sarder laboratory's dialect); empty for an unnamed layer."""
        return self.attributes.get("Name") or self.attributes.get("LayerName", "")

    def property_value(self, name: str) -> str | None:
        """Return the value of the layer's attribute of that name, or None."""
        return next((found.value for found in self.properties if found.name == name), None)


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A parsed file; offsets count bytes of ``body``.

    Parameters
    ----------
    body
        The text as UTF-8, without byte order mark; ``encoding.pack(body)`` is the file.
    """

    body: bytes
    encoding: Encoding
    root: Element
    attributes: Mapping[str, str]
    layers: tuple[LayerElement, ...]

    @property
    def newline(self) -> str:
        """The line end that the file uses first; a bare line feed for a file of one line."""
        first = self.body.find(b"\n")
        return "\r\n" if first > 0 and self.body[first - 1 : first] == b"\r" else "\n"

    @property
    def mpp(self) -> float | None:
        """µm per level-0 pixel; None where the file has none, or one that is not a positive number."""
        try:
            value = parse_number(self.attributes.get("MicronsPerPixel", ""))
        except ValueError:
            return None
        return value if 0 < value < math.inf else None

    def text(self, element: Element) -> bytes:
        """Return the element's bytes."""
        return self.body[element.start : element.end]


def parse_number(text: str) -> float:
    """Read a coordinate: ``12``, ``12.5`` or ``12,5``; NaN or infinite where the file says so.

    Raises
    ------
    ValueError
        No number, or one with a thousands separator.
    """
    try:
        if "_" in text:  # a number to Python, and to nobody else
            raise ValueError(text)
        return float(text)
    except ValueError:
        if _DECIMAL_COMMA.fullmatch(text):
            return float(text.replace(",", "."))
        if _MICROSOFT_NAN.fullmatch(text):
            return math.nan
        raise
