from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from bridge.coords import Window
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.errors import CheckpointError
from models.inference import Passes, Predictor, Runtime
from models.nets import CENTRED, EncoderName, NetOptions, build_net

PLAIN = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(8, 8), decoder_channels=(8, 8), stem_channels=4)
LITE = NetOptions(decoder_channels=(16, 8, 8, 8), stem_channels=4)


def checkpoint(options: NetOptions) -> Checkpoint:
    card = Card("deepzoom", (NetCard(NetRole.HIGH, options, ("Background", "A", "B"), 0.5, 64, CENTRED),))
    return Checkpoint.of(card, with_role(build_net(options, 3, seed=1).state_dict(), NetRole.HIGH))


@pytest.mark.parametrize("options", [PLAIN, LITE], ids=["plain", "lite"])
def test_both_runtimes_see_the_same_class(options: NetOptions) -> None:
    saved = checkpoint(options)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    by_torch = Predictor(saved, device="cpu", runtime=Runtime.TORCH).probabilities(pixels)
    by_onnx = Predictor(saved, device="cpu", runtime=Runtime.ONNXRUNTIME).probabilities(pixels)
    assert by_torch.shape == (3, 3, 64, 96)
    assert by_torch.dtype == by_onnx.dtype == np.float32
    assert np.allclose(by_torch, by_onnx, atol=1e-4)
    top, second = np.sort(by_torch, axis=1)[:, -1], np.sort(by_torch, axis=1)[:, -2]
    clear = top - second > 1e-3
    assert clear.mean() > 0.9
    assert (by_torch.argmax(1) == by_onnx.argmax(1))[clear].all()


@pytest.mark.parametrize("options", [PLAIN, LITE], ids=["plain", "lite"])
def test_tiles_one_by_one_from_several_threads_are_what_a_batch_is_to_the_bit(options: NetOptions) -> None:
    predictor = Predictor(checkpoint(options), device="cpu", runtime=Runtime.ONNXRUNTIME, threads=2)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    at_once = predictor.probabilities(pixels)
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(predictor.probabilities, pixels[:, None]))
    assert np.array_equal(np.concatenate(alone), at_once)


def test_few_cores_take_one_small_pass_more_take_some_and_a_device_takes_the_batch() -> None:
    saved = checkpoint(PLAIN)
    by_onnx = Predictor(saved, device="cpu", runtime=Runtime.ONNXRUNTIME, threads=3)
    assert by_onnx.passes(512, 8) == Passes(1, 1)
    assert by_onnx.passes(2048, 8) == Passes(1, 1)
    assert by_onnx.passes(256, 8) == Passes(1, 4)
    assert by_onnx.passes(64, 8) == Passes(1, 8)
    more = Predictor(saved, device="cpu", runtime=Runtime.ONNXRUNTIME, threads=8)
    assert more.passes(512, 8) == Passes(2, 1)
    many = Predictor(saved, device="cpu", runtime=Runtime.ONNXRUNTIME, threads=64)
    assert many.passes(512, 8).at_once * 512**2 <= 4 * 512**2  # memory doesn't grow with the machine
    by_torch = Predictor(saved, device="cpu", runtime=Runtime.TORCH, threads=3)
    assert by_torch.passes(512, 8) == Passes(1, 8)


def test_a_window_is_seen_with_its_surroundings(ground: Any) -> None:
    """The map of a window is the crop of the map of more, away from nothing but rounding."""
    predictor = Predictor(checkpoint(PLAIN), device="cpu", runtime=Runtime.TORCH)
    small = predictor.predict_window(ground.slide, Window(64, 32, 30, 22), margin_px=32)
    large = predictor.predict_window(ground.slide, Window(32, 16, 100, 80), margin_px=32)
    assert small.probabilities.shape == (3, 22, 30)
    assert np.allclose(small.probabilities, large.crop(small.window).probabilities, atol=1e-5)


def test_a_net_that_is_not_there_is_asked_for_in_vain() -> None:
    with pytest.raises(CheckpointError, match="no low net; train"):
        Predictor(checkpoint(PLAIN), role=NetRole.LOW, device="cpu")
