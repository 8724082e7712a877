"""Any encoder of timm that gives feature maps, where timm is installed; it is no part of SlideBridge's own needs.

Wightman, "PyTorch Image Models" (https://github.com/huggingface/pytorch-image-models), ``features_only=True``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor
from torch.nn import functional

from bridge.installing import how_to_add
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
        Maps to compute, with strides 2, 4, … 2^depth; None for those that timm gives. Nets that begin at stride 4 or
        more have no map of the finer strides: there stand the pixels themselves, averaged.

    Raises
    ------
    CheckpointError
        timm isn't installed, has no such encoder, or its strides don't double.
    """

    def __init__(self, name: str, depth: int | None = None) -> None:
        super().__init__()
        strides = _strides(_create(name, {}))
        finer: tuple[int, ...] = ()
        wanted: dict[str, object] = {}
        if depth is not None:
            finer = _require_doubling(name, strides, depth)
            wanted = {"out_indices": tuple(range(depth - len(finer)))}
        self.net = _create(name, wanted)
        self.is_channels_last = "NHWC" in str(getattr(self.net, "output_fmt", ""))  # Swin and its kin
        self.pooled_strides = finer
        self.channels = (*(3 for _ in finer), *(int(c) for c in self.net.feature_info.channels()))
        self.strides = (*finer, *_strides(self.net))
        mean, deviation = self.net.pretrained_cfg["mean"], self.net.pretrained_cfg["std"]
        self.normalization = Normalization(_to_pixels(mean), _to_pixels(deviation))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the maps, finest first."""
        maps = self.net(pixels)
        pooled = [functional.avg_pool2d(pixels, stride) for stride in self.pooled_strides]
        return [*pooled, *((each.permute(0, 3, 1, 2) for each in maps) if self.is_channels_last else maps)]

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
            f"encoder timm/{name} needs timm; install it by: {how_to_add('timm', ['timm'])}"
        ) from error
    try:
        return timm.create_model(name, pretrained=False, features_only=True, **wanted)
    except (RuntimeError, ValueError, AttributeError, IndexError, AssertionError, TypeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"timm {timm.__version__} gives no encoder {name!r} of that depth: {reason}") from error


def _strides(net: Any) -> tuple[int, ...]:
    return tuple(int(stride) for stride in net.feature_info.reduction())


def _require_doubling(name: str, strides: Sequence[int], depth: int) -> tuple[int, ...]:
    """Return the strides up to 2^depth that are finer than the net's own."""
    all_strides = tuple(2 ** (level + 1) for level in range(depth))
    finer = tuple(stride for stride in all_strides if stride < strides[0])
    is_doubling = all(after == 2 * before for before, after in pairwise(strides))
    if not is_doubling or len(finer) == depth or (*finer, *strides)[:depth] != all_strides:
        given = ", ".join(map(str, strides))
        raise CheckpointError(
            f"encoder timm/{name} has maps of strides {given}, and {depth} that double up to {2**depth} are needed;"
            " choose one of another architecture, such as timm/resnet34 or timm/convnext_tiny"
        )
    return finer


def _to_pixels(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) * 255 for value in values)  # timm counts pixels from 0 to 1
    return red, green, blue
