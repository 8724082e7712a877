"""The card of one net of a checkpoint: how it is built, and the input it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from models.checkpoints.stain_reference import StainReference
from models.nets import LabelHead, NetKind, NetOptions, Normalization, parse_encoder


class NetRole(Enum):
    """What a net of a checkpoint is for."""

    HIGH = "high"  # sees the working resolution
    LOW = "low"  # finds hot-spots at a coarser one, before it
    REFINEMENT = "refinement"  # makes a mask of the slide at a coarser one and the high net's heat map, after it


@dataclass(frozen=True, slots=True)
class NetCard:
    """One net of a checkpoint, and the input it was trained on.

    Parameters
    ----------
    role
        Names the net within its checkpoint; its weights' keys begin with it.
    options
        How to build it.
    class_names
        By channel of its head; the first is ``Background``.
    mpp
        µm per pixel of its input.
    tile_px
        Side of the tiles it was trained on.
    normalization
        How pixels become its input.
    stains
        What slides are dyed like before that; None leaves their colours as they are.
    """

    role: NetRole
    options: NetOptions
    class_names: tuple[str, ...]
    mpp: float
    tile_px: int
    normalization: Normalization
    stains: StainReference | None = None

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return what a card file holds of this self."""
        options = self.options
        # What every net was before there were others is left out: a checkpoint's id is a hash over its card.
        kind = {"kind": options.kind.value} if options.kind is not NetKind.UNET else {}
        label_head = {"label_head": options.label_head.value} if options.label_head is not None else {}
        is_guided = {} if options.is_guided else {"is_guided": False}
        return {
            "role": self.role.value,
            "encoder": options.encoder.value,
            "encoder_channels": list(options.encoder_channels),
            "decoder_channels": list(options.decoder_channels),
            "stem_channels": options.stem_channels,
            "convolutions": options.convolutions,
            "pretrained": options.pretrained,
            "class_names": list(self.class_names),
            "mpp": self.mpp,
            "tile_px": self.tile_px,
            "normalization": {"mean": list(self.normalization.mean), "scale": list(self.normalization.scale)},
            **kind,
            **label_head,
            **is_guided,
            **({} if self.stains is None else {"stains": self.stains.to_json()}),
        }

    @classmethod
    def from_json(cls, data: Any) -> NetCard:  # Any: whatever a file held
        """Read what `to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            It is no such thing.
        """
        rule, label_head = data["normalization"], data.get("label_head")
        return cls(
            role=NetRole(data["role"]),
            options=NetOptions(
                kind=NetKind(data.get("kind", NetKind.UNET.value)),  # a card of before there were others
                encoder=parse_encoder(data["encoder"]),
                encoder_channels=tuple(int(c) for c in data["encoder_channels"]),
                decoder_channels=tuple(int(c) for c in data["decoder_channels"]),
                stem_channels=int(data["stem_channels"]),
                convolutions=int(data["convolutions"]),
                pretrained=bool(data["pretrained"]),
                label_head=LabelHead(label_head) if label_head is not None else None,
                is_guided=bool(data.get("is_guided", True)),
            ),
            class_names=tuple(str(name) for name in data["class_names"]),
            mpp=float(data["mpp"]),
            tile_px=int(data["tile_px"]),
            normalization=Normalization(_numbers(rule["mean"]), _numbers(rule["scale"])),
            stains=StainReference.from_json(data["stains"]) if data.get("stains") is not None else None,
        )


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
