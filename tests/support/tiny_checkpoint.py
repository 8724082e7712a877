"""The smallest checkpoint there is.

Imported by tests as ``tiny_checkpoint`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from pathlib import Path

from models.checkpoints import Card, NetCard, NetRole, save_checkpoint, with_role
from models.nets import CENTRED, EncoderName, NetOptions, build_net

TINY = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)
CARD = Card("deepzoom", (NetCard(NetRole.HIGH, TINY, ("Background", "Tumor"), 0.5, 64, CENTRED),))


def saved(folder: Path, seed: int) -> str:
    """Save one, and return its id."""
    weights = with_role(build_net(TINY, 2, seed=seed).state_dict(), NetRole.HIGH)
    return save_checkpoint(folder, weights, CARD).id
