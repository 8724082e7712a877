"""What is said of an exported network: in words, to the file itself, and in the card beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.annotations import ClassScheme, format_color
from models.checkpoints import Card, Checkpoint, NetCard, NetRole
from models.nets import NetKind
from scripts.exporting.errors import ExportError
from scripts.version import program_version

NO_LICENCE = "not stated; ask whoever trained the model"
_PLAIN_RGB = 3


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One network of a checkpoint, for people and machines.

    Parameters
    ----------
    card
        The network's.
    title
        Also the name of its file: ``segmentation``, ``fine``, ``coarse``, ``patches``, ``refinement``.
    purpose
        What it does, in a sentence.
    colours
        Of the classes, ``#rrggbb``; None where the project has none for it.
    licence
        Of the weights, as the user says.
    """

    checkpoint_id: str
    design: str
    card: NetCard
    title: str
    purpose: str
    colours: tuple[str | None, ...]
    licence: str

    @property
    def role(self) -> NetRole:
        """Which network of the checkpoint."""
        return self.card.role

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the network's output."""
        return self.card.class_names

    @property
    def channels(self) -> int:
        """Of the input: 3, or 4 with a heat map."""
        return len(self.card.normalization.mean)

    @property
    def says_one_class(self) -> bool:
        """Whether the output is one number per class and tile, not per pixel."""
        return self.card.options.kind is NetKind.PATCH

    @property
    def stride(self) -> int:
        """Height and width of the input are multiples of this."""
        return self.card.options.stride

    def as_json(self) -> dict[str, object]:
        """Return what a card says."""
        pairs = zip(self.classes, self.colours, strict=True)
        stains = self.card.stains
        return {
            "network": self.title,
            "purpose": self.purpose,
            "classes": [{"index": i, "name": name, "colour": colour} for i, (name, colour) in enumerate(pairs)],
            "mpp": self.card.mpp,
            "tile_px": self.card.tile_px,
            "stride_px": self.stride,
            "channels": ["red", "green", "blue", "heat map"][: self.channels],
            "normalization_inside": {
                "mean": list(self.card.normalization.mean),
                "scale": list(self.card.normalization.scale),
            },
            "stain_reference": None if stains is None else stains.to_json(),
        }

    def as_properties(self, layout: Mapping[str, str]) -> dict[str, str]:
        """Return what an ONNX file says of itself; lists as JSON."""
        return {
            "program": f"SlideBridge {program_version()}".strip(),
            "checkpoint": self.checkpoint_id,
            "design": self.design,
            "network": self.title,
            "purpose": self.purpose,
            "classes": json.dumps(self.classes, ensure_ascii=False),
            "colours": json.dumps(self.colours),
            "mpp": repr(self.card.mpp),
            "tile_px": str(self.card.tile_px),
            "stride_px": str(self.stride),
            "licence": self.licence,
            **layout,
        }


def facts_of(
    checkpoint: Checkpoint, scheme: ClassScheme, *, licence: str | None, one_network: bool = False
) -> tuple[ModelFacts, ...]:
    """Return the facts of every network that prediction uses, the first one to run first.

    Parameters
    ----------
    scheme
        The project's, for the colours.
    one_network
        Leave the coarse network of ``deepzoom`` out, as ``[model] one_network`` does.
    """
    card = checkpoint.card
    order = (NetRole.LOW, NetRole.HIGH, NetRole.REFINEMENT)
    roles = [role for role in order if role in card.roles and not (one_network and role is NetRole.LOW)]
    return tuple(_facts(checkpoint, role, scheme, licence, is_alone=len(roles) == 1) for role in roles)


def _facts(
    checkpoint: Checkpoint, role: NetRole, scheme: ClassScheme, licence: str | None, *, is_alone: bool
) -> ModelFacts:
    card = checkpoint.card.net(role)
    title, purpose = _title(card, is_alone=is_alone)
    colours = tuple(format_color(scheme.colors[n]) if n in scheme.colors else None for n in card.class_names)
    return ModelFacts(
        checkpoint.id, checkpoint.card.design, card, title, purpose, colours, (licence or "").strip() or NO_LICENCE
    )


def _title(card: NetCard, *, is_alone: bool) -> tuple[str, str]:
    if card.options.kind is NetKind.PATCH:
        return "patches", "says one class for a whole tile"
    if card.options.kind is NetKind.REFINEMENT:
        heat = " and the heat map of the patches" if len(card.normalization.mean) > _PLAIN_RGB else ""
        return "refinement", f"says a class for every pixel of the slide at low resolution{heat}"
    if card.role is NetRole.LOW:
        return "coarse", "says at low resolution where a closer look is worth while"
    if is_alone:
        return "segmentation", "says a class for every pixel"
    return "fine", "says a class for every pixel where the coarse network wants a closer look"


def stain_notes(card: Card, role: NetRole, reader: str, *, is_forced: bool) -> tuple[str, ...]:
    """Return what people must know of a network that another program runs without matching a slide's stain.

    Raises
    ------
    ExportError
        The network was trained on slides dyed alike, and nobody forces it.
    """
    note = stain_note(card, [role])
    if note is not None and not is_forced:
        way_out = 'train with [model] preset = "fast", or hand it over all the same with --force'
        raise ExportError(f"{note}, and {reader} doesn't; {way_out}")
    return () if note is None else (note,)


def stain_note(card: Card, roles: Sequence[NetRole]) -> str | None:
    """Return what people must know of networks that were trained on slides dyed alike; None where none was."""
    if all(card.net(role).stains is None for role in roles):
        return None
    return (
        "the model was trained on slides whose stain was matched to a reference (stain_reference in the card), which"
        " SlideBridge does before it predicts; a program that doesn't will find something else"
    )
