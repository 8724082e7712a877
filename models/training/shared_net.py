"""A net that several processes train together: torch's DistributedDataParallel, for nets with more than one answer."""

from __future__ import annotations

import logging
from enum import Enum
from typing import cast

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.nets import LABEL_HEAD_PART, MaskAndLabel, Net
from models.training.ranks import Ranks
from models.training.shared_statistics import share_statistics

logger = logging.getLogger(__name__)


class _Question(Enum):
    SCORES = "forward"
    LABEL = "classify"
    BOTH = "both"


class _Answering(nn.Module):
    """A net whose answers all go through ``forward``, the one way that DistributedDataParallel sees."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor, question: _Question) -> Tensor | tuple[Tensor, ...]:
        answer: Tensor | tuple[Tensor, ...] = getattr(self.net, question.value)(pixels)
        return answer


class SharedNet(nn.Module):
    """A net that answers for its own process's tiles; after each backward pass its gradients are the mean over all.

    Weights are the first process's from the start, and stay alike: every process takes the same step. Batch
    statistics are those of all tiles; of a layer whose statistics can't be shared, the running ones are the first's.

    Parameters
    ----------
    net
        On its device. Its normalization layers are replaced by such as share their statistics; its parameters and
        their names stay.
    ranks
        Several processes.
    """

    def __init__(self, net: Net, ranks: Ranks) -> None:
        super().__init__()
        lonely = share_statistics(net)
        if lonely and ranks.is_first:
            logger.warning(
                "each process normalizes its own tiles alone in layers of kind %s", ", ".join(sorted(lonely))
            )
        # Passes with masks leave the label head out. What all of a step's passes leave out has no gradient, as ever.
        has_head = any(name.startswith(LABEL_HEAD_PART) for name, _ in net.named_parameters())
        self._shared = DistributedDataParallel(_Answering(net), find_unused_parameters=has_head)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the net's scores."""
        return cast(Tensor, self._shared(pixels, _Question.SCORES))

    def classify(self, pixels: Tensor) -> Tensor:
        """Return the scores of the label head."""
        return cast(Tensor, self._shared(pixels, _Question.LABEL))

    def both(self, pixels: Tensor) -> MaskAndLabel:
        """Return the scores of both heads."""
        return MaskAndLabel(*self._shared(pixels, _Question.BOTH))
