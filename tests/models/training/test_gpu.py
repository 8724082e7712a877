from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.inference import Predictor, Runtime
from models.training import evaluate, fit

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_a_gpu_trains_and_agrees_with_the_cpu_on_nearly_every_pixel(
    judged_slides: Any, ground: Any, tiny_model: Any, brief: Any
) -> None:
    """bfloat16 keeps 8 bits: classes differ where two are about equally probable, on at most 2 % of pixels."""
    options = replace(brief, max_steps=60, batch_size=4, device="cuda")
    checkpoint = fit(judged_slides, ground.scheme, tiny_model, options).checkpoint
    on_gpu = Predictor(checkpoint, device="cuda")
    assert evaluate(on_gpu, judged_slides, ground.scheme).pooled_dice > 0.8
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    on_cpu = Predictor(checkpoint, device="cpu", runtime=Runtime.TORCH)
    same = on_gpu.probabilities(pixels).argmax(1) == on_cpu.probabilities(pixels).argmax(1)
    assert same.mean() > 0.98
