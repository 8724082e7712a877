from __future__ import annotations

import numpy as np
import pytest

from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import Runtime
from models.inference.predictor import Predictor
from models.nets import CENTRED, MonaiName, NetOptions, build_net


@pytest.mark.parametrize("name", list(MonaiName))
def test_both_runtimes_agree_on_a_net_of_monai_s(name: MonaiName) -> None:
    options = NetOptions(encoder=name, encoder_channels=(4, 8, 8, 8, 8), pretrained=False)
    net = NetCard(NetRole.HIGH, options, ("Background", "Tumor"), 0.5, 32, CENTRED)
    checkpoint = Checkpoint.of(
        Card("deepzoom", (net,)), with_role(build_net(options, 2, seed=3).state_dict(), NetRole.HIGH)
    )
    tiles = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), np.uint8)
    results = [
        Predictor(checkpoint, device="cpu", runtime=runtime, threads=1).probabilities(tiles)
        for runtime in (Runtime.TORCH, Runtime.ONNXRUNTIME)
    ]
    assert results[0].shape == (2, 2, 48, 64)
    assert np.allclose(*results, atol=1e-4)
