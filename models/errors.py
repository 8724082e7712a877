"""Leaves of the error tree of ``bridge.errors`` that only models raise."""

from __future__ import annotations

from bridge.errors import BridgeError


class CheckpointError(BridgeError):
    """A checkpoint that is damaged, of another class scheme, or not ours."""


class TrainingDataError(BridgeError):
    """Too little is labelled to train on, or what is labelled can't be read."""
