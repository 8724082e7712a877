"""Rows of a slide's map asked for by themselves are those of the whole, bit for bit: workers share a slide so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bridge.coords import Window
from bridge.slides import Slide, TissueMask
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.inference import DeepZoomPredictor, HotSpotOptions, PatchwisePredictor, PredictionOptions, SlidePredictor
from models.nets import CENTRED, EncoderName, NetKind, NetOptions, build_net

NAMES = ("Background", "Tumor")
TINY = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)
PATCH = NetOptions(kind=NetKind.PATCH, encoder=EncoderName.PLAIN, encoder_channels=(4, 4), stem_channels=4)
OPTIONS = PredictionOptions(tile_px=32, overlap_px=8, batch_size=3)
EVERYWHERE = TissueMask(np.ones((2, 3), np.bool_), Window(0, 0, 3, 2, 64.0))


def checkpoint(options: NetOptions, design: str, mpps: dict[NetRole, float]) -> Checkpoint:
    weights: dict[str, Any] = {}
    for role in mpps:
        weights |= with_role(build_net(options, 2, seed=1).state_dict(), role)
    nets = tuple(NetCard(role, options, NAMES, mpp, 32, CENTRED) for role, mpp in mpps.items())
    return Checkpoint.of(Card(design, nets), weights)


def deepzoom() -> SlidePredictor:
    both = checkpoint(TINY, "deepzoom", {NetRole.HIGH: 0.5, NetRole.LOW: 2.0})
    return DeepZoomPredictor(both, hot_spots=HotSpotOptions(0.4, 1.0, 2.0), device="cpu", threads=1)


def one_network() -> SlidePredictor:
    return DeepZoomPredictor(checkpoint(TINY, "deepzoom", {NetRole.HIGH: 0.5}), device="cpu", threads=1)


def patchwise() -> SlidePredictor:
    patches = checkpoint(PATCH, "patchwise", {NetRole.HIGH: 0.5})
    return PatchwisePredictor(patches, stride_px=16, device="cpu", threads=1)


def rows_from(predictor: SlidePredictor, slide: Slide, row: int) -> tuple[int, np.ndarray]:
    """Return the first row that is told, and all from there on."""
    bands = list(predictor.predict(slide, EVERYWHERE, OPTIONS, first_row=row))
    return bands[0].window.y, np.concatenate([band.probabilities for band in bands], axis=1)


@pytest.mark.parametrize("make", [deepzoom, one_network, patchwise])
def test_rows_asked_for_are_those_of_the_whole(ground: Any, make: Callable[[], SlidePredictor]) -> None:
    predictor = make()
    _, whole = rows_from(predictor, ground.slide, 0)

    for row in range(1, whole.shape[1], max(1, whole.shape[1] // 8)):
        first, rest = rows_from(predictor, ground.slide, row)

        assert row - 32 < first <= row  # no more than the band that the row lies in
        assert np.array_equal(rest, whole[:, first:])


def test_slide_is_looked_at_from_afar_once_however_many_parts_it_has(
    ground: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, looks = deepzoom(), []
    find = DeepZoomPredictor.find_hot_spots

    def counted(*given: Any, **more: Any) -> Any:
        looks.append("looked")
        return find(*given, **more)

    monkeypatch.setattr(DeepZoomPredictor, "find_hot_spots", counted)

    for row in (0, 64, 100):
        rows_from(predictor, ground.slide, row)
    assert len(looks) == 1

    elsewhere = TissueMask(np.zeros((2, 3), np.bool_), EVERYWHERE.window)
    list(predictor.predict(ground.slide, elsewhere, OPTIONS))
    assert len(looks) == 2
