"""What a person calls an object: by its class, its layer, or a word typed into the Text of a region of ours."""

from __future__ import annotations

from bridge.annotations.objects import Annotation
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.scheme import ClassScheme, LabelOptions, plain_class

_ACCEPTING_WORDS = frozenset({"ok"})  # ImageScope: typed into a prediction's Text


def said_class(annotation: Annotation, scheme: ClassScheme, options: LabelOptions) -> str | None:
    """Return what a person calls the object: gesture by Text in a layer of ours, else class or layer.

    ``X: Predicted`` reads as X. The result need not be in the scheme; None where nothing is said.
    """
    if annotation.layer is not None and annotation.is_ours:
        gesture = class_of_text(annotation.name, scheme, options)
        if gesture is not None:
            return gesture
    said = scheme.classify(annotation)
    if said is None:
        return None
    plain = plain_class(said)
    return said if plain is None else scheme.resolve(plain)


def class_of_text(text: str | None, scheme: ClassScheme, options: LabelOptions) -> str | None:
    """Return the class, ``ROI`` or ``Ignore*`` that a Text names, in any case of letters; None for other words.

    Examples
    --------
    >>> class_of_text(" tumor ", ClassScheme({"Tumor": (255, 0, 0)}), LabelOptions())
    'Tumor'
    """
    word = _word(text)
    if not word:
        return None
    names = (*options.roi_classes, *options.ignore_classes, *scheme.names)
    by_word = {name.casefold(): name for name in reversed(names)}
    rules = {key: name for key, name in scheme.mapping.items() if not key.startswith(("color:", "id:"))}
    mapped = {key.removeprefix("text:").removeprefix("layer:").casefold(): name for key, name in rules.items()}
    return by_word.get(word) or mapped.get(word)


def names_plainly(annotation: Annotation, written: WrittenObject, scheme: ClassScheme, options: LabelOptions) -> bool:
    """Say whether a prediction's class was confirmed by name: class or layer changed, ``ok`` or a class as its Text."""
    if annotation.path_class != written.path_class:
        return True
    is_word = _word(annotation.name) in _ACCEPTING_WORDS or class_of_text(annotation.name, scheme, options) is not None
    return annotation.layer is not None and is_word


def _word(text: str | None) -> str:
    return " ".join((text or "").split()).casefold()
