"""Leaves of the error tree of ``bridge.errors`` that only models raise."""

from __future__ import annotations

from bridge.errors import BridgeError, SlideError


class CheckpointError(BridgeError):
    """A checkpoint that is damaged, of another class scheme, or not ours."""


class TrainingDataError(BridgeError):
    """Too little is labelled to train on, or what is labelled can't be read."""


class ProcessLostError(BridgeError):
    """Another process of a training that several share is gone."""


class DamagedSlideError(SlideError):
    """A slide of a training that can't be read somewhere: the others may go on without it.

    Attributes
    ----------
    slide_key
        Which one, as its plan names it.
    """

    def __init__(self, message: str, slide_key: str) -> None:
        super().__init__(message)
        self.slide_key = slide_key

    def __reduce__(self) -> tuple[type[DamagedSlideError], tuple[str, str]]:
        """Return how another process makes the same error."""
        return type(self), (str(self), self.slide_key)
