"""What every net of a checkpoint has, whatever its build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn


class Net(nn.Module):
    """A net that is trained, kept in a checkpoint and used.

    Attributes
    ----------
    class_axes
        Parameter's name → its axes that run over the classes: what is carried over row by row where a project's classes
        change.
    weights_sha256
        Of the file that its weights began with, where the user named one.
    """

    class_axes: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    weights_sha256: str | None = None

    @property
    def stride(self) -> int:
        """Height and width of the input must be multiples of this."""
        raise NotImplementedError

    def pretrained_part(self) -> nn.Module | None:
        """Return the part that ImageNet weights, or others from elsewhere, are loaded into; None where there is none.

        It learns at a lower rate, and its batch normalization may keep its statistics.
        """
        return None
