from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bridge.coords import Region, Window
from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, with_role
from models.data import HeatMap
from models.errors import CheckpointError
from models.inference import HybridPredictor, PatchwisePredictor, PredictionOptions, Runtime, open_predictor
from models.nets import EncoderName, NetKind, NetOptions, build_net

NAMES = ("Background", "Dark", "Pale")
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
PATCH = NetOptions(
    kind=NetKind.PATCH, encoder=EncoderName.PLAIN, encoder_channels=(4, 8), decoder_channels=(1, 1), pretrained=False
)
REFINEMENT = NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(4, 6, 8), pretrained=False)


def checkpoint_of(tile_px: int, *, is_guided: bool = True) -> Checkpoint:
    """Fresh nets, scaled so that their answers differ from place to place."""
    net = replace(REFINEMENT, is_guided=is_guided)
    role = NetRole.REFINEMENT if is_guided else NetRole.HIGH
    cards = [NetCard(role, net, NAMES, 1.0, tile_px, net.normalization)]
    if is_guided:
        cards.insert(0, NetCard(NetRole.HIGH, PATCH, NAMES, 0.5, 16, PATCH.normalization))
    weights: dict[str, torch.Tensor] = {}
    for card in cards:
        built = build_net(card.options, 3, seed=4)
        tensors = {k: v * (3.0 if v.ndim > 1 else 1.0) for k, v in built.state_dict().items()}
        weights |= with_role(tensors, card.role)
    return Checkpoint.of(Card("hybrid", tuple(cards)), weights)


def brute_force(checkpoint: Checkpoint, slide: Any, tile_px: int) -> np.ndarray:
    """Each patch by torch, one after another; the heat map resized by torch; slide and heat map through the net."""
    patch_net, net = checkpoint.build(NetRole.HIGH), checkpoint.build(NetRole.REFINEMENT)
    rule = PATCH.normalization
    heat = torch.zeros(8, 12)
    with torch.inference_mode():
        for row in range(8):
            for column in range(12):
                pixels = torch.from_numpy(slide.read_window(Window(column * 16, row * 16, 16, 16)).astype(np.float32))
                scaled = (pixels - torch.tensor(rule.mean)) / torch.tensor(rule.scale)
                heat[row, column] = 1 - patch_net(scaled.permute(2, 0, 1)[None]).softmax(dim=1)[0, 0]
        heat = (heat * 255).round()
        grown = torch.nn.functional.interpolate(heat[None, None], (64, 96), mode="bilinear", align_corners=False)
        picture = torch.full((1, 4, tile_px, tile_px), 255.0)
        picture[:, 3] = 0
        low = slide.read_window(Window(0, 0, 96, 64, 2.0)).astype(np.float32)
        picture[0, :3, :64, :96] = torch.from_numpy(low).permute(2, 0, 1)
        picture[0, 3, :64, :96] = grown[0, 0].round()
        return net(picture / 255).softmax(dim=1)[0, :, :64, :96].numpy()


@pytest.mark.parametrize("runtime", [Runtime.TORCH, Runtime.ONNXRUNTIME])
def test_a_slide_that_fits_one_tile_is_predicted_as_by_brute_force(ground: Any, runtime: Runtime) -> None:
    checkpoint = checkpoint_of(128)
    predictor = HybridPredictor(checkpoint, tissue=WHOLE, device="cpu", runtime=runtime)
    bands = list(predictor.predict(ground.slide, tissue_mask(ground.slide, WHOLE)))
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    expected = brute_force(checkpoint, ground.slide, 96)
    assert whole.std(axis=(1, 2)).max() > 0.02
    assert np.abs(whole - expected).max() < 2e-2  # heat is rounded to 1/255
    assert (whole.argmax(axis=0) == expected.argmax(axis=0)).mean() > 0.99


def test_windows_of_such_a_slide_are_the_bands_interpolated(ground: Any) -> None:
    predictor = HybridPredictor(checkpoint_of(128), tissue=WHOLE, device="cpu")
    bands = list(predictor.predict(ground.slide, tissue_mask(ground.slide, WHOLE)))
    whole = np.concatenate([band.probabilities for band in bands], axis=1)
    window = Window(24, 16, 80, 64)
    found = predictor.predict_window(ground.slide, window)
    assert found.window == window
    means = found.probabilities.reshape(3, 32, 2, 40, 2).mean(axis=(2, 4))
    grown = torch.nn.functional.interpolate(
        torch.from_numpy(whole[None]), (128, 192), mode="bilinear", align_corners=False
    )[0, :, 16:80, 24:104].numpy()
    assert np.abs(found.probabilities - grown).max() < 1e-4
    assert np.abs(means - whole[:, 8:40, 12:52]).mean() < 0.05


@pytest.mark.parametrize("is_guided", [True, False])
def test_on_a_larger_slide_windows_agree_wherever_they_are_cut(ground: Any, is_guided: bool) -> None:
    checkpoint = checkpoint_of(32, is_guided=is_guided)
    first, second = (HybridPredictor(checkpoint, tissue=WHOLE, device="cpu") for _ in "ab")
    side = round(192 * 0.5 / first.mpp)
    whole = first.predict_window(ground.slide, Window(0, 0, side, side // 2, first.mpp / 0.5))
    for x, y in ((5, 3), (40, 20), (side - 24, side // 2 - 24)):
        window = Window(x, y, 24, 24, first.mpp / 0.5)
        part = second.predict_window(ground.slide, window)
        assert np.allclose(part.probabilities, whole.crop(window).probabilities, atol=1e-5)
    assert np.allclose(whole.probabilities.sum(axis=0), 1, atol=1e-5)


def test_bands_of_a_larger_slide_are_resumed(ground: Any) -> None:
    predictor = HybridPredictor(checkpoint_of(32), tissue=WHOLE, device="cpu")
    tissue, options = tissue_mask(ground.slide, WHOLE), PredictionOptions(overlap_px=8, batch_size=1)
    bands = list(predictor.predict(ground.slide, tissue, options))
    rest = list(predictor.predict(ground.slide, tissue, options, first_band=1))
    assert len(bands) > 2
    assert [band.window for band in rest] == [band.window for band in bands[1:]]
    assert all(np.allclose(a.probabilities, b.probabilities) for a, b in zip(rest, bands[1:], strict=True))
    assert {band.window.width for band in bands} == {96}


def test_each_patch_is_classified_once_however_many_windows_ask(ground: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = HybridPredictor(checkpoint_of(32), tissue=WHOLE, device="cpu")
    assert predictor.patches is not None
    seen: list[int] = []
    classify = predictor.patches.net.probabilities

    def counting(pixels: Any) -> Any:
        seen.append(len(pixels))
        return classify(pixels)

    monkeypatch.setattr(predictor.patches.net, "probabilities", counting)
    for x in range(0, 192, 24):
        for y in range(0, 128, 32):
            predictor.predict_window(ground.slide, Window(x, y, 24, 32))
    assert sum(seen) == 12 * 8


def test_heat_made_block_by_block_is_the_whole_ones(ground: Any) -> None:
    checkpoint = checkpoint_of(32)
    predictor = HybridPredictor(checkpoint, tissue=WHOLE, device="cpu")
    for x in range(0, 192, 32):
        for y in range(0, 128, 32):
            predictor.predict_window(ground.slide, Window(x, y, 32, 32))
    whole = HeatMap.from_bands(
        PatchwisePredictor(checkpoint, device="cpu").predict(ground.slide, tissue_mask(ground.slide, WHOLE))
    )
    source = predictor._heat.get(ground.slide, lambda: pytest.fail("no heat map was kept"))
    assert source._heat is not None
    assert np.array_equal(source._heat.values, whole.values)


def test_off_the_slide_is_background(ground: Any) -> None:
    predictor = HybridPredictor(checkpoint_of(32), tissue=WHOLE, device="cpu")
    found = predictor.predict_window(ground.slide, Window(400, 400, 16, 16))
    assert (found.most_probable().labels == 0).all()


def test_no_tissue_is_background_and_nothing_is_read(ground: Any) -> None:
    class Nowhere:
        def fraction(self, region: Region) -> float:
            return 0.0

    predictor = HybridPredictor(checkpoint_of(32), device="cpu")
    bands = list(predictor.predict(ground.slide, Nowhere()))
    assert all((band.probabilities[0] == 1).all() for band in bands)


def test_progress_counts_both_kinds_of_tiles_and_never_falls(ground: Any) -> None:
    told: list[tuple[int, int]] = []
    predictor = HybridPredictor(checkpoint_of(32), device="cpu")
    tissue = tissue_mask(ground.slide, WHOLE)
    list(predictor.predict(ground.slide, tissue, progress=lambda now: told.append((now.tiles, now.all_tiles))))
    assert [tiles for tiles, _ in told] == sorted(tiles for tiles, _ in told)
    assert told[-1][0] == told[-1][1] > 96


def test_the_card_says_what_opens_it(ground: Any) -> None:
    predictor = open_predictor(checkpoint_of(32), device="cpu")
    assert isinstance(predictor, HybridPredictor)
    assert (predictor.mpp, predictor.map_mpp, predictor.names) == (0.5, 1.0, NAMES)


def test_a_classifier_without_its_refinement_is_refused() -> None:
    whole = checkpoint_of(32)
    half = Checkpoint.of(
        replace(whole.card, nets=whole.card.nets[:1]), with_role(whole.net_weights(NetRole.HIGH), NetRole.HIGH)
    )
    with pytest.raises(CheckpointError, match="no refinement net"):
        HybridPredictor(half, device="cpu")
