from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.checkpoints import DesignName
from models.training import DeepZoom, ModelOptions, PresetName, preset


@pytest.mark.parametrize("name", list(PresetName))
def test_both_presets_of_deepzoom_train(
    name: PresetName, tiny_model: ModelOptions, disc_slides: Any, ground: Any
) -> None:
    """With a net and a budget of a test's size, all else as it is."""
    found = preset(DesignName.DEEPZOOM, name)
    design = found.design
    assert isinstance(design, DeepZoom)
    small = replace(design, model=replace(tiny_model, mpp=design.model.mpp))
    options = replace(found.training, max_steps=1, tile_px=min(found.training.tile_px, 64), device="cpu")
    assert small.fit(disc_slides, ground.scheme, options).is_finished


def test_the_paper_s_blocks_fit_the_net_s_stride() -> None:
    from models.checkpoints import NetRole
    from models.training.fit import net_card

    found = preset(DesignName.DEEPZOOM, PresetName.PAPER)
    assert isinstance(found.design, DeepZoom)
    model = found.design.model
    scheme: Any = type("Scheme", (), {"names": ("Background", "Glomerulus")})
    card = net_card(NetRole.HIGH, model.high, model.mpp, scheme, found.training)
    assert card.tile_px == 512
    assert card.tile_px % model.high.stride == 0
