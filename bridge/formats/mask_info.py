"""What a label mask says of itself, beside its pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bridge.annotations.objects import Rgb

_KEY = "slidebridge"
IGNORE_COLOR: Rgb = (128, 128, 128)  # of label 255
UNNAMED_COLOR: Rgb = (255, 255, 255)  # of labels that have no name
# A file that only says what scanners and painting programs put in by default (72–600 dpi) says nothing of the slide:
# 600 dpi are 42 µm.
COARSEST_MPP = 40.0


@dataclass(frozen=True, slots=True)
class MaskInfo:
    """Names, colours and scale of a label mask.

    Parameters
    ----------
    names
        Class names by label, the first of label 0; empty where the file has none.
    colors
        Colours by label, as many as names.
    mask_mpp
        (x, y) µm per *mask* pixel; None if nobody knows. Level 0's is this divided by the downsample.
    downsample
        Level-0 pixels per mask pixel and side; None if the file doesn't say.
    origin
        Column and row of the mask's first pixel on the grid of that downsample (``Window.x``, ``Window.y``).
    """

    names: tuple[str, ...] = ()
    colors: tuple[Rgb, ...] = ()
    mask_mpp: tuple[float, float] | None = None
    downsample: float | None = None
    origin: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.names) != len(self.colors) or len(self.names) > 255:
            raise ValueError(f"a mask needs a colour per name, at most 255; got {len(self.names)}, {len(self.colors)}")

    def palette(self) -> list[Rgb]:
        """Return the colours of all 256 labels."""
        return [*self.colors, *[UNNAMED_COLOR] * (255 - len(self.colors)), IGNORE_COLOR]

    def to_json(self) -> str:
        """Return what goes into the file's description; ASCII."""
        return json.dumps({_KEY: asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> MaskInfo | None:
        """Read a description of ours; None for any other."""
        try:
            values = json.loads(text)[_KEY]
            return cls._from_values(values)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return None  # any other program's description, or ours edited: the pixels are still good

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> MaskInfo:
        mpp, downsample = values["mask_mpp"], values["downsample"]
        red_green_blue = [tuple(int(part) for part in color) for color in values["colors"]]
        return cls(
            names=tuple(str(name) for name in values["names"]),
            colors=tuple((r, g, b) for r, g, b in red_green_blue),
            mask_mpp=None if mpp is None else (float(mpp[0]), float(mpp[1])),
            downsample=None if downsample is None else float(downsample),
            origin=(int(values["origin"][0]), int(values["origin"][1])),
        )


def plausible_mpp(x: float, y: float) -> tuple[float, float] | None:
    """Return a resolution tag's µm per pixel, or None where it can't be that of a slide."""
    return (x, y) if 0 < x <= COARSEST_MPP and 0 < y <= COARSEST_MPP else None
