"""Checkpoints of every design that nobody trained: small nets, for what a prediction costs beside its network."""

from __future__ import annotations

from torch import Tensor

from models.checkpoints import Card, Checkpoint, DesignName, NetCard, NetRole, with_role
from models.nets import EncoderName, NetKind, NetOptions, build_net

NAMES = ("Background", "Tumor", "Stroma")
LOW_FACTOR = 4.0  # the coarse net's pixels are so many times larger per side
REFINED_MPP = 8.0
_WIDTH = 4
_TILE_PX, _REFINED_TILE_PX = 128, 512


def small_checkpoint(design: DesignName, mpp: float, *, is_default: bool = False) -> Checkpoint:
    """Return a checkpoint with random weights, the same ones every time.

    Parameters
    ----------
    mpp
        Working µm per pixel.
    is_default
        The nets as large as `NetOptions` has them; without ImageNet's weights, which take no more time than others.
    """
    cards = _cards(design, mpp, is_default=is_default)
    weights: dict[str, Tensor] = {}
    for card in cards:
        weights |= with_role(build_net(card.options, len(NAMES), seed=0, load_imagenet=False).state_dict(), card.role)
    return Checkpoint.of(Card(design.value, cards), weights)


def _cards(design: DesignName, mpp: float, *, is_default: bool) -> tuple[NetCard, ...]:
    match design:
        case DesignName.DEEPZOOM:
            net = NetOptions() if is_default else _net(NetKind.UNET)
            return _card(NetRole.HIGH, net, mpp), _card(NetRole.LOW, net, LOW_FACTOR * mpp)
        case DesignName.PATCHWISE:
            return (_card(NetRole.HIGH, _net(NetKind.PATCH), mpp),)
        case DesignName.HYBRID:
            refinement = NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(_WIDTH,) * 3, pretrained=False)
            patches = _card(NetRole.HIGH, _net(NetKind.PATCH), mpp)
            return patches, _card(NetRole.REFINEMENT, refinement, REFINED_MPP, _REFINED_TILE_PX)
        case DesignName.WEAK:
            return (_card(NetRole.HIGH, _net(NetKind.WEAK), mpp),)


def _net(kind: NetKind) -> NetOptions:
    return NetOptions(
        kind=kind,
        encoder=EncoderName.PLAIN,
        encoder_channels=(_WIDTH,),
        decoder_channels=(_WIDTH,),
        stem_channels=_WIDTH,
        pretrained=False,
    )


def _card(role: NetRole, options: NetOptions, mpp: float, tile_px: int = _TILE_PX) -> NetCard:
    return NetCard(role, options, NAMES, mpp, tile_px, options.normalization)
