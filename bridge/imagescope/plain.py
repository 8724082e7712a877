"""People's annotations → a whole new ImageScope file, without anything of ours in it.

The newer dialect (12.x) with coordinates of at most two decimals: whole pixels stay whole, and what was drawn between
them stays within 0.005 px of where it was. One layer per class; unclassed objects in layers without a name.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.annotations.objects import Annotation, ObjectKind, Plane, Rgb, Shape
from bridge.imagescope.emit import layer_text, tag
from bridge.imagescope.layers import class_of_layer, is_our_layer, layer_of_class
from bridge.imagescope.plain_regions import Outline, PlainRegionWriter
from bridge.imagescope.plain_rings import all_outlines
from bridge.imagescope.write import create_imagescope

_DEFAULT_COLOR: Rgb = (0, 255, 0)  # ImageScope's own
_NEWLINE, _END = "\r\n", b"</Annotations>"  # of create_imagescope
_UNHELD = "\ufffd"  # what ``tag`` writes for a character that XML can't hold

# What a region has no place for, and how to see that an annotation has it.
_LOST: Mapping[str, Callable[[Annotation], bool]] = {
    "class name": lambda a: a.path_class is not None and class_of_layer(layer_of_class(a.path_class)) != a.path_class,
    "object type": lambda a: a.kind is not ObjectKind.ANNOTATION,
    "line (became a ruler)": lambda a: a.shape is Shape.LINE,
    "characters": lambda a: any(map(_is_unheld, _texts(a))),
    "lock": lambda a: a.is_locked,
    "measurements": lambda a: bool(a.measurements),
    "class probability": lambda a: a.probability is not None,
    "nucleus": lambda a: a.nucleus is not None,
    "parent object": lambda a: a.parent_id is not None,
    "plane": lambda a: a.plane != Plane(),
}


@dataclass(frozen=True, slots=True)
class PlainXml:
    """A composed file, and what it doesn't hold.

    Parameters
    ----------
    data
        The file.
    written
        Annotations that are in it.
    objects
        How many it reads back as: an area of several parts becomes several.
    left_out
        Annotations that ImageScope has no shape for: why → how many.
    lost
        What written ones lose → how many of them.
    """

    data: bytes
    written: tuple[Annotation, ...]
    objects: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Drawn:
    annotation: Annotation
    outlines: tuple[Outline, ...]

    @property
    def layer(self) -> tuple[str | None, Rgb | None]:
        """Class, and for an object without one its colour: what tells layers apart."""
        path_class = self.annotation.path_class
        return path_class, None if path_class is not None else self.annotation.color or self.annotation.own_color


def write_imagescope(annotations: Sequence[Annotation], mpp: tuple[float, float] | None) -> bytes:
    """Return a new file of annotations: the bytes of ``compose_imagescope``."""
    return compose_imagescope(annotations, mpp).data


def compose_imagescope(annotations: Sequence[Annotation], mpp: tuple[float, float] | None) -> PlainXml:
    """Compose a new file of annotations, and say what it can't hold.

    A layer per class, in order of appearance, in the colour that the class has first; predicted and proposed ones last.
    Objects without a class lie in layers without a name, one per colour. Text is the name, region attributes are the
    metadata without our own keys. Rectangles and ellipses keep their type, holes are negative regions that name their
    parent, a line of two points becomes a ruler.

    Parameters
    ----------
    annotations
        Level-0 pixels as ImageScope shows the slide.
    mpp
        (x, y) µm per level-0 pixel; the format has one number, which becomes their geometric mean. None leaves it out.
    """
    drawn, left_out = _drawable(annotations)
    layers: dict[tuple[str | None, Rgb | None], list[_Drawn]] = {}
    for item in drawn:
        layers.setdefault(item.layer, []).append(item)
    ordered = sorted(layers.values(), key=lambda items: is_our_layer(_layer_name(items[0])))
    writer = PlainRegionWriter(_NEWLINE, 0.0 if mpp is None else math.sqrt(mpp[0] * mpp[1]), itertools.count(1))
    parts = [create_imagescope(mpp).removesuffix(_END)]
    for number, items in enumerate(ordered, start=1):
        parts += [b"\t", _layer(number, items, writer).encode(), _NEWLINE.encode()]
    data = b"".join([*parts, _END])
    written = tuple(item.annotation for item in drawn)
    return PlainXml(data, written, sum(len(item.outlines) for item in drawn), left_out, _count_lost(written))


def _drawable(annotations: Sequence[Annotation]) -> tuple[list[_Drawn], Mapping[str, int]]:
    drawn: list[_Drawn] = []
    left_out: Counter[str] = Counter()
    for annotation, outlines in zip(annotations, all_outlines(annotations), strict=True):
        if isinstance(outlines, str):
            left_out[outlines] += 1
        else:
            drawn.append(_Drawn(annotation, outlines))
    return drawn, dict(left_out)


def _layer_name(item: _Drawn) -> str:
    path_class = item.annotation.path_class
    return "" if path_class is None else layer_of_class(path_class)


def _layer(layer_id: int, items: Sequence[_Drawn], writer: PlainRegionWriter) -> str:
    given = (item.annotation.color or item.layer[1] for item in items)
    colors = (color for color in given if color is not None)
    regions: list[str] = []
    for item in items:
        regions += writer.write(item.annotation, item.outlines, first_display_id=1 + len(regions))
    return layer_text(_layer_name(items[0]), layer_id, next(colors, _DEFAULT_COLOR), regions, newline=_NEWLINE)


def _count_lost(annotations: Sequence[Annotation]) -> Mapping[str, int]:
    counts = {what: sum(map(has, annotations)) for what, has in _LOST.items()}
    counts["color (the class has another)"] = _count_other_colors(annotations)
    return {what: count for what, count in counts.items() if count}


def _count_other_colors(annotations: Sequence[Annotation]) -> int:
    pairs = [(a.path_class, a.color) for a in annotations if a.path_class is not None and a.color is not None]
    first = dict(reversed(pairs))
    return sum(color != first[path_class] for path_class, color in pairs)


def _texts(annotation: Annotation) -> Iterator[str]:
    yield annotation.path_class or ""
    yield annotation.name or ""
    for key, value in annotation.metadata.items():
        yield from (key, value)


def _is_unheld(text: str) -> bool:
    is_plain = text.isascii() and text.isprintable()
    return not is_plain and _UNHELD not in text and _UNHELD in tag("t", {"t": text})
