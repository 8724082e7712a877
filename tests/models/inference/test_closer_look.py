from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bridge.coords import Window
from bridge.slides import Slide, TissueMask, open_slide
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import DeepZoomPredictor, HotSpots, Runtime
from models.nets import CENTRED, EncoderName, NetOptions, build_net

NAMES = ("Background", "Tumor")
TINY = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)
SIDE = 1024


class Told(DeepZoomPredictor):
    """Is told where to look closer, and remembers how much it looked at."""

    def __init__(self, hot: np.ndarray) -> None:
        weights: dict[str, Any] = {}
        for role in (NetRole.HIGH, NetRole.LOW):
            weights |= with_role(build_net(TINY, 2, seed=1).state_dict(), role)
        nets = tuple(NetCard(r, TINY, NAMES, m, 64, CENTRED) for r, m in ((NetRole.HIGH, 0.5), (NetRole.LOW, 2.0)))
        super().__init__(Checkpoint.of(Card("deepzoom", nets), weights), device="cpu", runtime=Runtime.TORCH)
        self._hot = TissueMask(hot, Window(0, 0, SIDE // 4, SIDE // 4, 4.0))
        self.shapes: list[tuple[int, ...]] = []
        probabilities = self.high.probabilities

        def remembered(pixels: np.ndarray) -> np.ndarray:
            self.shapes.append(pixels.shape)
            return probabilities(pixels)

        self.high.probabilities = remembered  # type: ignore[method-assign]

    def find_hot_spots(self, *_: Any, **__: Any) -> HotSpots:
        return HotSpots(self._hot)

    @property
    def seen_px(self) -> int:
        return sum(n * height * width for n, height, width, _ in self.shapes)


@pytest.fixture
def slide(tmp_path: Path) -> Slide:
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return open_slide(tmp_path / "noise.png", mpp=(0.5, 0.5))


def looked_at(predictor: Told, slide: Slide) -> np.ndarray:
    tissue = TissueMask(np.ones((1, 1), np.bool_), Window(0, 0, 1, 1, float(SIDE)))
    with slide:
        return np.concatenate([band.probabilities for band in predictor.predict(slide, tissue)], axis=1)


def test_small_hot_spots_are_looked_at_in_small_tiles(slide: Slide) -> None:
    hot = np.zeros((SIDE // 4, SIDE // 4), np.bool_)
    hot[20:25, 20:25] = hot[200:205, 180:185] = True
    predictor = Told(hot)

    probabilities = looked_at(predictor, slide)

    is_hot = np.kron(hot, np.ones((4, 4), np.bool_))
    assert probabilities.shape == (2, SIDE, SIDE)
    assert predictor.seen_px <= 0.1 * SIDE**2
    assert np.all(probabilities[0][~is_hot] == 1)
    assert np.all(probabilities[0][is_hot] < 1)


def test_all_hot_is_looked_at_once_in_large_tiles(slide: Slide) -> None:
    predictor = Told(np.ones((SIDE // 4, SIDE // 4), np.bool_))

    probabilities = looked_at(predictor, slide)

    assert np.all(probabilities[0] < 1)
    assert {shape[1] for shape in predictor.shapes} <= {256, 512}
