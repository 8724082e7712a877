"""Which annotations go into a label mask, as which label, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from shapely.geometry.base import BaseGeometry

from bridge.annotations import (
    BACKGROUND,
    IGNORE_LABEL,
    PROPOSED,
    Annotation,
    ClassScheme,
    LabelOptions,
    ObjectKind,
    Rgb,
    Shape,
    format_color,
    plain_class,
)
from bridge.errors import ConfigError
from scripts.conversion.classes import IGNORE_COLOR, ClassFile

_UNNAMED = "Annotation"  # as ``slidebridge new`` calls objects without a class


@dataclass(frozen=True, slots=True)
class MaskPlan:
    """What goes into a mask, in the order of burning.

    Parameters
    ----------
    scheme
        Names the labels.
    shapes
        (geometry, label), level-0 pixels of the slide.
    written
        The annotations behind them.
    left_out
        Why others don't → how many.
    """

    scheme: ClassScheme
    shapes: tuple[tuple[BaseGeometry, int], ...]
    written: tuple[Annotation, ...]
    left_out: Mapping[str, int]
    notes: tuple[str, ...] = ()


def plan_mask(annotations: Sequence[Annotation], chosen: ClassFile | None, known: Mapping[str, Rgb]) -> MaskPlan:
    """Decide what goes into a mask: people's areas that have a class.

    Without ``chosen`` every class of the source is a label, in order of appearance; objects without a class become
    ``Annotation`` (by colour where they have several). Where classes overlap the later one in ``scheme.priority`` wins;
    without ``chosen`` that is the one whose largest object is smaller. Ignored areas are label 255, over everything.

    Parameters
    ----------
    annotations
        As they go out: ``classified``.
    known
        Classes that the source itself lists, in label order: they come first.

    Raises
    ------
    ConfigError
        An area of a class that ``chosen`` doesn't name.
    """
    labels = LabelOptions() if chosen is None else chosen.labels
    notes: tuple[str, ...] = ()
    left_out: Counter[str] = Counter()
    areas = []
    for annotation in annotations:
        reason = _why_not(annotation, labels)
        if reason is None:
            areas.append(annotation)
        else:
            left_out[reason] += 1
    if chosen is None:
        areas, notes = _named(areas)
        scheme = _scheme_of(areas, known, labels)
    else:
        left_out += Counter("without a class" for a in areas if a.path_class is None)
        areas = [a for a in areas if a.path_class is not None]
        scheme = chosen.scheme
        _refuse_unknown(areas, chosen)
    return _ordered(areas, scheme, labels, dict(left_out), notes)


def _why_not(annotation: Annotation, labels: LabelOptions) -> str | None:
    path_class = annotation.path_class
    if annotation.kind is not ObjectKind.ANNOTATION:
        return str(annotation.kind.value)
    if not annotation.shape.is_area or annotation.geometry.is_empty:
        return "no shape" if annotation.shape.is_area or annotation.shape is Shape.NONE else str(annotation.shape.value)
    if path_class == PROPOSED:
        return "proposal"
    if path_class is not None and plain_class(path_class) is not None:
        return "prediction"
    return path_class if path_class is not None and path_class in labels.roi_classes else None


def _named(areas: Sequence[Annotation]) -> tuple[list[Annotation], tuple[str, ...]]:
    """Give objects without a class one, by colour."""
    colors = list(dict.fromkeys(_color_of(a) for a in areas if a.path_class is None))
    names = {c: _UNNAMED if len(colors) == 1 else f"{_UNNAMED} {i}" for i, c in enumerate(colors, start=1)}
    shown = ", ".join(f"{name} ({'no colour' if c is None else format_color(c)})" for c, name in names.items())
    notes = (f"objects without a class are called {shown}; --classes can name them",) if names else ()
    return [a if a.path_class is not None else replace(a, path_class=names[_color_of(a)]) for a in areas], notes


def _color_of(annotation: Annotation) -> Rgb | None:
    return annotation.color or annotation.own_color


def _scheme_of(areas: Sequence[Annotation], known: Mapping[str, Rgb], labels: LabelOptions) -> ClassScheme:
    colors = dict(known)
    largest = dict.fromkeys(known, 0.0)
    for annotation in areas:
        name = annotation.path_class
        if name is not None and name not in labels.ignore_classes and name != BACKGROUND:
            colors.setdefault(name, annotation.color or IGNORE_COLOR)
            largest[name] = max(largest.get(name, 0.0), annotation.geometry.area)
    # What lies inside something else is drawn over it, whatever the order in the file.
    return ClassScheme(colors, tuple(sorted(largest, key=lambda name: -largest[name])))


def _refuse_unknown(areas: Sequence[Annotation], chosen: ClassFile) -> None:
    known: Collection[str] = {*chosen.scheme.names, *chosen.labels.ignore_classes}
    unknown = Counter(a.path_class for a in areas if a.path_class not in known)
    if unknown:
        listed = ", ".join(f"{name!r} ({count})" for name, count in unknown.items())
        way_out = "give them a colour there, or map them to a class in [classes.map]; without --classes all are kept"
        raise ConfigError(f"{chosen.path} doesn't name the classes {listed}; {way_out}")


def _ordered(
    areas: Sequence[Annotation],
    scheme: ClassScheme,
    labels: LabelOptions,
    left_out: Mapping[str, int],
    notes: tuple[str, ...],
) -> MaskPlan:
    rank = {label: place for place, label in enumerate((*scheme.labels_by_priority(), IGNORE_LABEL))}
    pairs = [
        (IGNORE_LABEL if a.path_class in labels.ignore_classes else scheme.label(a.path_class or ""), a) for a in areas
    ]
    pairs.sort(key=lambda pair: rank[pair[0]])
    return MaskPlan(scheme, tuple((a.geometry, label) for label, a in pairs), tuple(areas), left_out, notes)
