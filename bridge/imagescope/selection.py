"""Which layers and regions of a file an edit concerns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bridge.annotations.source import Edits
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.elements import Document, LayerElement, RegionElement
from bridge.imagescope.holes import draw_layer
from bridge.imagescope.layers import (
    HINT,
    MARKER,
    MARKER_COLOR,
    MARKER_LAYER,
    class_of_layer,
    from_line_color,
    is_our_layer,
)

_OBJECT_ID = re.compile(r"L(\d{1,9})R(\d{1,9})")
_USER_LAYER = "4"  # Annotation/@Type; 3 is an algorithm's result
_Position = tuple[int, int]  # of a layer in the file and of a region in that layer


@dataclass(frozen=True, slots=True)
class Leaving:
    """Regions that leave our layers.

    Parameters
    ----------
    targets
        Position (layer, region) → the class it is promoted to, or None for deleted; in the file's order.
    """

    targets: Mapping[_Position, str | None]

    def by_layer(self) -> Mapping[int, list[int]]:
        """Return layer → the regions that leave it, both by position."""
        found: dict[int, list[int]] = {}
        for layer, region in self.targets:
            found.setdefault(layer, []).append(region)
        return found


def object_id(layer_index: int, region_index: int) -> str:
    """Return what names a region within one revision of its file."""
    return f"L{layer_index}R{region_index}"


def is_named_ours(layer: LayerElement) -> bool:
    """Say whether a layer's name says that it holds what we write."""
    return is_our_layer(layer.name)


def leaving_regions(
    document: Document, edits: Edits, *, holds_ours: Callable[[LayerElement], bool] = is_named_ours
) -> Leaving:
    """Return which regions leave our layers: those that the edits name, and the holes that lie in nothing else.

    Holes that we wrote and whose region a person has deleted leave too: they mean nothing and would keep the layer.

    Parameters
    ----------
    holds_ours
        Says whether what we write lies in a layer.

    Raises
    ------
    ImageScopeFormatError
        An ``object_id`` names no region, or one that doesn't lie in a layer of ours.
    """
    targets: dict[_Position, str | None] = {_position(document, name, holds_ours): None for name in edits.delete}
    for name, (path_class, _) in edits.promote.items():
        targets[_position(document, name, holds_ours)] = path_class
    for index, layer in enumerate(document.layers):
        if holds_ours(layer) and any(region.is_negative for region in layer.regions):
            targets |= _holes_leaving(index, layer, targets)
    return Leaving(dict(sorted(targets.items())))


def is_marker_layer(layer: LayerElement) -> bool:
    """Say whether the layer holds our write marker."""
    return layer.name == MARKER_LAYER and layer.property_value(MARKER) is not None


def is_ours(layer: LayerElement) -> bool:
    """Say whether the whole layer is ours to take out: not the marker's once a person has drawn in it.

    A viewer may have dropped the marker from its layer: empty, of its name and of our colour, it is still ours. Else
    every such save would leave one more of them.
    """
    if is_our_layer(layer.name):
        return True
    is_empty = layer.name == MARKER_LAYER and not layer.regions
    return is_empty and (is_marker_layer(layer) or from_line_color(layer.attributes.get("LineColor")) == MARKER_COLOR)


def user_layer(document: Document, path_class: str) -> LayerElement | None:
    """Return the first layer of a person's that stands for the class, or None."""
    for layer in document.layers:
        is_user = not is_ours(layer) and layer.attributes.get("Type", _USER_LAYER) == _USER_LAYER
        if is_user and class_of_layer(layer.name) == path_class:
            return layer
    return None


def _position(document: Document, name: str, holds_ours: Callable[[LayerElement], bool]) -> _Position:
    found = _OBJECT_ID.fullmatch(name)
    layer, region = (int(found[1]), int(found[2])) if found else (-1, -1)
    if not 0 <= layer < len(document.layers) or region >= len(document.layers[layer].regions):
        raise ImageScopeFormatError(f"there is no object {name[:40]!r}; read the file again")
    if not holds_ours(document.layers[layer]):
        theirs = document.layers[layer].name
        raise ImageScopeFormatError(f"object {name!r} lies in layer {theirs!r}, which is not ours to change")
    return layer, region


def _holes_leaving(
    index: int, layer: LayerElement, targets: Mapping[_Position, str | None]
) -> Iterator[tuple[_Position, str | None]]:
    """Yield the holes that no region of the layer needs any more, and where they go."""
    all_parents = draw_layer(layer.regions).parents
    for hole, region in enumerate(layer.regions):
        parents = [(index, parent) for parent in all_parents.get(hole, ())]
        if parents and all(parent in targets for parent in parents):
            yield (index, hole), next((target for p in parents if (target := targets[p]) is not None), None)
        elif not parents and region.is_negative and _is_written(region):
            yield (index, hole), None


def _is_written(region: RegionElement) -> bool:
    hinted = any(found.name == HINT for found in region.properties)
    return hinted or region.attributes.get("InputRegionId", "0") not in ("", "0")
