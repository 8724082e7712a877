"""Where a net's ImageNet weights come from, asked before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from models.errors import CheckpointError
from models.nets.names import EncoderName
from models.nets.net_options import NetOptions

logger = logging.getLogger(__name__)


class Published(Enum):
    """Who has weights of a net."""

    WHEEL = "wheel"  # they come with SlideBridge
    FILE = "file"  # the user names one
    NOBODY = "nobody"


def published(options: NetOptions) -> Published:
    """Return who has ImageNet weights of a net."""
    if not options.has_encoder or options.encoder is EncoderName.PLAIN:
        return Published.NOBODY
    return Published.WHEEL if options.encoder is EncoderName.EFFICIENTNET_LITE0 else Published.FILE


def check_weights(nets: Sequence[NetOptions], weights_path: Path | None) -> None:
    """Refuse, in one line, what would fail when a net is built; warn where a net begins from random weights by choice.

    Parameters
    ----------
    nets
        All that a training begins from transfer weights; not those that go on from a parent.
    weights_path
        The file that was named.

    Raises
    ------
    CheckpointError
        A net needs a file and none is named; one is named and not there, or no net takes it.
    """
    for options in nets:
        source = published(options)
        if source is not Published.NOBODY and not options.pretrained:
            logger.warning("training begins from random weights, not ImageNet's encoder=%s", options.encoder.value)
        elif source is Published.FILE and weights_path is None:
            raise no_weights(options)
    if weights_path is None or not nets:
        return
    if not weights_path.is_file():
        raise CheckpointError(f"there is no weights file at {weights_path}; correct [model] weights, or --weights FILE")
    if not any(takes_file(options) for options in nets):
        names = ", ".join(sorted({options.encoder.value for options in nets}))
        raise CheckpointError(
            f"[model] weights names {weights_path}, and no net takes it: the encoder is {names}, from random weights;"
            " leave it out, or choose an encoder that weights are published of"
        )


def takes_file(options: NetOptions) -> bool:
    """Say whether a net's ImageNet weights can come from a file."""
    return options.pretrained and published(options) is not Published.NOBODY


def no_weights(options: NetOptions) -> CheckpointError:
    """Return the error of a net whose weights nobody named."""
    return CheckpointError(
        f"no ImageNet weights of {options.encoder.value} come with SlideBridge: name their file, [model] weights or"
        " --weights FILE, or start from random ones, pretrained = false"
    )
