from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from export_lab import CARDS

from models.checkpoints import Card, Checkpoint, NetRole, with_role
from models.inference import export_torchscript, has_taught_label_head, load_torchscript, tile_classifier
from models.nets import MonaiName, build_net


def checkpoint_of(card: Card) -> Checkpoint:
    (net,) = card.nets
    return Checkpoint.of(card, with_role(build_net(net.options, len(net.class_names)).state_dict(), NetRole.HIGH))


MONAI = replace(CARDS["one_network"].nets[0].options, encoder=MonaiName.BASIC_UNET, encoder_channels=(4, 4, 4, 4, 4))
MONAI_CARD = Card("deepzoom", (replace(CARDS["one_network"].nets[0], options=MONAI),))


@pytest.mark.parametrize(
    "card",
    [CARDS["one_network"], CARDS["patchwise"], CARDS["weak"], MONAI_CARD],
    ids=["unet", "patch", "weak", "monai"],
)
def test_traced_file_says_what_the_net_says_for_any_number_of_tiles(card: Card) -> None:
    checkpoint = checkpoint_of(card)
    classifier = tile_classifier(checkpoint)
    side = card.tile_px
    loaded = load_torchscript(export_torchscript(classifier, side))
    for count in (1, 3):
        tiles = torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(count))
        with torch.inference_mode():
            found, expected = loaded(tiles), classifier(tiles)
        assert torch.allclose(found, expected, atol=1e-5)
        assert torch.allclose(found.exp().sum(dim=1), torch.ones(count), atol=1e-5)
        assert torch.allclose(found.softmax(dim=1), found.exp(), atol=1e-5), "readers take the softmax"


def test_label_head_speaks_only_where_labels_have_taught_it() -> None:
    assert has_taught_label_head(checkpoint_of(CARDS["weak_with_labels"]))
    assert not has_taught_label_head(checkpoint_of(CARDS["weak"]))
    without = Card("deepzoom", CARDS["one_network"].nets, lineage=CARDS["weak_with_labels"].lineage)
    assert not has_taught_label_head(checkpoint_of(without))
