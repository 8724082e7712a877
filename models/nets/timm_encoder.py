"""Any encoder of timm that gives feature maps, where timm is installed; it is no part of SlideBridge's own needs.

Wightman, "PyTorch Image Models" (https://github.com/huggingface/pytorch-image-models), ``features_only=True``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.errors import CheckpointError
from models.nets.encoder import Encoder, Normalization

_WRAPPER = re.compile(r"^(net|model|body)(\.|$)")  # ours, and what timm's own wrappers call the whole net inside
_FLATTENED = re.compile(r"^([a-z]+)_(\d+)")  # timm flattens ``stages.0`` to ``stages_0`` when it takes features only


class TimmEncoder(Encoder):
    """A net of timm's as an encoder, with fresh weights: ``load_weights`` fills it from a file.

    Parameters
    ----------
    name
        timm's: ``resnet34``, ``convnext_tiny``, …
    depth
        Maps to compute, from the finest; None for all that timm gives. Strides are the net's own: a U-Net takes those
        that double from 2, a patch classifier any.

    Raises
    ------
    CheckpointError
        timm isn't installed, or has no such encoder.
    """

    def __init__(self, name: str, depth: int | None = None) -> None:
        super().__init__()
        wanted = {} if depth is None else {"out_indices": tuple(range(depth))}
        self.net = _create(name, wanted)
        self.is_channels_last = "NHWC" in str(getattr(self.net, "output_fmt", ""))  # Swin and its kin
        self.channels = tuple(int(c) for c in self.net.feature_info.channels())
        self.strides = tuple(int(s) for s in self.net.feature_info.reduction())
        mean, deviation = self.net.pretrained_cfg["mean"], self.net.pretrained_cfg["std"]
        self.normalization = Normalization(_to_pixels(mean), _to_pixels(deviation))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        maps = self.net(pixels)
        return [each.permute(0, 3, 1, 2) for each in maps] if self.is_channels_last else list(maps)

    def aliases(self) -> Mapping[str, str]:
        """Return the names in timm's weight files → the names here."""
        inner = ((name, _WRAPPER.sub("", _WRAPPER.sub("", name))) for name, _ in self.named_modules() if name)
        return {_FLATTENED.sub(r"\1.\2", theirs): ours for ours, theirs in inner}

    def beyond(self) -> tuple[str, ...]:
        """Return the beginning of any name: which are the head's, only timm knows. What is missing is still told."""
        return ("",)


def _create(name: str, wanted: Mapping[str, object]) -> Any:  # Any: timm is not there when types are checked
    try:
        import timm
    except ImportError as error:
        raise CheckpointError(
            f"encoder timm/{name} needs timm; install it by: pip install slidebridge[timm]"
        ) from error
    try:
        return timm.create_model(name, pretrained=False, features_only=True, **wanted)
    except (RuntimeError, ValueError, AttributeError, IndexError, AssertionError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"timm {timm.__version__} gives no encoder {name!r} of that depth: {reason}") from error


def _to_pixels(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) * 255 for value in values)  # timm counts pixels from 0 to 1
    return red, green, blue
