"""The class scheme: which classes there are, their labels, colours, order of overlap, and what files call them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bridge.annotations.objects import Annotation, Rgb
from bridge.errors import ConfigError, UnknownPathClassError

BACKGROUND = "Background"
IGNORE_LABEL = 255
PROPOSED = "Proposed"
ROI = "ROI"
IGNORED = ("Ignore*", "Ignore")  # QuPath's name, and a layer's
PREDICTED = "Predicted"
_SEPARATOR = ": "
_COLOR = re.compile("#[0-9a-fA-F]{6}")


def predicted_class(path_class: str) -> str:
    """Return the class that predictions of a class are written in.

    Examples
    --------
    >>> predicted_class("Tumor")
    'Tumor: Predicted'
    """
    return f"{path_class}{_SEPARATOR}{PREDICTED}"


def plain_class(path_class: str) -> str | None:
    """Return X for the class ``X: Predicted``, None for any other class.

    Examples
    --------
    >>> plain_class("Tumor: In situ: Predicted")
    'Tumor: In situ'
    >>> plain_class("Tumor") is None
    True
    """
    base, separator, last = path_class.rpartition(_SEPARATOR)
    return base if separator and last == PREDICTED else None


def parse_color(text: str) -> Rgb:
    """Read ``#rrggbb``.

    Raises
    ------
    ConfigError
        Anything else.
    """
    if not _COLOR.fullmatch(text):
        raise ConfigError(f"{text!r} is not a colour; write it as #rrggbb")
    value = int(text[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255


def format_color(color: Rgb) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How objects become labels (``[labels]``)."""

    roi_classes: tuple[str, ...] = (ROI,)  # classes that mark an area whose labelling is complete
    ignore_classes: tuple[str, ...] = IGNORED  # classes whose area is never learned from
    complete: Literal["roi", "slide"] = "roi"  # "roi": complete inside ROIs only; "slide": the whole slide is labelled
    strict: bool = False  # an object of an unknown class is an error instead of *other*


@dataclass(frozen=True, slots=True)
class ClassScheme:
    """The classes of a project, in label order; label 0 is always ``Background``.

    Parameters
    ----------
    colors
        Class name → colour, in label order: the first has label 1. ``Background`` is implicit.
    priority
        Order of overlap: later wins. Classes not named come first, in label order.
    mapping
        What a file says → class. Keys are a class or layer name, or ``layer:NAME``, ``text:TEXT``, ``color:#rrggbb``,
        ``id:LAYER_ID``. The more particular rule wins: text, layer or class name, colour, id. A layer whose name says
        its class, or that it is ours, needs no rule: one for its colour or id isn't asked.

    Raises
    ------
    ConfigError
        More than 254 classes, or a rule that points at a class which the scheme doesn't have.
    """

    colors: Mapping[str, Rgb]
    priority: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.colors) > 254:
            raise ConfigError(f"a scheme holds at most 254 classes, this one has {len(self.colors)}")
        for key, target in self.mapping.items():
            if target not in self.colors and target not in (ROI, BACKGROUND, *IGNORED):
                raise ConfigError(f"[classes.map] {key!r} points at {target!r}, which is not in [classes.colors]")
        for name in self.priority:
            if name not in self.colors:
                raise ConfigError(f"[classes] priority names {name!r}, which is not in [classes.colors]")
        mapping = {k.lower() if k.startswith("color:") else k: target for k, target in self.mapping.items()}
        object.__setattr__(self, "mapping", mapping)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by label; the first is ``Background``."""
        return (BACKGROUND, *(name for name in self.colors if name != BACKGROUND))

    def __contains__(self, path_class: object) -> bool:
        return path_class == BACKGROUND or path_class in self.colors

    def label(self, path_class: str) -> int:
        """Return the class's integer in a mask.

        Raises
        ------
        UnknownPathClassError
            The scheme doesn't name the class.
        """
        try:
            return self.names.index(path_class)
        except ValueError:
            raise UnknownPathClassError(path_class, self.names) from None

    def labels_by_priority(self) -> tuple[int, ...]:
        """Return all labels in the order they are burnt: later ones overwrite earlier ones; background first."""
        first = [name for name in self.names if name not in self.priority]
        return tuple(self.label(name) for name in (*first, *self.priority))

    def classify(self, annotation: Annotation) -> str | None:
        """Return what the object is called in our words, or None when nothing says it.

        The result is a class of the scheme, ``ROI``, ``Ignore*`` …, or, where no rule fits, the file's own class
        name, so that *other* can be reported by name.
        """
        for key in self._mapping_keys(annotation):
            if key in self.mapping:
                return self.mapping[key]
        return annotation.path_class

    def resolve(self, path_class: str) -> str:
        """Return the scheme's name for a file's plain class name (by ``mapping``), or the name itself."""
        return self.mapping.get(path_class, self.mapping.get(f"layer:{path_class}", path_class))

    def _mapping_keys(self, annotation: Annotation) -> list[str]:
        keys: list[str] = []
        layer = annotation.layer
        if layer is not None and annotation.name:
            keys.append(f"text:{annotation.name}")
        if annotation.path_class is not None:
            keys.append(annotation.path_class)
        if layer is None:
            return keys
        if layer.name:
            keys.append(f"layer:{layer.name}")
        if not self._says_class(annotation.path_class):
            keys += [f"color:{format_color(layer.color)}"] if layer.color is not None else []
            keys.append(f"id:{layer.id}")
        return keys

    def _says_class(self, name: str | None) -> bool:
        if name is None:
            return False
        return name in self or name in (ROI, PROPOSED, *IGNORED) or plain_class(name) is not None
