"""Small projects with a model of any design, made without training.

Imported by tests as ``export_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lab_support import SETTINGS, Lab, draw_slide
from models.checkpoints import (
    Card,
    Checkpoint,
    NetCard,
    NetRole,
    SlideLineage,
    load_checkpoint,
    promote_champion,
    save_checkpoint,
    with_role,
)
from models.nets import CENTRED, UNIT, EncoderName, LabelHead, NetKind, NetOptions, build_net

CLASSES = ("Background", "Blob")
UNET = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4, 6), decoder_channels=(4, 4), stem_channels=4)
PATCH = replace(UNET, kind=NetKind.PATCH)
REFINEMENT = replace(UNET, kind=NetKind.REFINEMENT, encoder_channels=(4, 6))
WEAK = replace(UNET, kind=NetKind.WEAK, label_head=LabelHead.TABLE_A3)


def net(role: NetRole, options: NetOptions, mpp: float = 1.0, tile_px: int = 64) -> NetCard:
    """Return the card of a net."""
    return NetCard(role, options, CLASSES, mpp, tile_px, UNIT if options.kind is NetKind.REFINEMENT else CENTRED)


CARDS: Mapping[str, Card] = {
    "deepzoom": Card("deepzoom", (net(NetRole.HIGH, UNET), net(NetRole.LOW, UNET, 4.0, 32))),
    "one_network": Card("deepzoom", (net(NetRole.HIGH, UNET),)),
    "patchwise": Card("patchwise", (net(NetRole.HIGH, PATCH, tile_px=32),)),
    "hybrid": Card("hybrid", (net(NetRole.HIGH, PATCH, tile_px=32), net(NetRole.REFINEMENT, REFINEMENT, 4.0, 32))),
    "weak": Card("weak", (net(NetRole.HIGH, WEAK),)),
    "weak_with_labels": Card(
        "weak", (net(NetRole.HIGH, WEAK),), data_hashes={"a": ""}, lineage={"a": SlideLineage(patch_labels=3)}
    ),
}
"""A card of every kind of model."""


def make_lab(root: Path, more: str = "") -> Lab:
    """Make a project with one slide and no annotations yet."""
    root.mkdir(parents=True)
    draw_slide(root / "case.tif")
    (root / "slidebridge.toml").write_text(SETTINGS + more, "utf-8")
    return Lab(root)


def crown(lab: Lab, card: Card, seed: int = 0, lift: float = 0.0) -> Checkpoint:
    """Give a project a model of drawn weights, and put it in use; ``lift`` is added to the last class's score."""
    weights = {}
    for i, one in enumerate(card.nets):
        drawn = build_net(one.options, len(one.class_names), seed=seed + i).state_dict()
        if lift:
            drawn["head.bias"][-1] += lift
        weights |= with_role(drawn, one.role)
    folder = lab.root / ".slidebridge" / "checkpoints"
    checkpoint_id = save_checkpoint(folder, weights, card).id
    promote_champion(folder, checkpoint_id)
    return load_checkpoint(folder / checkpoint_id)
