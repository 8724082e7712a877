"""Names and colours of layers: which are ours, and what a layer's name says in the words of path classes."""

from __future__ import annotations

from bridge.annotations.objects import Rgb
from bridge.annotations.scheme import PROPOSED, plain_class, predicted_class

MARKER_LAYER = "SlideBridge"
MARKER_COLOR: Rgb = (128, 128, 128)  # of that layer
MARKER = "slidebridge.write"  # the layer attribute that holds the write marker
SELF_CLOSED = "slidebridge.root"  # the layer attribute that remembers a root written as <Annotations/>
HINT = "slidebridge"  # the region attribute that holds our object's id
PROBABILITY = "slidebridge.probability"
_PREDICTED_SUFFIX = " (predicted)"


def is_our_layer(name: str) -> bool:
    """Say whether a layer of this name holds what we write (``SlideBridge``, which holds nothing, is not meant).

    Examples
    --------
    >>> is_our_layer("Tumor (predicted)"), is_our_layer("Proposed"), is_our_layer("Tumor")
    (True, True, False)
    """
    return name == PROPOSED or _predicted_base(name) is not None


def class_of_layer(name: str) -> str | None:
    """Return the path class that a layer's name stands for; None for an unnamed layer. Spaces around it don't count.

    Examples
    --------
    >>> class_of_layer("Tumor (predicted)"), class_of_layer("ROI"), class_of_layer("")
    ('Tumor: Predicted', 'ROI', None)
    """
    base = _predicted_base(name)
    return predicted_class(base) if base is not None else name.strip() or None


def layer_of_class(path_class: str) -> str:
    """Return the name of the layer that objects of a path class lie in.

    Examples
    --------
    >>> layer_of_class("Tumor: Predicted"), layer_of_class("Proposed")
    ('Tumor (predicted)', 'Proposed')
    """
    base = plain_class(path_class)
    return f"{base}{_PREDICTED_SUFFIX}" if base is not None else path_class


def from_line_color(text: str | None) -> Rgb | None:
    """Read ``LineColor``, a decimal of blue << 16 | green << 8 | red; None where it is not one.

    Examples
    --------
    >>> from_line_color("33023")
    (255, 128, 0)
    """
    try:
        value = int(text or "") & 0xFFFFFF
    except ValueError:
        return None
    return value & 255, value >> 8 & 255, value >> 16


def to_line_color(color: Rgb) -> int:
    """Return the colour as ``LineColor`` has it.

    Examples
    --------
    >>> to_line_color((255, 128, 0))
    33023
    """
    red, green, blue = color
    return blue << 16 | green << 8 | red


def _predicted_base(name: str) -> str | None:
    base = name.removesuffix(_PREDICTED_SUFFIX)
    return base if base and base != name else None
